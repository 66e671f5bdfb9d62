package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/password"
	"gatehouse/internal/store"
)

// NewPassword is a change of password that has been judged and hashed, ready for ChangePassword.
type NewPassword struct {
	account Account // as it was when its current password was verified
	hash    string
}

// PreparePassword returns the change of the account's password from current to next. The error is fault.UserErrors that list
// everything wrong at once: INVALID_CREDENTIALS about the field currentPassword, which makes it a [*Refused], and what
// password.Check has against next about newPassword. It is UNAUTHENTICATED with REVOKED when the account is disabled or gone,
// since that ended all its sessions, and SERVICE_UNAVAILABLE when too many passwords are being hashed already. It changes
// nothing. Call it outside any transaction.
func (s *Service) PreparePassword(ctx context.Context, accountID id.ID, current, next string) (*NewPassword, error) {
	if err := s.hasher.Busy(); err != nil {
		return nil, fmt.Errorf("account: prepare password: %w", err)
	}
	var a Account
	err := s.db.Conn(ctx).NewSelect().Model(&a).Where("id = ?", accountID).Scan(ctx)
	if errors.Is(err, store.ErrNotFound) || err == nil && a.Disabled() {
		return nil, fault.Anonymous(fault.Revoked)
	}
	if err != nil {
		return nil, fmt.Errorf("account: prepare password: %w", err)
	}
	wrong := password.Check(next, a.personal())
	for i := range wrong {
		wrong[i].Field = []string{"input", "newPassword"}
	}
	ok, _, err := s.hasher.Verify(ctx, a.PasswordHash, current)
	if err != nil {
		return nil, fmt.Errorf("account: prepare password: %w", err)
	}
	if !ok {
		answer := fault.User(fault.InvalidCredentials, "currentPassword", "This is not the current password.")
		return nil, &Refused{AccountID: &a.ID, answer: append(answer, wrong...)}
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	hash, err := s.hasher.Hash(ctx, next)
	if err != nil {
		return nil, fmt.Errorf("account: prepare password: %w", err)
	}
	return &NewPassword{account: a, hash: hash}, nil
}

// ChangePassword makes a prepared change and returns the account as it is then. Like RecordLogin it takes the account's row
// lock in the transaction that it is part of, and the error is ErrChanged when the password is no longer the one that was
// verified: of several changes at once, one is made. It ends no session.
func (s *Service) ChangePassword(ctx context.Context, n *NewPassword) (*Account, error) {
	changed := n.account
	changed.PasswordHash, changed.UpdatedAt = n.hash, s.now().UTC().Truncate(time.Microsecond)
	done, err := s.update(ctx, &n.account, func(u *bun.UpdateQuery) {
		u.Set("password_hash = ?", changed.PasswordHash).Set("updated_at = ?", changed.UpdatedAt)
	})
	if err != nil {
		return nil, fmt.Errorf("account: change password: %w", err)
	}
	if !done {
		return nil, ErrChanged
	}
	return &changed, nil
}

// personal is what others know of the account's owner.
func (a *Account) personal() password.Personal {
	about := password.Personal{Email: a.Email}
	if a.Username != nil {
		about.Username = *a.Username
	}
	if a.Name != nil {
		about.Name = *a.Name
	}
	return about
}
