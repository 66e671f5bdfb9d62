package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// Credentials is what a person logs in with: either Email or Username, and the password.
type Credentials struct {
	Email, Username *string
	Password        string
}

// Refused is the error of a password that is not the account's. What it unwraps to, fault.UserErrors with INVALID_CREDENTIALS,
// is for the person who typed it, and the same in each case. Whose account it was aimed at is for the audit log alone.
type Refused struct {
	AccountID *id.ID // nil: there is no such account
	answer    fault.UserErrors
}

// Error lists the codes.
func (r *Refused) Error() string { return r.answer.Error() }

// Unwrap returns the answer, which is the same in each case.
func (r *Refused) Unwrap() error { return r.answer }

// ErrChanged reports an account that was disabled, or whose password was changed or hashed anew, between the verification of
// its password and the transaction that relied on it: verify the password once more.
var ErrChanged = errors.New("account: changed since its password was verified")

// Authenticate returns the account whose credentials c are. Call it outside any transaction, and RecordLogin inside the one
// that opens the session: only that settles a race with Disable or ChangePassword.
//
// An unknown, a misspelt and a disabled account and a wrong password get the same INVALID_CREDENTIALS after the same work,
// one look-up and one hash, as a [*Refused]. The error is BAD_USER_INPUT unless exactly one of Email and Username is given, since
// that is a mistake in the client and no person's, and SERVICE_UNAVAILABLE when too many passwords are being hashed already.
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
		return nil, refused(nil)
	}
	if err != nil {
		return nil, err
	}
	ok, rehash, err := s.hasher.Verify(ctx, a.PasswordHash, c.Password)
	if err != nil {
		return nil, fmt.Errorf("account: authenticate: %w", err)
	}
	if !ok || a.Disabled() {
		return nil, refused(&a.ID)
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
	replaced, err := s.update(ctx, a, func(u *bun.UpdateQuery) { u.Set("password_hash = ?", hash) })
	if err != nil {
		return fmt.Errorf("account: rehash: %w", err)
	}
	if replaced {
		a.PasswordHash = hash
	}
	return nil
}

// RecordLogin notes that a, as Authenticate returned it, logs in now. In the transaction that opens the session it takes the
// account's row lock: a Disable or ChangePassword either is seen here, as ErrChanged, or comes after and sees the session.
func (s *Service) RecordLogin(ctx context.Context, a *Account) error {
	now := s.now().UTC().Truncate(time.Microsecond)
	recorded, err := s.update(ctx, a, func(u *bun.UpdateQuery) { u.Set("last_login_at = ?", now) })
	if err != nil {
		return fmt.Errorf("account: record login: %w", err)
	}
	if !recorded {
		return ErrChanged
	}
	return nil
}

// Lock keeps every other change of the account waiting until the transaction in ctx ends. Whoever changes several rows that
// belong to one account takes this first: what two transactions want in different orders, one of them would lose.
func (s *Service) Lock(ctx context.Context, accountID id.ID) error {
	found, err := affects(ctx, s.db.Conn(ctx).NewUpdate().Model((*Account)(nil)).
		Set("updated_at = updated_at").Where("id = ?", accountID))
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("account: lock: %w", err)
	}
	return nil
}

// update changes the account's row unless the account was disabled, or its password changed, since a was read. It reports
// whether it did.
func (s *Service) update(ctx context.Context, a *Account, change func(*bun.UpdateQuery)) (bool, error) {
	query := s.db.Conn(ctx).NewUpdate().Model((*Account)(nil)).
		Where("id = ?", a.ID).Where("password_hash = ?", a.PasswordHash).Where("disabled_at IS NULL")
	change(query)
	return affects(ctx, query)
}

// affects runs the update of one row and reports whether there was one.
func affects(ctx context.Context, query *bun.UpdateQuery) (bool, error) {
	result, err := query.Exec(ctx)
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

// Disable keeps the account from logging in from now on, and reports whether it could until now; one that is disabled stays as
// it is. It ends no session: that is for whoever calls it to do in the same transaction. The error is store.ErrNotFound when
// there is no such account.
func (s *Service) Disable(ctx context.Context, accountID id.ID) (disabled bool, err error) {
	now := s.now().UTC().Truncate(time.Microsecond)
	disabled, err = affects(ctx, s.db.Conn(ctx).NewUpdate().Model((*Account)(nil)).
		Set("disabled_at = ?", now).Set("updated_at = ?", now).
		Where("id = ?", accountID).Where("disabled_at IS NULL"))
	if err == nil && !disabled {
		_, err = s.ByID(ctx, accountID)
	}
	if err != nil {
		return false, fmt.Errorf("account: disable: %w", err)
	}
	return disabled, nil
}

func refused(accountID *id.ID) *Refused {
	return &Refused{AccountID: accountID, answer: fault.User(fault.InvalidCredentials, "",
		"The e-mail address or username is unknown, or the password is wrong.")}
}
