package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/store"
)

// passwordMethod is how people prove who they are with a password (RFC 8176).
const passwordMethod = "pwd"

// PasswordChange is what a person fills in to change their password.
type PasswordChange struct {
	CurrentPassword, NewPassword string
}

// ChangePassword replaces the password of the caller's account, ends the account's other sessions and prolongs the caller's, all
// or nothing. Its auth time is now, and its refresh token is replaced as by Refresh: another tab that still has the one before
// goes on.
//
// Its user errors are those of account.PreparePassword. The error is UNAUTHENTICATED with REVOKED when the caller's session has
// ended. Call it outside any transaction, since it hashes passwords before it opens its own.
func (s *Service) ChangePassword(ctx context.Context, caller *auth.Caller, c PasswordChange) (*account.Account, Tokens, error) {
	if !caller.SignedIn() {
		return nil, Tokens{}, caller.Refusal
	}
	var a *account.Account
	var tokens Tokens
	err := verified(func() error {
		change, err := s.accounts.PreparePassword(ctx, caller.AccountID, c.CurrentPassword, c.NewPassword)
		if err != nil {
			return s.refused(ctx, err, audit.Entry{ActorID: &caller.AccountID, SessionID: &caller.SessionID})
		}
		return s.ending(ctx, func(ctx context.Context) ([]Session, error) {
			// First the account's row, as in DisableAccount.
			if a, err = s.accounts.ChangePassword(ctx, change); err != nil {
				return nil, err
			}
			if tokens, err = s.renew(ctx, caller); err != nil {
				return nil, err
			}
			ended, err := s.end(ctx, func(q *bun.UpdateQuery) *bun.UpdateQuery {
				return q.Where("account_id = ?", caller.AccountID).Where("id <> ?", caller.SessionID)
			})
			if err != nil {
				return nil, err
			}
			return ended, s.audit.Record(ctx, audit.Entry{
				Event: audit.PasswordChanged, ActorID: &caller.AccountID, AccountID: &caller.AccountID, SessionID: &caller.SessionID,
			})
		})
	})
	if err != nil {
		return nil, Tokens{}, fmt.Errorf("session: change password: %w", err)
	}
	return a, tokens, nil
}

// renewal is what rotation makes of a session whose current refresh token is presented, and a new login besides. The parameters
// are numbered as they first appear, which SQLite wants.
const renewal = `UPDATE sessions SET
	generation       = generation + 1,
	previous_until   = $1,
	grace_from       = CASE WHEN grace_until <= $2 THEN generation ELSE grace_from END,
	grace_until      = CASE WHEN grace_until <= $2 THEN $1 ELSE grace_until END,
	auth_time        = $2,
	last_seen_at     = $2,
	amr              = $3,
	expires_at       = CASE WHEN absolute_expires_at < $4 THEN absolute_expires_at ELSE $4 END,
	token_expires_at = CASE WHEN token_expires_at < $5 THEN $5 ELSE token_expires_at END
	WHERE id = $6 AND revoked_at IS NULL AND expires_at > $2
	RETURNING account_id, generation, salt, auth_time, amr, expires_at`

// renew prolongs the caller's session as of a login now, and returns its tokens. It joins the transaction in ctx.
func (s *Service) renew(ctx context.Context, caller *auth.Caller) (Tokens, error) {
	now := s.now().UTC().Truncate(time.Microsecond)
	row := &Session{ID: caller.SessionID}
	err := s.db.QueryRow(ctx, renewal,
		now.Add(s.lifetimes.grace), now, passwordMethod, now.Add(s.lifetimes.idle), now.Add(s.tokens.TTL()), caller.SessionID,
	).Scan(&row.AccountID, &row.Generation, &row.Salt, &row.AuthTime, &row.AMR, &row.ExpiresAt)
	if errors.Is(err, store.ErrNotFound) {
		return Tokens{}, fault.Anonymous(fault.Revoked)
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("renew: %w", err)
	}
	return s.issue(ctx, row)
}

// verified runs what verifies a password and then relies on it, and runs it again when the account has changed in between.
// That may be for no worse reason than that another login has hashed the password anew.
func verified(do func() error) error {
	const attempts = 3
	var err error
	for range attempts {
		if err = do(); !errors.Is(err, account.ErrChanged) {
			return err
		}
	}
	return fault.Outage(err)
}

// refused records as LOGIN_FAILED that a password was refused, if that is what err says, and returns err. The entry comes with
// what is known besides; where the credentials name no account, the work is the same.
func (s *Service) refused(ctx context.Context, err error, entry audit.Entry) error {
	wrong, ok := errors.AsType[*account.Refused](err)
	if !ok {
		return err
	}
	entry.Event, entry.AccountID = audit.LoginFailed, wrong.AccountID
	if failed := s.audit.Record(ctx, entry); failed != nil {
		return failed
	}
	return err
}
