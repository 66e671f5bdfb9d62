package session_test

import (
	"context"
	"testing"
	"time"

	"gatehouse/internal/fault"
	"gatehouse/internal/session"
)

// pocket is a carrier that is always ready.
type pocket struct{ session.Carrier }

func (pocket) Ready() error { return nil }

// TestWithoutCarrier: whoever has none keeps everything.
func TestWithoutCarrier(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{
		"no request": t.Context(), "what outlives a request without one": session.Detached(t.Context()),
	} {
		c := session.CarrierFrom(ctx)
		if err := c.Ready(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, argument := range []string{"", "ghrt_1"} {
			if got, err := c.Presented(argument); got != argument || err != nil {
				t.Errorf("%s: %q, %v; want %q", name, got, err, argument)
			}
		}
		given := session.Tokens{RefreshExpiresAt: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)}
		given.Access.Token = "a.b.c"
		if got := c.Keep(given); got != given {
			t.Errorf("%s: left of the tokens: %+v", name, got)
		}
		c.Drop()
	}
}

// TestDetached: what outlives a request can bring no token and take none, and nothing else of the request is in its context.
func TestDetached(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "of the request"))
	ctx = session.WithCarrier(ctx, pocket{})
	if err := session.CarrierFrom(ctx).Ready(); err != nil {
		t.Errorf("the request's own: %v", err)
	}
	detached := session.Detached(ctx)
	cancel()
	if detached.Err() != nil || detached.Value(key{}) != nil {
		t.Errorf("%v, %v", detached.Err(), detached.Value(key{}))
	}
	c := session.CarrierFrom(detached)
	if err := c.Ready(); fault.From(err).Code != fault.BadUserInput {
		t.Errorf("ready: %v", err)
	}
	for _, argument := range []string{"", "ghrt_1"} {
		if got, err := c.Presented(argument); got != "" || fault.From(err).Code != fault.BadUserInput {
			t.Errorf("%q: %q, %v", argument, got, err)
		}
	}
}
