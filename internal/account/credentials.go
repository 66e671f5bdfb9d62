package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// Credentials is what a person logs in with: either Email or Username, and the password.
type Credentials struct {
	Email, Username *string
	Password        string
}

// Authenticate returns the account whose credentials c are. Call it outside any transaction, and RecordLogin inside the one
// that opens the session: only that settles a race with Disable.
//
// An unknown, a misspelt and a disabled account and a wrong password get the same INVALID_CREDENTIALS after the same work:
// one look-up and one hash. The error is BAD_USER_INPUT unless exactly one of Email and Username is given, since that is a
// mistake in the client and no person's, and SERVICE_UNAVAILABLE when too many passwords are being hashed already.
//
// A hash made with other parameters than today's is replaced after it has proved right.
func (s *Service) Authenticate(ctx context.Context, c Credentials) (*Account, error) {
	if (c.Email == nil) == (c.Username == nil) {
		return nil, &fault.Error{Code: fault.BadUserInput, Message: "Give either email or username, and only one of them."}
	}
	if err := s.hasher.Busy(); err != nil {
		return nil, fmt.Errorf("account: authenticate: %w", err)
	}
	var a *Account
	var err error
	if c.Email != nil {
		a, err = s.ByEmail(ctx, *c.Email)
	} else {
		a, err = s.ByUsername(ctx, *c.Username)
	}
	if errors.Is(err, store.ErrNotFound) {
		if err := s.hasher.VerifyNothing(ctx, c.Password); err != nil {
			return nil, fmt.Errorf("account: authenticate: %w", err)
		}
		return nil, invalidCredentials()
	}
	if err != nil {
		return nil, err
	}
	ok, rehash, err := s.hasher.Verify(ctx, a.PasswordHash, c.Password)
	if err != nil {
		return nil, fmt.Errorf("account: authenticate: %w", err)
	}
	if !ok || a.Disabled() {
		return nil, invalidCredentials()
	}
	if rehash {
		if err := s.rehash(ctx, a, c.Password); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// rehash replaces the account's hash with one made with today's parameters, unless it has changed since it was read.
func (s *Service) rehash(ctx context.Context, a *Account, password string) error {
	hash, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return fmt.Errorf("account: rehash: %w", err)
	}
	_, err = s.db.Conn(ctx).NewUpdate().Model((*Account)(nil)).
		Set("password_hash = ?", hash).
		Where("id = ?", a.ID).Where("password_hash = ?", a.PasswordHash).
		Exec(ctx)
	if err != nil {
		return fmt.Errorf("account: rehash: %w", err)
	}
	return nil
}

// RecordLogin notes that the account logs in now. In the transaction that opens the session it takes the account's row
// lock: a Disable is either seen here, as INVALID_CREDENTIALS, or comes after and sees the session.
func (s *Service) RecordLogin(ctx context.Context, accountID id.ID) error {
	result, err := s.db.Conn(ctx).NewUpdate().Model((*Account)(nil)).
		Set("last_login_at = ?", s.now().UTC().Truncate(time.Microsecond)).
		Where("id = ?", accountID).Where("disabled_at IS NULL").
		Exec(ctx)
	if err != nil {
		return fmt.Errorf("account: record login: %w", err)
	}
	updated, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("account: record login: %w", err)
	}
	if updated == 0 {
		return invalidCredentials()
	}
	return nil
}

// Disable keeps the account from logging in from now on; one that is disabled stays as it is. It ends no session: that is
// for whoever calls it to do in the same transaction. The error is store.ErrNotFound when there is no such account.
func (s *Service) Disable(ctx context.Context, accountID id.ID) error {
	now := s.now().UTC().Truncate(time.Microsecond)
	result, err := s.db.Conn(ctx).NewUpdate().Model((*Account)(nil)).
		Set("disabled_at = COALESCE(disabled_at, ?)", now).
		Set("updated_at = CASE WHEN disabled_at IS NULL THEN ? ELSE updated_at END", now).
		Where("id = ?", accountID).
		Exec(ctx)
	if err != nil {
		return fmt.Errorf("account: disable: %w", err)
	}
	updated, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("account: disable: %w", err)
	}
	if updated == 0 {
		return fmt.Errorf("account: disable: %w", store.ErrNotFound)
	}
	return nil
}

func invalidCredentials() fault.UserErrors {
	return fault.User(fault.InvalidCredentials, "", "The e-mail address or username is unknown, or the password is wrong.")
}
