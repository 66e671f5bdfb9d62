package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/keyring"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// expectEnd waits for the end of a bound context, and checks its cause.
func expectEnd(t *testing.T, ctx context.Context, want string) {
	t.Helper()
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Second):
		t.Fatalf("it goes on, and should have ended with %s", want)
	}
	got := ""
	if why, ok := errors.AsType[*fault.Error](context.Cause(ctx)); ok {
		if got = string(why.Reason); got == "" {
			got = string(why.Code)
		}
	}
	if got != want {
		t.Errorf("it ended with %q (%v), want %q", got, context.Cause(ctx), want)
	}
}

// TestBind: what a caller began ends when their access token does, for the reason it does.
func TestBind(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		here, there := in.start(t, nil), in.start(t, nil)
		here.sync(t)
		there.sync(t)
		ann, anns := here.register(t, "ann@example.com")
		_, lees := here.register(t, "lee@example.com")
		annHere, release := here.Bind(t.Context(), here.caller(t, anns.Access.Token))
		defer release()
		again, releaseAgain := here.Bind(t.Context(), here.caller(t, anns.Access.Token))
		releaseAgain()
		releaseAgain() // once too often
		annThere, release := there.Bind(t.Context(), there.caller(t, anns.Access.Token))
		defer release()
		lee := here.caller(t, lees.Access.Token)
		leeHere, release := here.Bind(t.Context(), lee)
		defer release()
		nobody, release := here.Bind(t.Context(), auth.Anonymous(fault.Anonymous(fault.Missing)))
		defer release()

		late := there.caller(t, anns.Access.Token)
		if err := here.DisableAccount(t.Context(), ann.ID); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, annHere, "REVOKED")
		expectEnd(t, again, "")
		if annThere.Err() != nil {
			t.Error("another replica knows of it before it has looked")
		}
		there.sync(t)
		expectEnd(t, annThere, "REVOKED")
		tooLate, release := there.Bind(t.Context(), late)
		defer release()
		expectEnd(t, tooLate, "REVOKED")
		if leeHere.Err() != nil || nobody.Err() != nil {
			t.Error("others' end with it")
		}

		here.clock.set(noon.Add(lifetime - 50*time.Millisecond))
		soon, release := here.Bind(t.Context(), lee)
		defer release()
		expectEnd(t, soon, "EXPIRED")
		here.clock.set(noon.Add(lifetime + time.Second))
		over, release := here.Bind(t.Context(), lee)
		defer release()
		expectEnd(t, over, "EXPIRED")

		parent, cancel := context.WithCancel(t.Context())
		child, release := here.Bind(parent, auth.Anonymous(fault.Anonymous(fault.Missing)))
		defer release()
		cancel()
		expectEnd(t, child, "")
	})
}

// TestBoundEndsWhenRevocationsAreUnknown: who cannot be told from somebody whose session was ended is not told anything more.
func TestBoundEndsWhenRevocationsAreUnknown(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		_, tokens := r.register(t, "ann@example.com")
		bound, release := r.Bind(t.Context(), r.caller(t, tokens.Access.Token))
		defer release()
		execute(t, db, "ALTER TABLE sessions RENAME COLUMN revoked_at TO gone")
		r.clock.set(noon.Add(11 * time.Second))
		ctx, cancel := context.WithCancel(t.Context())
		watched := make(chan error, 1)
		go func() { watched <- r.Watch(ctx) }()
		expectEnd(t, bound, "SERVICE_UNAVAILABLE")
		cancel()
		if err := <-watched; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
	})
}

// TestBoundEndsWithItsKey: whoever has a leaked key writes tokens that never expire. What they began ends when the key is
// retired.
func TestBoundEndsWithItsKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		r := in.start(t, nil)
		r.sync(t)
		bind := func(email string) context.Context {
			_, tokens := r.register(t, email)
			bound, release := r.Bind(t.Context(), r.caller(t, tokens.Access.Token))
			t.Cleanup(release)
			return bound
		}
		before := bind("ann@example.com")
		if _, err := keyring.NewTable(db, in.master, r.clock.now, keyring.Config{}).Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.ring.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		after := bind("lee@example.com")
		ctx, cancel := context.WithCancel(t.Context())
		watched := make(chan error, 1)
		go func() { watched <- r.Watch(ctx) }()
		expectEnd(t, before, "INVALID")
		cancel()
		if err := <-watched; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
		if after.Err() != nil {
			t.Errorf("what began with the new key has ended: %v", context.Cause(after))
		}
	})
}
