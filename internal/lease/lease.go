// Package lease owns who does a job that one replica at a time should do: a row for each job that says who holds it and until
// when. A replica that dies needs nobody to tidy up after it: its lease runs out.
//
// It must never be what keeps data right. A holder that is stopped for longer than its lease goes on without noticing, beside
// the next one, so a job must do no harm when two do it at once.
package lease

import (
	"context"
	"fmt"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// Leases gives out leases. It is safe for concurrent use.
type Leases struct {
	db  *store.DB
	now func() time.Time
}

// New returns the leases that are kept in db. Replicas compare each other's times, so now must be the clock they share.
func New(db *store.DB, now func() time.Time) *Leases { return &Leases{db: db, now: now} }

// Take reports whether holder has the job from now on for d: because nobody had it, because the lease of whoever did is over,
// or because holder itself has it, which renews it. Of any number who ask at once, one gets it.
func (l *Leases) Take(ctx context.Context, job string, holder id.ID, d time.Duration) (bool, error) {
	now := l.now().UTC().Truncate(time.Microsecond)
	result, err := l.db.Conn(ctx).NewRaw(
		`INSERT INTO leases (job, holder, expires_at) VALUES (?, ?, ?)
		ON CONFLICT (job) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
		WHERE leases.holder = excluded.holder OR leases.expires_at <= ?`,
		job, holder, now.Add(d), now).Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("lease: take: %w", err)
	}
	affected, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("lease: take: %w", err)
	}
	return affected == 1, nil
}
