package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// writers is how many clients write at once while a process is killed.
const writers = 6

// TestKilledAtAnyInstant kills the server while clients register, refresh and log out, starts it again, and looks for everything
// that it had acknowledged.
func TestKilledAtAnyInstant(t *testing.T) {
	for _, d := range deployments {
		t.Run(d.kind, func(t *testing.T) {
			f := startFleet(t, d.kind, 1)
			server := f.replicas[0]
			var seen ledger
			kills := times(3, 200)
			for range kills {
				round := new(ledger)
				wait := round.writeTo(t.Context(), server)
				time.Sleep(rand.N(300 * time.Millisecond))
				if err := server.kill(); err != nil {
					t.Fatal(err)
				}
				wait()
				if err := server.start(); err != nil {
					t.Fatal(err)
				}
				round.check(t, server)
				seen.add(round)
			}
			proved(t, fmt.Sprintf("kill -9 at a random instant of mixed writes, %d times, on %s", kills, d.kind),
				fmt.Sprintf("all %d acknowledged registrations that went no further, %d rotations and %d logouts are there; "+
					"nothing half done in %d registrations without an answer",
					len(seen.registered), len(seen.rotated), len(seen.ended), len(seen.doubtful)))
		})
	}
}

// ledger is what a server acknowledged, and what it never answered.
type ledger struct {
	mu         sync.Mutex
	registered []tokens // live sessions of new accounts
	rotated    []tokens // live sessions that were refreshed
	ended      []tokens // sessions that were logged out
	doubtful   []person // registrations whose answer was lost
	wrong      []error  // answers that nobody should get
}

// writeTo has several clients write until the server is gone; the returned function waits for them.
func (l *ledger) writeTo(ctx context.Context, r *replica) (wait func()) {
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			for l.live(ctx, r, i) {
			}
		})
	}
	return writing.Wait
}

// live lets one client register, refresh and perhaps log out. It reports false when an answer did not come.
func (l *ledger) live(ctx context.Context, r *replica, i int) bool {
	p := newPerson()
	opened, err := r.register(ctx, p)
	if err != nil {
		l.failed(err, func() { l.doubtful = append(l.doubtful, p) })
		return false
	}
	held := opened.Tokens
	for range 1 + i {
		next, err := r.refresh(ctx, held.RefreshToken)
		if err != nil {
			// Whether or not it was rotated: the session lives, and the token that is held still renews it.
			l.failed(err, func() { l.registered = append(l.registered, held) })
			return false
		}
		held = next
	}
	if i%2 == 0 {
		l.note(func() { l.rotated = append(l.rotated, held) })
		return true
	}
	if _, err := r.mutate(ctx, "", logout, map[string]any{"refreshToken": held.RefreshToken}); err != nil {
		l.failed(err, func() {}) // ended or not, both are right
		return false
	}
	l.note(func() { l.ended = append(l.ended, held) })
	return true
}

// failed notes a request without an answer through lost; any other failure is wrong.
func (l *ledger) failed(err error, lost func()) {
	if errors.Is(err, errLost) {
		l.note(lost)
		return
	}
	l.note(func() { l.wrong = append(l.wrong, err) })
}

func (l *ledger) note(what func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	what()
}

func (l *ledger) add(other *ledger) {
	l.registered = append(l.registered, other.registered...)
	l.rotated = append(l.rotated, other.rotated...)
	l.ended = append(l.ended, other.ended...)
	l.doubtful = append(l.doubtful, other.doubtful...)
}

// check fails the test for everything that is not as it was acknowledged.
func (l *ledger) check(t *testing.T, r *replica) {
	t.Helper()
	ctx := t.Context()
	for _, err := range l.wrong {
		t.Errorf("before the kill: %v", err)
	}
	for _, held := range append(l.registered, l.rotated...) {
		if _, err := r.me(ctx, held.AccessToken); err != nil {
			t.Errorf("a session that was acknowledged: %v", err)
		}
		if _, err := r.refresh(ctx, held.RefreshToken); err != nil {
			t.Errorf("a refresh token that was acknowledged: %v", err)
		}
	}
	for _, held := range l.ended {
		if _, err := r.me(ctx, held.AccessToken); !refused(err, "UNAUTHENTICATED") {
			t.Errorf("the access token of a session that was logged out was answered with %v", err)
		}
		if _, err := r.refresh(ctx, held.RefreshToken); !refused(err, "INVALID_REFRESH_TOKEN") {
			t.Errorf("the refresh token of a session that was logged out was answered with %v", err)
		}
	}
	for _, p := range l.doubtful {
		// All of it is there, or none.
		opened, err := r.login(ctx, p)
		if refused(err, "INVALID_CREDENTIALS") {
			opened, err = r.register(ctx, p)
		}
		if err != nil {
			t.Errorf("a registration without an answer: %v", err)
			continue
		}
		if _, err := r.me(ctx, opened.Tokens.AccessToken); err != nil {
			t.Errorf("a registration without an answer: %v", err)
		}
	}
}
