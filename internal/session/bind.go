package session

import (
	"context"
	"slices"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
)

// bond ends what goes on for longer than a request when the access token behind it does.
type bond struct {
	caller *auth.Caller
	end    context.CancelCauseFunc
}

// Bind returns a context that ends when the caller's access token would no longer be accepted, however long ago it was looked at.
// Its cause is a *fault.Error then: UNAUTHENTICATED when the token expired, at that instant, when its session was ended, in
// this process at once and from elsewhere within a second, or when its key was retired, within a second of the ring's knowing;
// SERVICE_UNAVAILABLE when it could not be known for 10 seconds which sessions had ended. For an anonymous caller there is
// nothing to wait for. The function that is returned ends it sooner and must be called at last.
func (s *Service) Bind(ctx context.Context, caller *auth.Caller) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	release := func() { end(context.Canceled) }
	if !caller.SignedIn() {
		return ctx, release
	}
	expiring, stop := context.WithTimeoutCause(ctx, caller.ExpiresAt.Sub(s.now()), fault.Anonymous(fault.Expired))
	b := &bond{caller, end}
	if !s.revoked.bind(caller.SessionID, b) {
		end(fault.Anonymous(fault.Revoked))
	}
	return expiring, func() {
		s.revoked.release(caller.SessionID, b)
		release()
		stop()
	}
}

// review ends what would not be let in any more: all that is bound, when it has not been known for too long whether the sessions
// behind it still live, and what began with a token whose key was retired since.
func (s *Service) review() {
	unknown := s.unknown(s.now())
	s.revoked.endEach(func(caller *auth.Caller) *fault.Error {
		if unknown == nil && !s.tokens.KeyInForce(caller) {
			return fault.Anonymous(fault.Invalid)
		}
		return unknown
	})
}

// bind has b ended with the session, and reports whether that lives.
func (r *revocations) bind(sessionID id.ID, b *bond) bool {
	sh := r.shard(sessionID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, revoked := sh.until[sessionID]; revoked {
		return false
	}
	sh.bound[sessionID] = append(sh.bound[sessionID], b)
	return true
}

// release forgets b.
func (r *revocations) release(sessionID id.ID, b *bond) {
	sh := r.shard(sessionID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	left := slices.DeleteFunc(sh.bound[sessionID], func(other *bond) bool { return other == b })
	if len(left) == 0 {
		delete(sh.bound, sessionID)
		return
	}
	sh.bound[sessionID] = left
}

// endEach ends what is bound to any session where there is a reason.
func (r *revocations) endEach(reason func(*auth.Caller) *fault.Error) {
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.RLock()
		for _, bonds := range sh.bound {
			for _, b := range bonds {
				if why := reason(b.caller); why != nil {
					b.end(why)
				}
			}
		}
		sh.mu.RUnlock()
	}
}
