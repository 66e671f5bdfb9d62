package token_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/keyring"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/token"
)

var full = flag.Bool("soak.full", false, "run the full numbers")

const (
	publishLead = 10 * time.Minute
	leeway      = 30 * time.Second // beyond the last token, before a key is retired
)

// house is replicas on one database, and the table of their keys.
type house struct {
	table    *keyring.Table
	replicas []*setup
	clock    *clock
}

func newHouse(t *testing.T, db *store.DB, replicas int) *house {
	t.Helper()
	master, err := secret.Parse("Qr7cXh0mWl4C1zqkP9vJ3e8sYbT5uNfA6dGiOaRw2Es=")
	if err != nil {
		t.Fatal(err)
	}
	vocabulary, err := auth.NewVocabulary("users:read", "users:write")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{clock: new(clock)}
	h.clock.nanoseconds.Store(start().UnixNano())
	cfg := keyring.Config{TokenTTL: ttl, PublishLead: publishLead}
	h.table = keyring.NewTable(db, master, h.clock.now, cfg)
	for range replicas {
		ring, err := keyring.Open(t.Context(), db, master, h.clock.now, cfg)
		if err != nil {
			t.Fatal(err)
		}
		s := &setup{
			ring: ring, clock: h.clock, vocabulary: vocabulary,
			cfg: token.Config{Issuer: "https://gatehouse.example", Audience: "gatehouse", TTL: ttl},
		}
		s.Service = s.another()
		h.replicas = append(h.replicas, s)
	}
	return h
}

func (h *house) rotate(t *testing.T) keyring.Rotation {
	t.Helper()
	done, err := h.table.Rotate(t.Context())
	if err != nil || !done.Added {
		t.Fatalf("rotating did %+v, %v", done, err)
	}
	return done
}

func (s *setup) follow(t *testing.T) {
	t.Helper()
	if err := s.ring.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantRefused fails the test unless the token is refused as any other that is not ours.
func (s *setup) wantRefused(t *testing.T, raw, when string) {
	t.Helper()
	caller, err := s.Verify(t.Context(), raw)
	if err == nil {
		t.Errorf("%s: accepted as %+v", when, caller)
		return
	}
	if got := refusal(t, caller, err); got.Code != fault.Unauthenticated || got.Reason != fault.Invalid {
		t.Errorf("%s: refused with %v, reason %s; want INVALID", when, got, got.Reason)
	}
}

func (s *setup) wantAccepted(t *testing.T, raw, when string) {
	t.Helper()
	if _, err := s.Verify(t.Context(), raw); err != nil {
		t.Errorf("%s: refused: %v, because of %v", when, err, errors.Unwrap(err))
	}
}

// A replica that has heard nothing of a new key accepts the first token that another signs with it.
func TestANewKeyIsAcceptedByWhoeverHasNotHeardOfIt(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db, 2)
		told, untold := h.replicas[0], h.replicas[1]
		done := h.rotate(t)
		told.follow(t)
		h.clock.advance(done.Key.SignsAt.Sub(h.clock.now()))
		raw := told.mint(t, grant())
		if got := decoded(t, raw, 0)["kid"]; got != done.Key.ID {
			t.Fatalf("signed with %v, want %s", got, done.Key.ID)
		}
		untold.wantAccepted(t, raw, "at the moment of the change")
		if _, err := h.table.Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		told.follow(t)
		untold.wantAccepted(t, told.mint(t, grant()), "signed with the key after a leaked one")
	})
}

// A token dies with its key, whether it was verified before or not, however long it says that it lives.
func TestATokenDiesWithItsKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		far := map[string]any{"exp": start().Add(1000 * time.Hour).Unix()}
		t.Run("revoked", func(t *testing.T) {
			h := newHouse(t, db, 1)
			s := h.replicas[0]
			seen, unseen := s.mint(t, grant()), s.mint(t, grant())
			s.wantAccepted(t, seen, "before")
			if _, err := h.table.Revoke(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.follow(t)
			s.wantRefused(t, seen, "seen before")
			s.wantRefused(t, seen, "seen before, once more")
			s.wantRefused(t, unseen, "not seen before")
			s.wantAccepted(t, s.mint(t, grant()), "of the new key")
		})
		t.Run("rotated", func(t *testing.T) {
			h := newHouse(t, db, 1)
			s := h.replicas[0]
			seen, unseen := s.sign(t, s.claims(far)), s.sign(t, s.claims(far))
			done := h.rotate(t)
			s.follow(t)
			last := done.Key.SignsAt.Add(ttl + leeway)
			h.clock.advance(last.Sub(h.clock.now()) - time.Microsecond)
			s.wantAccepted(t, seen, "a moment before the window ends")
			h.clock.advance(time.Microsecond) // and nobody is told
			s.wantRefused(t, seen, "seen before")
			s.wantRefused(t, unseen, "not seen before")
		})
	})
}

