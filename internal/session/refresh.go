package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/fault"
	"gatehouse/internal/store"
)

// Refresh prolongs a session: its refresh token is replaced, and the access token has the roles of today. When the person last
// proved who they are stays as it was.
//
// Whoever presents a token within Config.Grace of its replacement gets the same replacement, or a later one: retries after a
// lost answer and other tabs, however many at once. One presented later than that was copied, so that the session ends.
//
// The error is INVALID_REFRESH_TOKEN, in the same words, for a token that is forged, copied, or of a session that has ended or a
// disabled account. Call it outside any transaction: see ending.
func (s *Service) Refresh(ctx context.Context, refreshToken string) (*account.Account, Tokens, error) {
	presented, ok := s.keys.parse(refreshToken)
	if !ok {
		return nil, Tokens{}, invalidRefreshToken()
	}
	var a *account.Account
	var tokens Tokens
	err := s.ending(ctx, func(ctx context.Context) ([]Session, error) {
		a, tokens = nil, Tokens{} // of an attempt that was rolled back
		row, err := s.rotate(ctx, presented)
		if errors.Is(err, store.ErrNotFound) {
			return nil, invalidRefreshToken()
		}
		if err != nil {
			return nil, err
		}
		if row.RevokedAt != nil {
			reuse := audit.Entry{Event: audit.RefreshTokenReused, AccountID: &row.AccountID, SessionID: &row.ID}
			return []Session{*row}, s.audit.Record(ctx, reuse)
		}
		if a, err = s.accounts.ByID(ctx, row.AccountID); err != nil {
			return nil, err
		}
		if a.Disabled() {
			return nil, invalidRefreshToken()
		}
		tokens, err = s.issue(ctx, row)
		return nil, err
	})
	if err == nil && a == nil { // reuse, which had to be committed
		err = invalidRefreshToken()
	}
	if err != nil {
		return nil, Tokens{}, fmt.Errorf("session: refresh: %w", err)
	}
	return a, tokens, nil
}

// accepted says whether a session may be prolonged by generation $1 at the time $3. That is the current generation; the one
// before it while its own grace lasts; and, while the grace of the first replacement in a row of them lasts, every generation
// since.
const accepted = `(generation = $1
	OR generation = $1 + 1 AND previous_until > $3
	OR generation > $1 AND grace_from <= $1 AND grace_until > $3)`

// accepts is accepted for a row that was read, which may have changed since.
func (s *Session) accepts(generation int32, now time.Time) bool {
	return s.Generation == generation ||
		s.Generation == generation+1 && s.PreviousUntil.After(now) ||
		s.Generation > generation && s.GraceFrom <= generation && s.GraceUntil.After(now)
}

// rotation decides in one statement, and so one after the other for all who present a token of the same session. Where many
// present the current generation, the first replaces it, and all of them read the same row. It changes no column that is in an
// index but revoked_at, and that one at most once. The parameters are numbered as they first appear, which SQLite wants.
const rotation = `UPDATE sessions SET
	generation       = CASE WHEN generation = $1 THEN generation + 1 ELSE generation END,
	previous_until   = CASE WHEN generation = $1 THEN $2 ELSE previous_until END,
	grace_from       = CASE WHEN generation = $1 AND grace_until <= $3 THEN generation ELSE grace_from END,
	grace_until      = CASE WHEN generation = $1 AND grace_until <= $3 THEN $2 ELSE grace_until END,
	last_seen_at     = CASE WHEN ` + accepted + ` THEN $3 ELSE last_seen_at END,
	expires_at       = CASE WHEN NOT ` + accepted + ` THEN expires_at
	                        WHEN absolute_expires_at < $4 THEN absolute_expires_at ELSE $4 END,
	token_expires_at = CASE WHEN ` + accepted + ` AND token_expires_at < $5 THEN $5 ELSE token_expires_at END,
	revoked_at       = CASE WHEN ` + accepted + ` THEN revoked_at ELSE $3 END
	WHERE id = $6 AND salt = $7 AND revoked_at IS NULL AND expires_at > $3
	RETURNING account_id, generation, auth_time, amr, expires_at, token_expires_at, revoked_at`

// rotate prolongs the session whose refresh token is presented, or ends it when the token was copied: RevokedAt tells. The
// session's Generation is that of the token to hand out. Beside these, the session has what issue and ending need; the error is
// store.ErrNotFound when it does not live. It joins the transaction in ctx, which must be that of ending.
func (s *Service) rotate(ctx context.Context, presented refreshClaims) (*Session, error) {
	now := s.now().UTC().Truncate(time.Microsecond)
	row := &Session{ID: presented.sessionID, Salt: presented.salt[:]}
	err := s.db.QueryRow(ctx, rotation,
		presented.generation, now.Add(s.lifetimes.grace), now, now.Add(s.lifetimes.idle), now.Add(s.tokens.TTL()),
		presented.sessionID, presented.salt[:],
	).Scan(&row.AccountID, &row.Generation, &row.AuthTime, &row.AMR, &row.ExpiresAt, &row.TokenExpiresAt, &row.RevokedAt)
	if err != nil {
		return nil, fmt.Errorf("rotate: %w", err)
	}
	return row, nil
}

func invalidRefreshToken() fault.UserErrors {
	return fault.User(fault.InvalidRefreshToken, "refreshToken", "The refresh token is not valid any more: log in again.")
}
