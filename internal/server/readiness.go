package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/web"
)

// readinessLife is how long an answer about the database is repeated, so that nobody can burden it by asking.
const readinessLife = time.Second

// readiness tells whether requests should come here: the database answers, its schema is ours or that of a newer server, and we
// are not draining.
type readiness struct {
	check func(context.Context) error // asks the database
	now   func() time.Time

	draining atomic.Bool
	asking   sync.Mutex // one question at a time; guards what follows
	asked    time.Time
	answer   error
}

// drain makes Check fail from now on.
func (r *readiness) drain() { r.draining.Store(true) }

// Check returns nil when requests should come here, or why not.
func (r *readiness) Check(ctx context.Context) error {
	if r.draining.Load() {
		return web.ErrDraining
	}
	r.asking.Lock()
	defer r.asking.Unlock()
	if r.asked.IsZero() || r.now().Sub(r.asked) >= readinessLife {
		// The answer is for all who ask, so it must not fail because the first of them went away.
		r.answer = r.check(context.WithoutCancel(ctx))
		// Newer servers are about to take over, and migrations leave what older ones need. If those said no, all of them would be
		// out of service at once.
		if errors.Is(r.answer, store.ErrSchemaNewer) {
			r.answer = nil
		}
		r.asked = r.now()
	}
	return r.answer
}
