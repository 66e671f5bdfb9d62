package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gatehouse/internal/audit"
	"gatehouse/internal/id"
	"gatehouse/internal/lease"
	"gatehouse/internal/session"
	"gatehouse/internal/settings"
)

// How housekeeping goes about it.
const (
	sweepEvery = time.Minute // on average
	sweepBatch = 500         // rows: some ten milliseconds during which nobody else can write to a SQLite file

	// Between two batches at least this, or as long as the batch took: on a slow database others have half of it.
	sweepPause = 50 * time.Millisecond

	// A replica has the lease for so long, and stops so long before its end: more than a call to the database can take.
	sweepLease  = 50 * time.Second
	sweepMargin = 5 * time.Second
)

// housekeeping removes what is past its time: one replica at a time, and a little at a time.
type housekeeping struct {
	leases *lease.Leases
	chores []chore
	now    func() time.Time
	logger *slog.Logger

	every, pause, lease, margin time.Duration
	batch                       int
}

// chore removes rows of one kind.
type chore struct {
	what string
	keep time.Duration // how long they are kept after their time
	// prune removes rows whose time was before the one given, at most limit of them, and looks at no more than it can in some
	// ten milliseconds. It reports whether it has to be called again.
	prune func(ctx context.Context, before time.Time, limit int) (removed int, more bool, err error)
}

func newHousekeeping(
	cfg *settings.Settings, leases *lease.Leases, sessions *session.Service, log *audit.Log, now func() time.Time,
	logger *slog.Logger,
) *housekeeping {
	h := &housekeeping{
		leases: leases, now: now, logger: logger,
		every: sweepEvery, pause: sweepPause, lease: sweepLease, margin: sweepMargin, batch: sweepBatch,
	}
	h.chores = append(h.chores, chore{what: "sessions", keep: cfg.SessionRetention, prune: sessions.Prune})
	if cfg.AuditRetention > 0 {
		h.chores = append(h.chores, chore{what: "audit entries", keep: cfg.AuditRetention, prune: entries(log)})
	}
	return h
}

// entries prunes the audit log.
func entries(log *audit.Log) func(ctx context.Context, before time.Time, limit int) (removed int, more bool, err error) {
	return func(ctx context.Context, before time.Time, limit int) (int, bool, error) {
		removed, err := log.Prune(ctx, before, limit)
		return removed, removed == limit, err
	}
}

// run sweeps about once a minute until ctx ends, and returns ctx's error. Replicas that were started together come apart by
// chance.
func (h *housekeeping) run(ctx context.Context) error {
	holder := id.New(h.now())
	for rest(ctx, h.every/2+chance(h.every)) {
		if err := h.sweep(ctx, holder); err != nil && ctx.Err() == nil {
			h.logger.WarnContext(ctx, "housekeeping failed and will be tried again", "error", err)
		}
	}
	return ctx.Err()
}

// sweep does the chores in turn, a batch of each, unless another replica has the lease. It ends when nothing is left or the
// lease nearly is over; the next sweep, whoever does it, goes on then.
func (h *housekeeping) sweep(ctx context.Context, holder id.ID) error {
	began := h.now()
	mine, err := h.leases.Take(ctx, "housekeeping", holder, h.lease)
	if err != nil || !mine {
		return err
	}
	var failed error
	for left := slices.Clone(h.chores); len(left) > 0 && h.now().Sub(began) < h.lease-h.margin; {
		batchBegan := h.now()
		left = slices.DeleteFunc(left, func(c chore) bool {
			removed, more, err := c.prune(ctx, began.Add(-c.keep), h.batch)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("removing %s: %w", c.what, err))
			} else if removed > 0 {
				h.logger.DebugContext(ctx, "removed what is past its time", "what", c.what, "rows", removed)
			}
			return err != nil || !more
		})
		if len(left) > 0 && !rest(ctx, max(h.pause, h.now().Sub(batchBegan))) {
			return ctx.Err()
		}
	}
	return failed
}

// rest waits; it reports false when ctx ended first.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// chance returns a duration from zero to limit.
func chance(limit time.Duration) time.Duration {
	var drawn [1]byte
	rand.Read(drawn[:]) // never fails
	return limit * time.Duration(drawn[0]) / 255
}
