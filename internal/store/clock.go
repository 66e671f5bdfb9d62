package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Clock is the one time that all replicas share: the database's. What one replica writes, such as the end of a grace window,
// is compared with the time on another, and their own clocks may differ by any amount.
//
// It is PostgreSQL's clock, as far as it could be read, and goes on by this machine's monotonic time, so that setting the wall
// clock here does nothing. Should PostgreSQL's own clock be set, or its standby take over with another, the time jumps,
// for all replicas at their next measurement. A SQLite file has one machine, whose wall clock it is. Safe for concurrent use.
type Clock struct {
	wall      func() time.Time
	measuring sync.Mutex
	last      atomic.Pointer[reading]
}

// reading is one look at the database's clock.
type reading struct {
	database time.Time     // what it showed
	wall     time.Time     // what ours showed then
	within   time.Duration // how far apart the two looks may have been: half of the round trip
}

// drift is by how much two machines' clocks may come apart in a second. NTP slews each by half of that at most.
const drift = time.Millisecond

// NewClock returns a clock. wall is the machine's: time.Now, whose monotonic reading is what makes a jump harmless.
func NewClock(wall func() time.Time) *Clock { return &Clock{wall: wall} }

// Now returns the time, which is wall's before the first Measure. It allocates nothing. It may step back by as much as
// the one before was off, some milliseconds on a network.
func (c *Clock) Now() time.Time {
	last := c.last.Load()
	if last == nil {
		return c.wall()
	}
	return last.at(c.wall())
}

// Measure reads the database's clock. Call it before the first time that matters, and every second or so from then on; while it
// fails, Now goes on from the last time it did not. With SQLite there is nothing to measure.
func (c *Clock) Measure(ctx context.Context, db *DB) error {
	c.measuring.Lock()
	defer c.measuring.Unlock()
	fresh, ok, err := db.backend.now(ctx, c.wall)
	if err != nil {
		return fmt.Errorf("store: read the database's clock: %w", classify(err))
	}
	if last := c.last.Load(); ok && (last == nil || !last.betterThan(fresh)) {
		c.last.Store(&fresh)
	}
	return nil
}

// at returns the database's time when ours is wall.
func (r *reading) at(wall time.Time) time.Time { return r.database.Add(wall.Sub(r.wall)) }

// betterThan reports whether r, an earlier reading, still tells the time more exactly than the fresh one, whose answer may
// have been on its way for long. Where the two contradict each other, a clock was set or stood still, and r counts no more.
func (r *reading) betterThan(fresh reading) bool {
	age := fresh.wall.Sub(r.wall)
	within := r.within + time.Duration(age.Seconds()*float64(drift))
	return within < fresh.within && fresh.database.Sub(r.at(fresh.wall)).Abs() <= within+fresh.within
}

// now implements [backend].
func (p *postgres) now(ctx context.Context, wall func() time.Time) (r reading, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	conn, err := p.pool.Acquire(ctx) // before looking: waiting for it is no part of the round trip
	if err != nil {
		return reading{}, false, err
	}
	defer conn.Release()
	asked := wall()
	err = conn.QueryRow(ctx, "SELECT clock_timestamp()", pgx.QueryExecModeSimpleProtocol).Scan(&r.database)
	r.within = wall().Sub(asked) / 2
	r.wall = asked.Add(r.within)
	return r, true, err
}

// now implements [backend].
func (*embedded) now(context.Context, func() time.Time) (r reading, ok bool, err error) {
	return reading{}, false, nil
}
