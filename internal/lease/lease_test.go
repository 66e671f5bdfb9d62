package lease_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/lease"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock shows a time that tests set.
type clock struct{ since atomic.Int64 }

func (c *clock) now() time.Time { return noon.Add(time.Duration(c.since.Load())) }

func (c *clock) set(since time.Duration) { c.since.Store(int64(since)) }

func TestOneHolderAtATime(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := new(clock)
		leases := lease.New(db, c.now)
		ann, bob := id.New(noon), id.New(noon)
		for _, step := range []struct {
			name   string
			at     time.Duration
			job    string
			holder id.ID
			want   bool
		}{
			{"the first", 0, "sweep", ann, true},
			{"another, at once", 0, "sweep", bob, false},
			{"another job", 0, "count", bob, true},
			{"another, just before the end", time.Minute - time.Microsecond, "sweep", bob, false},
			{"the holder renews", 30 * time.Second, "sweep", ann, true},
			{"another, at the end of the first lease", time.Minute, "sweep", bob, false},
			{"another, just before the end of the renewed one", 90*time.Second - time.Microsecond, "sweep", bob, false},
			{"another, after the holder died", 90 * time.Second, "sweep", bob, true},
			{"the one before, which was only slow", 90 * time.Second, "sweep", ann, false},
			{"the one before, once that is over", 150 * time.Second, "sweep", ann, true},
			{"a holder who was away for long", 24 * time.Hour, "sweep", ann, true},
		} {
			c.set(step.at)
			got, err := leases.Take(t.Context(), step.job, step.holder, time.Minute)
			if err != nil || got != step.want {
				t.Errorf("%s: %t (%v), want %t", step.name, got, err, step.want)
			}
		}
	})
}

func TestRacersGetOneWinner(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := new(clock)
		leases := lease.New(db, c.now)
		// At first nobody has the job; in every later round the lease of the round before has just run out.
		for round := range 5 {
			c.set(time.Duration(round) * time.Minute)
			var won atomic.Int64
			var racing sync.WaitGroup
			start := make(chan struct{})
			for range 20 {
				racing.Go(func() {
					<-start
					got, err := leases.Take(t.Context(), "sweep", id.New(noon), time.Minute)
					if err != nil {
						t.Error(err)
					}
					if got {
						won.Add(1)
					}
				})
			}
			close(start)
			racing.Wait()
			if won.Load() != 1 {
				t.Errorf("round %d: %d winners", round, won.Load())
			}
		}
	})
}

// What a transaction takes, it gives back when it is rolled back.
func TestLeaseJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		leases := lease.New(db, new(clock).now)
		stop := errors.New("stop")
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			if got, err := leases.Take(ctx, "sweep", id.New(noon), time.Minute); err != nil || !got {
				t.Errorf("inside: %t, %v", got, err)
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if got, err := leases.Take(t.Context(), "sweep", id.New(noon), time.Minute); err != nil || !got {
			t.Errorf("afterwards: %t, %v", got, err)
		}
	})
}

func TestNobodyHoldsWhatCannotBeAsked(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		got, err := lease.New(db, new(clock).now).Take(ended, "sweep", id.New(noon), time.Minute)
		if got || !errors.Is(err, context.Canceled) {
			t.Errorf("%t, %v", got, err)
		}
	})
}
