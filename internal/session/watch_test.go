package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestNobodyIsLetInWhileRevocationsAreUnknown(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		_, tokens := r.register(t, "ann@example.com")
		raw := tokens.Access.Token
		steps := []struct {
			name string
			at   time.Duration
			sync bool
			want string
		}{
			{"never read", 0, false, "SERVICE_UNAVAILABLE"},
			{"just read", 0, true, ""},
			{"10 s old", 10 * time.Second, false, ""},
			{"older", 10*time.Second + 1, false, "SERVICE_UNAVAILABLE"},
			{"read again", 11 * time.Second, true, ""},
			{"clock set back", -time.Hour, false, "SERVICE_UNAVAILABLE"},
		}
		for _, step := range steps {
			r.clock.set(noon.Add(step.at))
			if step.sync {
				r.sync(t)
			}
			t.Log(step.name)
			r.expect(t, raw, step.want)
			r.expect(t, raw+"x", "INVALID") // a bad token is bad in any case
		}
		_, err := r.Authenticate(t.Context(), raw)
		if refusal, ok := errors.AsType[*fault.Error](err); !ok || refusal.RetryAfter != time.Second {
			t.Errorf("%v does not say when to try again", err)
		}
	})
}

func TestReplicasLearnOfRevocations(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		here, there := in.start(t, nil), in.start(t, nil)
		here.sync(t)
		there.sync(t)
		ann, anns := here.register(t, "ann@example.com")
		_, lees := here.register(t, "lee@example.com")
		if err := here.DisableAccount(t.Context(), ann.ID); err != nil {
			t.Fatal(err)
		}
		here.expect(t, anns.Access.Token, "REVOKED")
		there.expect(t, anns.Access.Token, "") // not within the first second
		there.sync(t)
		there.expect(t, anns.Access.Token, "REVOKED")
		there.expect(t, lees.Access.Token, "")

		// A replica that starts later reads what happened before.
		late := in.start(t, nil)
		late.clock.set(noon.Add(9 * time.Minute))
		late.sync(t)
		late.expect(t, anns.Access.Token, "REVOKED")
		late.expect(t, lees.Access.Token, "")

		// A revocation may become visible half a minute after the time it bears.
		there.clock.set(noon.Add(5 * time.Minute))
		there.sync(t)
		execute(t, db, "UPDATE sessions SET revoked_at = ? WHERE revoked_at IS NULL", noon.Add(5*time.Minute-30*time.Second))
		there.clock.set(noon.Add(5*time.Minute + time.Second))
		there.sync(t)
		there.expect(t, lees.Access.Token, "REVOKED")
	})
}

// A clock that runs ahead lets revocations be forgotten whose tokens become valid again when it is set right.
func TestClockSetBackBringsNoSessionBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		ann, tokens := r.register(t, "ann@example.com")
		if err := r.DisableAccount(t.Context(), ann.ID); err != nil {
			t.Fatal(err)
		}
		r.clock.set(noon.Add(2 * time.Hour))
		for range 64 { // often enough to forget
			r.sync(t)
		}
		r.expect(t, tokens.Access.Token, "EXPIRED")
		r.clock.set(noon.Add(5 * time.Minute))
		r.expect(t, tokens.Access.Token, "SERVICE_UNAVAILABLE")
		r.sync(t)
		r.expect(t, tokens.Access.Token, "REVOKED")
	})
}

func TestWatch(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Parallel() // most of the time passes in waiting
		in := install(t, db)
		var log lines
		here, there := in.start(t, nil), in.start(t, slog.New(slog.NewTextHandler(&log, nil)))
		ann, tokens := here.register(t, "ann@example.com")

		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- there.Watch(ctx) }()
		authenticates := func() bool {
			_, err := there.Authenticate(t.Context(), tokens.Access.Token)
			return err == nil
		}
		eventually(t, "the first look lets callers in", authenticates)

		execute(t, db, "ALTER TABLE sessions RENAME TO elsewhere")
		eventually(t, "the failure is logged", func() bool { return log.count("level=ERROR") == 1 })
		time.Sleep(2500 * time.Millisecond) // two more looks fail
		execute(t, db, "ALTER TABLE elsewhere RENAME TO sessions")
		eventually(t, "the recovery is logged", func() bool { return log.count("level=INFO") == 1 })
		if failures := log.count("level=ERROR"); failures != 1 {
			t.Errorf("one failure was logged %d times", failures)
		}

		if err := here.DisableAccount(t.Context(), ann.ID); err != nil {
			t.Fatal(err)
		}
		eventually(t, "another replica's revocation is seen", func() bool { return !authenticates() })
		there.expect(t, tokens.Access.Token, "REVOKED")

		stop()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Watch returned %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("Watch goes on after its context ended")
		}
		if all := log.count("revoked sessions"); all != 2 {
			t.Errorf("%d lines were logged, want 2: stopping is no failure", all)
		}
	})
}

// A hint makes it quicker, and where none arrives it is noticed nevertheless.
func TestWatchHeedsHintsAndNeedsNone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Parallel()
		in := install(t, db)
		here, there := in.start(t, nil), in.start(t, nil)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- there.Watch(ctx) }()
		refused := func(raw string) func() bool {
			return func() bool {
				_, err := there.Authenticate(t.Context(), raw)
				refusal, ok := errors.AsType[*fault.Error](err)
				return ok && refusal.Reason == fault.Revoked
			}
		}

		// Each try begins right after a look, so that without hints each would take nearly half a second.
		for try := 1; ; try++ {
			_, tokens := here.register(t, fmt.Sprintf("ann%d@example.com", try))
			eventually(t, "a live session is let in", func() bool {
				_, err := there.Authenticate(t.Context(), tokens.Access.Token)
				return err == nil
			})
			began := time.Now()
			if _, err := here.Logout(t.Context(), auth.FromContext(t.Context()), tokens.Refresh.Reveal(), false); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a session that was ended elsewhere is refused", refused(tokens.Access.Token))
			if took := time.Since(began); try > 1 && took < 250*time.Millisecond {
				break
			} else if try == 40 {
				t.Fatalf("no hint was heeded; the last revocation took %v", took)
			}
		}

		// Nobody hints at this one.
		_, tokens := here.register(t, "lee@example.com")
		execute(t, db, "UPDATE sessions SET revoked_at = ? WHERE revoked_at IS NULL", noon)
		eventually(t, "a session that was ended without a hint is refused", refused(tokens.Access.Token))
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
	})
}

// eventually waits for something that another goroutine does within about a second.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("in vain: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buffer.String(), text)
}
