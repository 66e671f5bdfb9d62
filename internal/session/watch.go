package session

import (
	"context"
	"fmt"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
)

const (
	interval = time.Second      // between two looks at what was revoked
	stale    = 10 * time.Second // how old the last successful look may be

	// overlap is how far back a look reaches beyond the beginning of the one before. It covers replicas whose clocks differ
	// by up to 30 seconds, and transactions that commit well after they noted the time.
	overlap = time.Minute
)

// Authenticate returns whose access token raw is. The error is a *fault.Error: UNAUTHENTICATED when the token does not
// verify or its session was revoked, SERVICE_UNAVAILABLE when that cannot be known, because the revoked sessions were not
// read for 10 seconds. It makes no query.
func (s *Service) Authenticate(ctx context.Context, raw string) (*auth.Caller, error) {
	caller, err := s.tokens.Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("session: authenticate: %w", err)
	}
	if refusal := s.refusal(caller.SessionID); refusal != nil {
		return nil, refusal
	}
	return caller, nil
}

// refusal says why a session is not let in; nil when it is. It allocates nothing then.
func (s *Service) refusal(sessionID id.ID) *fault.Error {
	// A clock that was set back makes the last look seem to lie ahead. Its age is not known then, which counts as stale.
	age := time.Duration(s.now().UnixNano() - s.looked.Load())
	if age.Abs() > stale {
		return &fault.Error{
			Code:       fault.Unavailable,
			Message:    "It cannot be checked at the moment whether the session still lives: try again.",
			RetryAfter: interval,
		}
	}
	if s.revoked.contains(sessionID) {
		return fault.Anonymous(fault.Revoked)
	}
	return nil
}

// Sync reads which sessions were revoked: all of them the first time, later those since the last time. Watch does nothing
// else; calling Sync once before listening lets the first requests in.
func (s *Service) Sync(ctx context.Context) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()

	now := s.now().UTC().Truncate(time.Microsecond)
	var revoked []Session
	look := s.db.Conn(ctx).NewSelect().Model(&revoked).Column("id", "expires_at").
		Where("revoked_at IS NOT NULL").Where("expires_at > ?", now.Add(-grace))
	// After the clock was set back, everything is read again: while it was ahead, revocations may have been forgotten whose
	// tokens are valid now.
	if first, setBack := s.synced.IsZero(), now.Before(s.synced); !first && !setBack {
		look = look.Where("revoked_at >= ?", s.synced.Add(-overlap))
	}
	err := look.Scan(ctx)
	if err != nil {
		return fmt.Errorf("session: read what was revoked: %w", err)
	}
	s.revoked.add(revoked)
	s.revoked.prune(s.turn, now)
	s.turn++
	s.synced = now
	s.looked.Store(now.UnixNano())
	return nil
}

// Watch calls Sync at once and then every second, and returns ctx's error when ctx ends. It logs when Sync begins to fail
// and when it works again.
func (s *Service) Watch(ctx context.Context) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	failing := false
	for {
		err := s.Sync(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !failing:
			s.logger.ErrorContext(ctx, "revoked sessions cannot be read; soon no access token will be accepted",
				"after", stale, "error", err)
		case err == nil && failing:
			s.logger.InfoContext(ctx, "revoked sessions can be read again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
