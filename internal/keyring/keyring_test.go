package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/keyring"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// Two master secrets, drawn at random for these tests.
const (
	secretA = "Qr7cXh0mWl4C1zqkP9vJ3e8sYbT5uNfA6dGiOaRw2Es="
	secretB = "7f3a9c15e08b42d6b1c4f7720e93ad58164bfc0d9a27e6538cb0d4f1275ea93b"
)

func master(tb testing.TB, text string) *secret.Master {
	tb.Helper()
	m, err := secret.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// clock is a clock that only moves when told to.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanoseconds.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanoseconds.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }

func open(t *testing.T, db *store.DB, secrets string, now func() time.Time, algorithm keyring.Algorithm) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Open(t.Context(), db, master(t, secrets), now, keyring.Config{Algorithm: algorithm})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestOpenMakesOneKeyAndKeepsIt(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := newClock().now
		first := open(t, db, secretA, now, "").Signing()
		if first.Algorithm != keyring.ES256 {
			t.Errorf("by default tokens are signed with %s", first.Algorithm)
		}
		second := open(t, db, secretA, now, keyring.ES256)
		if second.Signing().ID != first.ID {
			t.Errorf("restarted, the key is %v, was %v", second.Signing(), first)
		}
		signature, err := first.Sign("input")
		if err != nil {
			t.Fatal(err)
		}
		key, err := second.Verifying(t.Context(), first.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := key.Verify("input", signature); err != nil {
			t.Errorf("restarted, what was signed before does not verify: %v", err)
		}
	})
}

func TestReplicasAgreeOnTheFirstKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const replicas = 10
		var (
			ids   [replicas]string
			group sync.WaitGroup
			start = make(chan struct{})
			now   = newClock().now
			m     = master(t, secretA)
		)
		for i := range replicas {
			group.Go(func() {
				<-start
				ring, err := keyring.Open(t.Context(), db, m, now, keyring.Config{})
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = ring.Signing().ID
			})
		}
		close(start)
		group.Wait()
		for i, id := range ids {
			if id == "" || id != ids[0] {
				t.Errorf("replica %d signs with %q, replica 0 with %q", i, id, ids[0])
			}
		}
		if n := count(t, db); n != 1 {
			t.Errorf("there are %d keys in the table, want 1", n)
		}
	})
}

func count(t *testing.T, db *store.DB) int64 {
	t.Helper()
	n, err := db.Conn(t.Context()).NewSelect().Table("signing_keys").Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestChangingTheAlgorithmSignsNobodyOut(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := newClock().now
		before := open(t, db, secretA, now, keyring.ES256).Signing()
		for _, algorithm := range []keyring.Algorithm{keyring.EdDSA, keyring.RS256} {
			ring := open(t, db, secretA, now, algorithm)
			if got := ring.Signing().Algorithm; got != algorithm {
				t.Errorf("tokens are signed with %s, want %s", got, algorithm)
			}
			if key, err := ring.Verifying(t.Context(), before.ID); err != nil || key.ID != before.ID {
				t.Errorf("the key from before is %v, %v", key, err)
			}
		}
		if back := open(t, db, secretA, now, keyring.ES256).Signing(); back.ID != before.ID {
			t.Errorf("changed back, the key is %v, want %v", back, before)
		}
	})
}

func TestARetiredKeyIsReplacedAndForgotten(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		old := open(t, db, secretA, clock.now, keyring.ES256).Signing()
		update(t, db, "retired_at = ?", clock.now())
		ring := open(t, db, secretA, clock.now, keyring.ES256)
		if ring.Signing().ID == old.ID {
			t.Error("a retired key signs")
		}
		clock.advance(time.Minute)
		if _, err := ring.Verifying(t.Context(), old.ID); !errors.Is(err, keyring.ErrUnknown) {
			t.Errorf("asked for a retired key the error is %v, want ErrUnknown", err)
		}
		if n := count(t, db); n != 2 {
			t.Errorf("there are %d keys in the table, want the retired one and its successor", n)
		}
	})
}