// What remembers tokens does not remember the key that signed them.
func TestRememberedTokensHoldNoKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db, 1)
		s := h.replicas[0]
		signing := weak.Make(s.ring.Signing())
		s.wantAccepted(t, s.mint(t, grant()), "before")
		if _, err := h.table.Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.follow(t)
		runtime.GC()
		if signing.Value() != nil {
			t.Error("the retired key is still in memory")
		}
	})
}

// minted is a token, and what is known of it.
type minted struct {
	raw     string
	expires time.Time
}

// Keys are replaced while tokens are minted and verified on three replicas: no live token is refused, and none of a retired key
// is accepted, whatever it says of its life.
func TestRotationsUnderLoad(t *testing.T) {
	t.Parallel()
	rotations := 3
	if *full {
		rotations = 50
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db, 3)
		ctx, stop := context.WithCancel(t.Context())
		var watching, working sync.WaitGroup
		for _, s := range h.replicas {
			watching.Go(func() { _ = s.ring.Watch(ctx) }) // until ctx ends
		}
		defer watching.Wait()
		defer stop()

		// Time goes in steps. A token is live when it lives for longer than the time can go on while it is being verified.
		const step = 20 * time.Second
		var verified, done atomic.Int64
		over := make(chan struct{})
		for range 3 {
			working.Go(func() {
				var live []minted
				for {
					select {
					case <-over:
						return
					default:
					}
					access, err := h.replicas[rand.IntN(3)].Mint(grant())
					if err != nil {
						t.Error(err)
						return
					}
					live = append(live, minted{access.Token, access.ExpiresAt})
					if len(live) > 100 {
						live = live[50:]
					}
					m := live[rand.IntN(len(live))]
					before := h.clock.now()
					_, err = h.replicas[rand.IntN(3)].Verify(ctx, m.raw)
					if err != nil && ctx.Err() == nil && h.clock.now().Before(m.expires) {
						t.Errorf("after %d rotations a token that lives for %v more is refused: %v, because of %v",
							done.Load(), m.expires.Sub(before), err, errors.Unwrap(err))
					}
					verified.Add(1)
				}
			})
		}

		for range rotations {
			// What whoever got hold of the key would sign with it.
			old := h.replicas[0].ring.Signing().ID
			stolen := h.replicas[0].sign(t, h.replicas[0].claims(map[string]any{
				"iat": start().Unix(), "exp": start().Add(10_000 * time.Hour).Unix(),
			}))
			h.replicas[0].wantAccepted(t, stolen, "a stolen key's token, before")
			rotation := h.rotate(t)
			for _, s := range h.replicas {
				eventually(t, "a replica hears of a new key", func() bool { return s.ring.InForce(rotation.Key.ID, h.clock.now()) })
			}
			goal := verified.Load() + 10
			eventually(t, "tokens are verified meanwhile", func() bool { return verified.Load() >= goal })
			for end := rotation.Key.SignsAt.Add(ttl + leeway); h.clock.now().Before(end); time.Sleep(time.Millisecond) {
				h.clock.advance(step)
			}
			for _, s := range h.replicas {
				s.wantRefused(t, stolen, "a stolen key's token, after its window")
				if s.ring.Signing().ID == old {
					t.Error("a retired key signs")
				}
			}
			done.Add(1)
		}
		close(over)
		working.Wait()
		t.Logf("%d rotations, %d tokens verified meanwhile", done.Load(), verified.Load())
	})
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came to pass that " + what)
		}
	}
}
