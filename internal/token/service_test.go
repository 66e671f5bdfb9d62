package token_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/keyring"
	"gatehouse/internal/secret"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/token"
)

// What the tests' service is made of.
type setup struct {
	*token.Service

	ring       *keyring.Ring
	vocabulary *auth.Vocabulary
	clock      *clock
	cfg        token.Config
}

// clock is a clock that only moves when told to.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.nanoseconds.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }

const ttl = 10 * time.Minute

// start is the time at which every test begins: not a whole second, because no server starts on one.
func start() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC) }

func algorithms() []keyring.Algorithm {
	return []keyring.Algorithm{keyring.ES256, keyring.EdDSA, keyring.RS256, keyring.HS256}
}

func newSetup(tb testing.TB, algorithm keyring.Algorithm) *setup {
	tb.Helper()
	s := &setup{
		clock: &clock{},
		cfg:   token.Config{Issuer: "https://gatehouse.example", Audience: "gatehouse", TTL: ttl},
	}
	s.clock.nanoseconds.Store(start().UnixNano())
	s.ring = newRing(tb, s.clock.now, algorithm)
	var err error
	if s.vocabulary, err = auth.NewVocabulary("users:read", "users:write"); err != nil {
		tb.Fatal(err)
	}
	s.Service = s.another()
	return s
}

// another returns a service like this one that has seen no token yet.
func (s *setup) another() *token.Service {
	return token.New(s.ring, s.vocabulary, s.clock.now, s.cfg)
}

func newRing(tb testing.TB, now func() time.Time, algorithm keyring.Algorithm) *keyring.Ring {
	tb.Helper()
	cfg := keyring.Config{Algorithm: algorithm}
	if algorithm == keyring.HS256 {
		cfg.JWTSecret = []byte("thirty-two bytes, random or not.")
		ring, err := keyring.Open(tb.Context(), nil, nil, now, cfg)
		if err != nil {
			tb.Fatal(err)
		}
		return ring
	}
	master, err := secret.Parse("Qr7cXh0mWl4C1zqkP9vJ3e8sYbT5uNfA6dGiOaRw2Es=")
	if err != nil {
		tb.Fatal(err)
	}
	ring, err := keyring.Open(tb.Context(), storetest.Open(tb, storetest.SQLite), master, now, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return ring
}

func grant() token.Grant {
	return token.Grant{
		AccountID: id.New(start()),
		SessionID: id.New(start()),
		Roles:     []string{"ADMIN", "USER"},
		Scopes:    []string{"users:read"},
		AuthTime:  start().Add(-time.Minute),
		AMR:       []string{"pwd"},
	}
}

func (s *setup) mint(tb testing.TB, g token.Grant) string {
	tb.Helper()
	access, err := s.Mint(g)
	if err != nil {
		tb.Fatal(err)
	}
	return access.Token
}

// refusal returns what the verifier said no with, and fails the test if it did not. Beside EXPIRED must stand somebody anonymous
// with the session of the token and nothing more, beside everything else nobody.
func refusal(tb testing.TB, caller *auth.Caller, err error) *fault.Error {
	tb.Helper()
	known, ok := errors.AsType[*fault.Error](err)
	if !ok {
		tb.Fatalf("the caller is %+v and the error %v, want a fault", caller, err)
	}
	if known.Reason != fault.Expired {
		if caller != nil {
			tb.Fatalf("refused with %v: the caller is %+v", known, caller)
		}
		return known
	}
	if caller == nil || caller.SignedIn() || caller.Lapsed == (id.ID{}) || caller.AccountID != (id.ID{}) ||
		caller.SessionID != (id.ID{}) || caller.Roles != nil || caller.Scopes != (auth.ScopeSet{}) {
		tb.Fatalf("expired: the caller is %+v", caller)
	}
	return known
}
