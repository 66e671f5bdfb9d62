package password

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/fault"
)

// wantBusy checks that err turns a caller away, because of cause.
func wantBusy(t *testing.T, err, cause error) {
	t.Helper()
	known, ok := errors.AsType[*fault.Error](err)
	if !ok || known.Code != fault.Unavailable || known.RetryAfter != retryAfter {
		t.Errorf("%v, want SERVICE_UNAVAILABLE with RetryAfter", err)
	} else if !errors.Is(known.Cause, cause) {
		t.Errorf("cause %v, want %v", known.Cause, cause)
	}
}

func TestGateServesInOrderAndTurnsTheRestAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 3, time.Minute)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		var order []int
		for i := range 3 {
			go func() {
				if err := g.enter(t.Context()); err != nil {
					t.Error(err)
					return
				}
				order = append(order, i)
				g.leave(0)
			}()
			synctest.Wait()
		}
		var turnedAway atomic.Bool
		go func() {
			wantBusy(t, g.enter(t.Context()), nil)
			turnedAway.Store(true)
		}()
		synctest.Wait() // until everybody is blocked; the clock stands still
		if !turnedAway.Load() {
			t.Error("a caller without a place waits")
		}
		g.leave(0)
		synctest.Wait()
		if !slices.Equal(order, []int{0, 1, 2}) {
			t.Errorf("served in the order %v", order)
		}
		if err := g.enter(t.Context()); err != nil {
			t.Errorf("idle again, yet %v", err)
		}
	})
}

func TestGateNewcomersDoNotOvertake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 2, time.Minute)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		var order []string
		arrive := func(name string) {
			if err := g.enter(t.Context()); err != nil {
				t.Error(err)
				return
			}
			order = append(order, name)
			g.leave(0)
		}
		go arrive("waiting")
		synctest.Wait()
		g.leave(0)
		arrive("newcomer") // without a pause in which the one who waits could come first by chance
		synctest.Wait()
		if !slices.Equal(order, []string{"waiting", "newcomer"}) {
			t.Errorf("served in the order %v", order)
		}
	})
}

func TestGateBoundsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 1, 5*time.Second)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		var turnedAway atomic.Bool
		go func() {
			wantBusy(t, g.enter(t.Context()), context.DeadlineExceeded)
			turnedAway.Store(true)
		}()
		time.Sleep(5*time.Second - time.Nanosecond)
		synctest.Wait()
		if turnedAway.Load() {
			t.Error("turned away too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !turnedAway.Load() {
			t.Error("still waiting after the longest wait")
		}
	})
}

func TestGateHonoursTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 1, time.Minute)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { wantBusy(t, g.enter(ctx), context.Canceled) }()
		synctest.Wait()
		wantBusy(t, g.enter(t.Context()), nil) // the only place is taken
		cancel()
		synctest.Wait()

		entered := false // the place is free again, and its next owner is served
		go func() { entered = g.enter(t.Context()) == nil }()
		synctest.Wait()
		g.leave(0)
		synctest.Wait()
		if !entered {
			t.Error("who came after a cancelled caller was not served")
		}
		wantBusy(t, g.enter(ctx), context.Canceled)
	})
}

// A turn rests only while others wait for it, in proportion to the hash, and never for long.
func TestGateRests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		took    time.Duration
		waiting bool
		want    time.Duration
	}{
		"a hash, others waiting":        {30 * time.Millisecond, true, 15 * time.Millisecond},
		"a hash, nobody waiting":        {30 * time.Millisecond, false, 0},
		"no time, others waiting":       {0, true, 0},
		"clock set back":                {-time.Hour, true, 0},
		"process was stopped meanwhile": {time.Hour, true, longestRest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGate(1, 1, time.Minute)
				if err := g.enter(t.Context()); err != nil {
					t.Fatal(err)
				}
				var rested time.Duration
				start := time.Now()
				next := func() {
					if err := g.enter(t.Context()); err != nil {
						t.Error(err)
					}
					rested = time.Since(start)
				}
				if test.waiting {
					go next()
					synctest.Wait()
					g.leave(test.took)
				} else {
					g.leave(test.took)
					go next()
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if rested != test.want {
					t.Errorf("the next caller entered after %v, want %v", rested, test.want)
				}
			})
		})
	}
}

func TestBusyOnlyWhileNobodyElseMayWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hasher := New(Config{Concurrency: 1, Queue: 1})
		expect := func(when string, busy bool) {
			t.Helper()
			err := hasher.Busy()
			if (err != nil) != busy {
				t.Errorf("%s: %v", when, err)
			}
			if busy {
				wantBusy(t, err, nil)
			}
		}
		expect("idle", false)
		if err := hasher.gate.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect("a hash is made", false)
		go func() {
			if err := hasher.gate.enter(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		expect("and another waits", true)
		hasher.gate.leave(0)
		synctest.Wait()
		expect("which is made now", false)
	})
}

func TestHasherTimesItsHashes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const took = 30 * time.Millisecond // by the hasher's clock; the bubble's stands still while anybody computes
		var looks time.Duration
		hasher := New(Config{
			Params: Params{Memory: 64, Time: 1}, Concurrency: 1, Queue: 2,
			Now: func() time.Time {
				looks++
				return time.Time{}.Add(looks * took)
			},
		})
		if err := hasher.gate.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if err := hasher.VerifyNothing(t.Context(), "password"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait() // until both have a place
		start := time.Now()
		hasher.gate.leave(0)
		both.Wait()
		if rested := time.Since(start); rested != took/2 { // after the first; nobody waited for the second to end
			t.Errorf("the turn rested for %v, want %v", rested, took/2)
		}
	})
}

func TestGateBoundsConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const concurrency, callers, work = 3, 60, 10 * time.Millisecond
		g := newGate(concurrency, callers, time.Minute)
		fullUse, cancel := context.WithTimeout(t.Context(), callers/concurrency*work+time.Nanosecond)
		defer cancel()
		var inside, most atomic.Int32
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				if err := g.enter(t.Context()); err != nil {
					t.Error(err)
					return
				}
				most.Store(max(most.Load(), inside.Add(1)))
				time.Sleep(work)
				inside.Add(-1)
				g.leave(0)
			})
		}
		all.Wait()
		if most.Load() != concurrency {
			t.Errorf("%d at once, want %d", most.Load(), concurrency)
		}
		if fullUse.Err() != nil {
			t.Error("it took longer than the work: turns were left unused")
		}
	})
}