// update changes every key in the table.
func update(t *testing.T, db *store.DB, set string, value any) {
	t.Helper()
	if _, err := db.Conn(t.Context()).NewUpdate().Table("signing_keys").Set(set, value).Where("TRUE").Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestChangingTheMasterSecret(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := newClock().now
		key := open(t, db, secretA, now, keyring.ES256).Signing()

		_, err := keyring.Open(t.Context(), db, master(t, secretB), now, keyring.Config{})
		if !errors.Is(err, secret.ErrOpen) {
			t.Fatalf("with the new secret alone the error is %v", err)
		}
		for _, says := range []string{key.ID, "SECRET", "signing_keys"} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("the error does not name %s: %v", says, err)
			}
		}
		if n := count(t, db); n != 1 {
			t.Errorf("there are %d keys after a start that failed, want 1", n)
		}

		sealed := func(secrets string) keyring.Seal {
			t.Helper()
			infos, err := keyring.NewTable(db, master(t, secrets), now, keyring.Config{}).List(t.Context())
			if err != nil || len(infos) != 1 {
				t.Fatalf("the list is %+v, %v", infos, err)
			}
			return infos[0].Sealed
		}
		if got := sealed(secretB + "," + secretA); got != keyring.SealOlder {
			t.Errorf("before a server had both secrets the key is sealed under the %s one", got)
		}
		for _, secrets := range []string{secretA + "," + secretB, secretB + "," + secretA, secretB} {
			if got := open(t, db, secrets, now, keyring.ES256).Signing(); got.ID != key.ID {
				t.Errorf("the key is %v, want %v", got, key)
			}
			if got := sealed(secrets); got != keyring.SealFirst {
				t.Errorf("after a start it is sealed under the %s secret", got)
			}
		}
		if got := sealed(secretA); got != keyring.SealOther {
			t.Errorf("for the old secret it is sealed under the %s one", got)
		}
		if _, err := keyring.Open(t.Context(), db, master(t, secretA), now, keyring.Config{}); !errors.Is(err, secret.ErrOpen) {
			t.Errorf("with the old secret alone the error is %v", err)
		}
	})
}

// A row whose sealed key was put there from elsewhere does not open.
func TestASealedKeyBelongsToItsRow(t *testing.T) {
	t.Parallel()
	changes := map[string]struct {
		set   string
		value any
	}{
		"kid":       {"kid = ?", strings.Repeat("A", 43)},
		"algorithm": {"algorithm = ?", "RS256"},
		"sealed":    {"sealed = ?", []byte("not sealed at all, yet long enough for a nonce and a tag")},
		"empty":     {"sealed = ?", []byte{}},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				now := newClock().now
				open(t, db, secretA, now, keyring.ES256)
				update(t, db, change.set, change.value)
				_, err := keyring.Open(t.Context(), db, master(t, secretA), now, keyring.Config{})
				if !errors.Is(err, secret.ErrOpen) {
					t.Errorf("the error is %v, want one that says it does not open", err)
				}
			})
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, algorithm := range []keyring.Algorithm{"none", "es256", "ES512", "PS256", "HS512"} {
			_, err := keyring.Open(t.Context(), db, master(t, secretA), newClock().now, keyring.Config{Algorithm: algorithm})
			if err == nil || !strings.Contains(err.Error(), "use ES256, RS256, EdDSA or HS256") {
				t.Errorf("%s: the error is %v", algorithm, err)
			}
		}
		if n := count(t, db); n != 0 {
			t.Errorf("there are %d keys in the table, want none", n)
		}
	})
}

func TestHS256NeedsNoTable(t *testing.T) {
	t.Parallel()
	cfg := keyring.Config{Algorithm: keyring.HS256, JWTSecret: bytes.Repeat([]byte{9}, 32)}
	clock := newClock()
	ring, err := keyring.Open(t.Context(), nil, nil, clock.now, cfg)
	if err != nil {
		t.Fatal(err)
	}
	key := ring.Signing()
	if got, err := ring.Verifying(t.Context(), key.ID); err != nil || got != key {
		t.Errorf("the key is %v, %v; want %v", got, err, key)
	}
	clock.advance(time.Hour)
	if _, err := ring.Verifying(t.Context(), strings.Repeat("A", 43)); !errors.Is(err, keyring.ErrUnknown) {
		t.Errorf("asked for another key the error is %v, want ErrUnknown", err)
	}

	for _, secret := range [][]byte{nil, {}, make([]byte, 31)} {
		cfg.JWTSecret = secret
		_, err := keyring.Open(t.Context(), nil, nil, clock.now, cfg)
		if err == nil || !strings.Contains(err.Error(), "JWT_SECRET") {
			t.Errorf("with a secret of %d bytes the error is %v", len(secret), err)
		}
	}
}

