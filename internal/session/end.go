package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"gatehouse/internal/audit"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// Revoke ends a live session of the caller's own, their present one included. For every other id the error is NOT_FOUND about
// the field sessionId, and nothing tells whose it is. Call it outside any transaction: see ending.
func (s *Service) Revoke(ctx context.Context, caller *auth.Caller, sessionID id.ID) error {
	if !caller.SignedIn() {
		return caller.Refusal
	}
	err := s.ending(ctx, func(ctx context.Context) ([]Session, error) {
		ended, err := s.end(ctx, func(q *bun.UpdateQuery) *bun.UpdateQuery {
			return q.Where("id = ?", sessionID).Where("account_id = ?", caller.AccountID).Where("expires_at > ?", s.now().UTC())
		})
		if err != nil {
			return nil, err
		}
		if len(ended) == 0 {
			return nil, fault.User(fault.NotFound, "sessionId", "You have no such session: it may have ended already.")
		}
		return ended, s.audit.Record(ctx, audit.Entry{
			Event: audit.SessionRevoked, ActorID: &caller.AccountID, AccountID: &caller.AccountID, SessionID: &sessionID,
		})
	})
	if err != nil {
		return fmt.Errorf("session: revoke: %w", err)
	}
	return nil
}

// everywhereDetail is the detail of the audit entry for a logout that ended all sessions.
const everywhereDetail = "everywhere"

// Logout ends a session, or with everywhere all sessions of its account, and returns how many lived. The session is that of the
// refresh token, where one is given, in any of its generations; else the caller's; else the one that the caller's access token
// belonged to before it expired, which ends that one and no other. A refresh token that Refresh would take for copied ends its
// session and no other, too. If the session has ended already nothing happens, whatever everywhere says: what once was a proof
// is none any more.
//
// The error is INVALID_REFRESH_TOKEN for a refresh token that was never ours, and the caller's refusal where there is neither a
// refresh token nor an access token to go by. Call it outside any transaction: see ending.
func (s *Service) Logout(ctx context.Context, caller *auth.Caller, refreshToken string, everywhere bool) (ended int, err error) {
	own, err := s.proof(caller, refreshToken, everywhere)
	if err != nil {
		return 0, err
	}
	err = s.ending(ctx, func(ctx context.Context) ([]Session, error) {
		ended = 0 // of an attempt that was rolled back
		now := s.now().UTC()
		var first Session
		look := s.db.Conn(ctx).NewSelect().Model(&first).
			Column("id", "account_id", "generation", "previous_until", "grace_from", "grace_until").
			Where("id = ?", own.sessionID).Where("revoked_at IS NULL").Where("expires_at > ?", now)
		if own.token != nil {
			look = look.Where("salt = ?", own.token.salt[:])
		}
		err := look.Scan(ctx)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		entry := audit.Entry{
			Event: audit.LoggedOut, ActorID: &first.AccountID, AccountID: &first.AccountID, SessionID: &first.ID,
		}
		which := func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Where("id = ?", first.ID) }
		if everywhere && (own.token == nil || first.accepts(own.token.generation, now)) {
			entry.Detail = everywhereDetail
			which = func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Where("account_id = ?", first.AccountID) }
			if err := s.accounts.Lock(ctx, first.AccountID); err != nil {
				return nil, err
			}
		}
		rows, err := s.end(ctx, which)
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		for _, row := range rows {
			if row.ExpiresAt.After(now) {
				ended++
			}
		}
		return rows, s.audit.Record(ctx, entry)
	})
	if err != nil {
		return 0, fmt.Errorf("session: logout: %w", err)
	}
	return ended, nil
}

// proof is what a logout goes by.
type proof struct {
	sessionID id.ID          // the session that it is about; zero: one that has ended
	token     *refreshClaims // the refresh token that says so; nil: an access token does
}

// proof returns what the caller and the refresh token, where one is given, prove.
func (s *Service) proof(caller *auth.Caller, refreshToken string, everywhere bool) (proof, error) {
	switch {
	case refreshToken != "":
		presented, ok := s.keys.parse(refreshToken)
		if !ok {
			return proof{}, invalidRefreshToken()
		}
		return proof{presented.sessionID, &presented}, nil
	case caller.SignedIn():
		return proof{sessionID: caller.SessionID}, nil
	case caller.Lapsed != (id.ID{}) && !everywhere: // an old token from somewhere must not end what others have open
		return proof{sessionID: caller.Lapsed}, nil
	case caller.Refusal.Reason == fault.Revoked:
		return proof{}, nil
	default:
		return proof{}, caller.Refusal
	}
}

// DisableAccount keeps the account from logging in and ends all its sessions, all or nothing. This process refuses their
// access tokens from its return on, every other within about a second. The error is store.ErrNotFound when there is no
// such account. Call it outside any transaction: see ending.
func (s *Service) DisableAccount(ctx context.Context, accountID id.ID) error {
	err := s.ending(ctx, func(ctx context.Context) ([]Session, error) {
		// First the account's row, whose lock every login needs: the sessions of logins that were quicker are committed
		// and seen below, slower ones find the account disabled.
		disabled, err := s.accounts.Disable(ctx, accountID)
		if err != nil {
			return nil, err
		}
		ended, err := s.end(ctx, func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Where("account_id = ?", accountID) })
		if err != nil {
			return nil, err
		}
		if !disabled && len(ended) == 0 { // it was before, and nothing has happened now
			return nil, nil
		}
		return ended, s.audit.Record(ctx, audit.Entry{Event: audit.AccountDisabled, ActorID: actor(ctx), AccountID: &accountID})
	})
	if err != nil {
		return fmt.Errorf("session: disable account: %w", err)
	}
	return nil
}

// actor returns who is asking, for the audit log; nil where nobody has signed in, as at the command line.
func actor(ctx context.Context) *id.ID {
	caller := auth.FromContext(ctx)
	if !caller.SignedIn() {
		return nil
	}
	return &caller.AccountID
}
