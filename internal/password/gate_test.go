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
				g.leave()
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
		g.leave()
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
			g.leave()
		}
		go arrive("waiting")
		synctest.Wait()
		g.leave()
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
		g.leave()
		synctest.Wait()
		if !entered {
			t.Error("who came after a cancelled caller was not served")
		}
		wantBusy(t, g.enter(ctx), context.Canceled)
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
				g.leave()
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
