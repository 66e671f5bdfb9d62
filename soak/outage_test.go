package soak

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/store/storetest/cluster"
)

// TestDatabaseCrashes stops PostgreSQL as a crash would, starts it again, and lets clients ask all the while.
func TestDatabaseCrashes(t *testing.T) {
	database, err := cluster.Start(t.Context(), cluster.Options{Install: true, Settings: map[string]string{
		// What was committed survives, as with any database that somebody relies on.
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := database.Stop(); err != nil {
			t.Error(err)
		}
	})
	f := startFleetOn(t, database.URL(), 2)
	crashes := times(2, 50)
	var slowest time.Duration
	var load asking
	stop := load.begin(t, f)
	for range crashes {
		load.let(t, 50) // under load
		if err := database.Crash(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		if err := database.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, f.untilServed(t, load.held[0]))
	}
	stop()
	if limit := atMost(2 * time.Second); slowest > limit {
		t.Errorf("it took %v after the database's return until requests were served again, more than %v", slowest, limit)
	}
	proved(t, fmt.Sprintf("PostgreSQL stopped with `immediate` and started, %d times, under load on two processes", crashes),
		fmt.Sprintf("%d requests answered, %d with SERVICE_UNAVAILABLE, none wrong; served again within %v of its return",
			load.answered.Load(), load.unavailable.Load(), slowest.Round(time.Millisecond)))
}

// untilServed returns how long it takes until every replica answers again.
func (f *fleet) untilServed(t *testing.T, accessToken string) time.Duration {
	t.Helper()
	began := time.Now()
	for _, r := range f.replicas {
		for {
			_, err := r.me(t.Context(), accessToken)
			if err == nil {
				break
			}
			if !refused(err, "SERVICE_UNAVAILABLE") {
				t.Fatalf("after an outage: %v", err)
			}
			if time.Since(began) > patience {
				t.Fatal("not served again")
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	return time.Since(began)
}

// asking is clients that ask and refresh all the time, and check every answer.
type asking struct {
	held                  []string // an access token of each client
	answered, unavailable atomic.Int64
}

// begin starts the clients; the returned function stops them.
func (a *asking) begin(t *testing.T, f *fleet) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range 8 {
		opened, err := f.at(i).register(t.Context(), newPerson())
		if err != nil {
			t.Fatal(err)
		}
		a.held = append(a.held, opened.Tokens.AccessToken)
		clients.Go(func() {
			held := opened.Tokens
			for n := i; ctx.Err() == nil; n++ {
				who, err := f.at(n).me(ctx, held.AccessToken)
				if a.count(ctx, t, err) && who != opened.User.ID {
					t.Errorf("me is somebody else")
				}
				next, err := f.at(n+1).refresh(ctx, held.RefreshToken)
				if a.count(ctx, t, err) {
					held = next
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	return func() {
		cancel()
		clients.Wait()
	}
}

// count counts an answer and reports whether it is one. Nothing but an outage may keep it from being one.
func (a *asking) count(ctx context.Context, t *testing.T, err error) bool {
	t.Helper()
	switch {
	case ctx.Err() != nil:
		return false
	case err == nil:
		a.answered.Add(1)
		return true
	case refused(err, "SERVICE_UNAVAILABLE"):
		a.unavailable.Add(1)
		return false
	default:
		t.Errorf("under load: %v", err)
		return false
	}
}

// let waits until so many more requests have been answered.
func (a *asking) let(t *testing.T, more int64) {
	t.Helper()
	for goal, began := a.answered.Load()+more, time.Now(); a.answered.Load() < goal; time.Sleep(time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatal("the clients get no answers")
		}
	}
}
