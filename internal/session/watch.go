package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
)

const (
	// interval is between two looks at what was revoked. Even where no hint arrives, a look has then succeeded within a second.
	interval = time.Second / 2
	rest     = time.Second / 10 // between two looks at least, however many hints arrive
	stale    = 10 * time.Second // how old the last successful look may be

	// overlap is how far back a look reaches beyond the beginning of the one before. It covers replicas whose clocks differ
	// by up to 30 seconds, and transactions that commit well after they noted the time.
	overlap = time.Minute
)

// Authenticate returns whose access token raw is, and notes that its session was used. The error is a *fault.Error:
// UNAUTHENTICATED when the token does not verify or its session was revoked, SERVICE_UNAVAILABLE when that cannot be known,
// because the revoked sessions were not read for 10 seconds. Beside EXPIRED comes an anonymous caller with its Lapsed. It makes
// no query.
func (s *Service) Authenticate(ctx context.Context, raw string) (*auth.Caller, error) {
	caller, err := s.tokens.Verify(ctx, raw)
	if err != nil {
		return caller, fmt.Errorf("session: authenticate: %w", err)
	}
	if refusal := s.admit(caller.SessionID); refusal != nil {
		return nil, refusal
	}
	return caller, nil
}

// admit notes that a session was used, or says why it is not let in. It allocates nothing where it lets in, but for a note once
// a minute.
func (s *Service) admit(sessionID id.ID) *fault.Error {
	now := s.now()
	if unknown := s.unknown(now); unknown != nil {
		return unknown
	}
	if s.revoked.contains(sessionID) {
		return fault.Anonymous(fault.Revoked)
	}
	s.seen.note(sessionID, now)
	return nil
}

// unknown says that it is not known which sessions were revoked, if it is not.
func (s *Service) unknown(now time.Time) *fault.Error {
	// A clock that was set back makes the last look seem to lie ahead. Its age is not known then, which counts as stale.
	age := time.Duration(now.UnixNano() - s.looked.Load())
	if age.Abs() <= stale {
		return nil
	}
	return &fault.Error{
		Code:       fault.Unavailable,
		Message:    "It cannot be checked at the moment whether the session still lives: try again.",
		RetryAfter: time.Second,
	}
}

// Sync reads which sessions were revoked: all of them the first time, later those since the last time. Watch does nothing
// else; calling Sync once before listening lets the first requests in.
func (s *Service) Sync(ctx context.Context) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()

	now := s.now().UTC().Truncate(time.Microsecond)
	var revoked []Session
	look := s.db.Conn(ctx).NewSelect().Model(&revoked).Column("id", "token_expires_at").
		Where("revoked_at IS NOT NULL").Where("token_expires_at > ?", now.Add(-margin))
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

// Watch calls Sync at once and then twice a second, sooner when another process hints that it ended a session, and writes when
// sessions were last seen. It returns ctx's error when ctx ends and all of that is done. It logs when Sync begins to fail and
// when it works again.
func (s *Service) Watch(ctx context.Context) error {
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() { s.writeSightings(ctx) })

	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	hints := s.db.Listen(ctx, channel)
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
		s.review()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rest):
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-hints:
		case <-ticker.C:
		}
	}
}