// Whoever makes up key ids causes few queries, however many ask at once.
func TestUnknownKeysCauseFewQueries(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			queries := new(slowLog)
			var ticks atomic.Int64
			db, err := store.Open(t.Context(), store.Config{
				URL: storetest.MigratedURL(t, kind), Logger: slog.New(queries),
				// Time that flies makes every statement a slow one, which is logged.
				Now: func() time.Time { return time.Unix(ticks.Add(3600), 0) },
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			ring := open(t, db, secretA, newClock().now, keyring.ES256)
			before, start := queries.n.Load(), time.Now()
			if before == 0 {
				t.Fatal("no query is counted")
			}

			var group sync.WaitGroup
			for asker := range 100 {
				group.Go(func() {
					for turn := range 10 {
						kid := fmt.Sprintf("%043d", asker*100+turn)
						if _, err := ring.Verifying(t.Context(), kid); !errors.Is(err, keyring.ErrUnknown) {
							t.Errorf("the error is %v, want ErrUnknown", err)
						}
					}
				})
			}
			group.Wait()
			took := time.Since(start)
			if n, most := queries.n.Load()-before, int64(took/(50*time.Millisecond))+1; n > most {
				t.Errorf("1000 unknown keys caused %d queries in %v, want at most %d", n, took, most)
			}
			if _, err := ring.Verifying(t.Context(), ring.Signing().ID); err != nil {
				t.Errorf("the key that is known is not: %v", err)
			}
		})
	}
}

// slowLog counts the slow statements that the store logs.
type slowLog struct{ n atomic.Int64 }

func (*slowLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *slowLog) Handle(context.Context, slog.Record) error {
	l.n.Add(1)
	return nil
}

func (l *slowLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *slowLog) WithGroup(string) slog.Handler      { return l }

// Of many who ask at once for a key that was added, none is told that there is no such key while another is reading; not even
// while others make up ids.
func TestWhoeverAsksMeanwhileWaitsForTheRead(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		ring := open(t, db, secretA, clock.now, keyring.ES256)
		stop := make(chan struct{})
		var others sync.WaitGroup
		defer others.Wait()
		defer close(stop)
		for other := range 5 {
			others.Go(func() {
				for turn := 0; ; turn++ {
					select {
					case <-stop:
						return
					default:
						_, _ = ring.Verifying(t.Context(), fmt.Sprintf("%043d", other+turn*5))
					}
				}
			})
		}
		added := open(t, db, secretA, clock.now, keyring.EdDSA).Signing()

		var group sync.WaitGroup
		start := make(chan struct{})
		for range 50 {
			group.Go(func() {
				<-start
				if key, err := ring.Verifying(t.Context(), added.ID); err != nil || key.ID != added.ID {
					t.Errorf("the key is %v, %v", key, err)
				}
			})
		}
		close(start)
		group.Wait()
	})
}

// A kid that cannot be one of ours is not worth a query: it is answered when the database has gone.
func TestAMalformedKeyIDIsNotLookedUp(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Config{URL: storetest.MigratedURL(t, storetest.SQLite)})
	if err != nil {
		t.Fatal(err)
	}
	ring := open(t, db, secretA, newClock().now, keyring.ES256)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, kid := range []string{"", "short", strings.Repeat("A", 42), strings.Repeat("A", 44), strings.Repeat("A", 1_000_000)} {
		if _, err := ring.Verifying(t.Context(), kid); !errors.Is(err, keyring.ErrUnknown) {
			t.Errorf("for a kid of %d bytes the error is %v, want ErrUnknown", len(kid), err)
		}
	}
}

// One caller reads for all: that its client hung up must not fail those who wait for the same read.
func TestAClientThatHungUpDoesNotFailTheRead(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		ring := open(t, db, secretA, clock.now, keyring.ES256)
		added := open(t, db, secretA, clock.now, keyring.EdDSA).Signing()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if key, err := ring.Verifying(gone, added.ID); err != nil || key.ID != added.ID {
			t.Errorf("the key is %v, %v", key, err)
		}
	})
}

// When the table cannot be read nobody knows whether a key exists; known keys go on verifying.
func TestAStorageFaultIsNotAnUnknownKey(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db, err := store.Open(t.Context(), store.Config{URL: storetest.MigratedURL(t, kind)})
			if err != nil {
				t.Fatal(err)
			}
			clock := newClock()
			ring := open(t, db, secretA, clock.now, keyring.ES256)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			for _, when := range []string{"first", "again"} {
				_, err := ring.Verifying(t.Context(), strings.Repeat("A", 43))
				if err == nil || errors.Is(err, keyring.ErrUnknown) {
					t.Errorf("asked %s: the error is %v, want the storage fault", when, err)
				}
			}
			if key, err := ring.Verifying(t.Context(), ring.Signing().ID); err != nil || key != ring.Signing() {
				t.Errorf("the key that was known is %v, %v", key, err)
			}
		})
	}
}
