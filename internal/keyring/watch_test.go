package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"gatehouse/internal/keyring"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestKeysAreReplacedOnSchedule(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const every = 90 * 24 * time.Hour
		clock, cfg := newClock(), config()
		never := openWith(t, db, clock.now, cfg)
		cfg.RotateEvery = every
		rings := make([]*keyring.Ring, 10)
		for i := range rings {
			rings[i] = openWith(t, db, clock.now, cfg)
		}
		clock.advance(every - time.Microsecond)
		follow(t, append(rings, never)...)
		if n := count(t, db); n != 1 {
			t.Fatalf("a moment before its time there are %d keys", n)
		}
		clock.advance(time.Microsecond)
		follow(t, never)
		if n := count(t, db); n != 1 {
			t.Fatalf("a ring that never replaces keys made one: there are %d", n)
		}
		old := never.Signing().ID
		atOnce(func(i int) {
			if err := rings[i].Sync(t.Context()); err != nil {
				t.Error(err)
			}
		})
		if n := count(t, db); n != 2 {
			t.Fatalf("ten replicas at once left %d keys, want 2", n)
		}
		clock.advance(lead)
		for i, ring := range rings {
			if ring.Signing().ID == old || ring.Signing().ID != rings[0].Signing().ID {
				t.Errorf("replica %d signs with %v", i, ring.Signing())
			}
		}
		// The new one's age counts from when it began to sign.
		clock.advance(every - time.Microsecond)
		follow(t, rings...)
		if n := count(t, db); n != 2 {
			t.Errorf("before the second one's time there are %d keys", n)
		}
		clock.advance(time.Microsecond)
		follow(t, rings...)
		if n := count(t, db); n != 3 {
			t.Errorf("at the second one's time there are %d keys", n)
		}
	})
}

// A key outlives the longest token of any server that signs with it, whoever replaces it.
func TestTheLongestTokenCounts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		for _, life := range []time.Duration{time.Minute, time.Hour, 10 * time.Minute} {
			cfg := config()
			cfg.TokenTTL = life
			openWith(t, db, clock.now, cfg)
		}
		table := table(t, db, clock.now)
		done := rotate(t, table)
		infos, err := table.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := done.Key.SignsAt.Add(time.Hour + leeway); infos[0].RetiresAt == nil || !infos[0].RetiresAt.Equal(want) {
			t.Errorf("the key retires at %v, want %v", infos[0].RetiresAt, want)
		}
		// A server that starts with a longer life while the key still signs moves the end.
		cfg := config()
		cfg.TokenTTL = 2 * time.Hour
		ring := openWith(t, db, clock.now, cfg)
		old := ring.Signing().ID
		clock.advance(lead + time.Hour + leeway)
		follow(t, ring)
		if !ring.InForce(old, clock.now()) {
			t.Error("the key is gone before its last token")
		}
		clock.advance(time.Hour)
		follow(t, ring)
		if ring.InForce(old, clock.now()) || phases(t, table)[old] != keyring.Retired {
			t.Error("the key outlives its last token")
		}
	})
}

// Servers set to two algorithms, as while the setting is being changed, let each other sign; what nobody signs with goes.
func TestTwoAlgorithms(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock, old, young := newClock(), config(), config()
		old.Algorithm, young.Algorithm = keyring.EdDSA, keyring.ES256
		stays := openWith(t, db, clock.now, old)
		clock.advance(time.Second)
		changed := openWith(t, db, clock.now, young)
		table := table(t, db, clock.now)
		before := stays.Signing().ID
		clock.advance(time.Hour)
		if done := rotate(t, table); done.Key.Algorithm != keyring.ES256 {
			t.Fatalf("replacing added %+v", done)
		}
		for range 10 { // they must come to rest
			follow(t, stays, changed)
			clock.advance(lead / 5)
		}
		if n := count(t, db); n != 4 {
			t.Errorf("there are %d keys, want two of each algorithm", n)
		}
		if got := stays.Signing(); got.Algorithm != keyring.EdDSA || got.ID == before {
			t.Errorf("who stays signs with %v, was %s", got, before)
		}
		if got := changed.Signing(); got.Algorithm != keyring.ES256 {
			t.Errorf("who changed signs with %v", got)
		}
		// Nobody stays any more: two replacements later nothing is left of the old algorithm.
		for range 3 {
			rotate(t, table)
			clock.advance(lead + ttl + leeway)
			follow(t, changed)
		}
		if got := changed.Algorithms(); !slices.Equal(got, []string{"ES256"}) {
			t.Errorf("the algorithms are %v", got)
		}
	})
}

// Revoking ends the keys of servers with another algorithm, too; they make themselves another.
func TestRevokingServesAllAlgorithms(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock, other := newClock(), config()
		other.Algorithm = keyring.EdDSA
		ring := openWith(t, db, clock.now, other)
		before := ring.Signing().ID
		clock.advance(time.Second)
		openWith(t, db, clock.now, config())
		if _, err := table(t, db, clock.now).Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		follow(t, ring)
		if got := ring.Signing(); got.ID == before || got.Algorithm != keyring.EdDSA || !ring.InForce(got.ID, clock.now()) {
			t.Errorf("it signs with %v", got)
		}
	})
}

func TestARetiredKeyLeavesMemory(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		ring := openWith(t, db, clock.now, config())
		signing := weak.Make(ring.Signing())
		if _, err := table(t, db, clock.now).Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		if signing.Value() == nil {
			t.Fatal("it is gone before anybody was told")
		}
		follow(t, ring)
		runtime.GC()
		if signing.Value() != nil {
			t.Error("the retired key is still in memory")
		}
	})
}

// A replica without the new secret goes on with the keys that it has, and calls no good token bad.
func TestAKeyThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		ring := openWith(t, db, clock.now, config())
		old := ring.Signing().ID
		elsewhere := keyring.NewTable(db, master(t, secretB), clock.now, config())
		added := rotate(t, elsewhere).Key.ID
		clock.advance(lead + time.Second)
		follow(t, ring)
		if got := ring.Signing().ID; got != old {
			t.Errorf("it signs with %s, want the key that it has", got)
		}
		if _, err := ring.Verifying(t.Context(), added); err == nil || errors.Is(err, keyring.ErrUnknown) {
			t.Errorf("of the key that does not open it says %v", err)
		}
		if got := kids(t, ring); !slices.Equal(got, []string{old}) {
			t.Errorf("it shows %v", got)
		}
		// Sealed again by a replica that has both secrets, it opens.
		openBoth, err := keyring.Open(t.Context(), db, master(t, secretA+","+secretB), clock.now, config())
		if err != nil {
			t.Fatal(err)
		}
		follow(t, ring)
		if got := ring.Signing().ID; got != added || openBoth.Signing().ID != added {
			t.Errorf("after it was sealed again, it signs with %s", got)
		}

		elsewhere = keyring.NewTable(db, master(t, secretB), clock.now, config())
		rotate(t, elsewhere)
		clock.advance(1000 * time.Hour)
		for range 3 {
			follow(t, ring)
		}
		if n := count(t, db); n != 3 {
			t.Errorf("it has made keys: there are %d", n)
		}
		if ring.Signing() == nil {
			t.Error("it signs with nothing")
		}
	})
}

// When the secret has leaked, a new one with a new key leaves nothing for which the old one is needed.
func TestALeakedSecret(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := newClock().now
		leaked := openWith(t, db, now, config()).Signing().ID
		done, err := keyring.NewTable(db, master(t, secretB), now, config()).Revoke(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ring, err := keyring.Open(t.Context(), db, master(t, secretB), now, config())
		if err != nil {
			t.Fatal(err)
		}
		if got := ring.Signing().ID; got != done.Key.ID || ring.InForce(leaked, now()) {
			t.Errorf("it signs with %s, and the leaked key is in force: %t", got, ring.InForce(leaked, now()))
		}
	})
}

// Setting the clock back makes nobody sign with nothing, nor with a key that is gone.
func TestTheClockIsSetBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		ring := openWith(t, db, clock.now, config())
		rotate(t, table(t, db, clock.now))
		clock.advance(lead + ttl + leeway)
		follow(t, ring)
		signs := ring.Signing().ID
		clock.advance(-24 * time.Hour)
		for range 2 {
			if got := ring.Signing().ID; got != signs {
				t.Errorf("a day before, it signs with %s, want %s", got, signs)
			}
			if _, err := ring.Verifying(t.Context(), signs); err != nil {
				t.Errorf("a day before, its key is unknown: %v", err)
			}
			follow(t, ring)
		}
		if n := count(t, db); n != 2 {
			t.Errorf("there are %d keys", n)
		}
	})
}

// A key that could not be retired when it was due is refused all the same; set back to before, the clock brings it back.
func TestAKeyThatCannotBeRetired(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock, cfg := newClock(), config()
		full := errors.New("the log is full")
		cfg.Record = func(_ context.Context, what keyring.Change, _ string) error {
			if what == keyring.KeyRetired {
				return full
			}
			return nil
		}
		ring := openWith(t, db, clock.now, cfg)
		old := ring.Signing().ID
		rotate(t, table(t, db, clock.now))
		clock.advance(lead + ttl + leeway)
		refused := func(when string) {
			t.Helper()
			if key, err := ring.Verifying(t.Context(), old); key != nil || !errors.Is(err, keyring.ErrUnknown) {
				t.Errorf("%s it is %v, %v; want ErrUnknown", when, key, err)
			}
		}
		for range 2 {
			if err := ring.Sync(t.Context()); !errors.Is(err, full) {
				t.Errorf("the error is %v", err)
			}
			refused("when it was due")
		}
		clock.advance(-time.Hour)
		refused("before anybody has looked")
		follow(t, ring)
		if key, err := ring.Verifying(t.Context(), old); err != nil || key.ID != old {
			t.Errorf("an hour before, it is %v, %v", key, err)
		}
	})
}

func TestWatchFollowsTheTable(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		cfg := config()
		cfg.PublishLead = 0
		ring := openWith(t, db, time.Now, cfg)
		old := ring.Signing().ID
		ctx, stop := context.WithCancel(t.Context())
		watched := make(chan error, 1)
		go func() { watched <- ring.Watch(ctx) }()
		table := keyring.NewTable(db, master(t, secretA), time.Now, cfg)
		if _, err := table.Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "another key signs", func() bool { return ring.Signing().ID != old && !ring.InForce(old, time.Now()) })
		stop()
		if err := <-watched; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
	})
}

// Whoever changes the table hints at it, so that nobody has to wait until the next look.
func TestChangesAreHintedAt(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		openWith(t, db, clock.now, config())
		hints := db.Listen(t.Context(), "keys")
		heard := func() bool {
			select {
			case <-hints:
				return true
			default:
				return false
			}
		}
		eventually(t, "it listens", func() bool {
			if err := db.Notify(t.Context(), "keys"); err != nil {
				t.Fatal(err)
			}
			return heard()
		})
		for heard() {
			time.Sleep(10 * time.Millisecond) // for what the last tries have left
		}
		if _, err := table(t, db, clock.now).Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a hint comes", heard)
	})
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came to pass that " + what)
		}
	}
}

func TestHS256HasNothingToWatch(t *testing.T) {
	t.Parallel()
	ring, err := keyring.Open(t.Context(), nil, nil, time.Now, keyring.Config{
		Algorithm: keyring.HS256, JWTSecret: []byte("thirty-two bytes, random or not."),
	})
	if err != nil {
		t.Fatal(err)
	}
	follow(t, ring)
	if document, etag := ring.JWKS(); document != nil || etag != "" || ring.Algorithms() != nil {
		t.Errorf("it shows %q", document)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := ring.Watch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch returned %v", err)
	}
	if kid := fmt.Sprintf("%043d", 1); ring.InForce(kid, time.Now()) || !ring.InForce(ring.Signing().ID, time.Now()) {
		t.Error("it takes one key for another")
	}
}

// A key from before keys had phases signs on, and is given the longest that any of its tokens can live.
func TestAKeyFromBefore(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		before := openWith(t, db, clock.now, config()).Signing().ID
		for _, statement := range []string{
			"ALTER TABLE signing_keys DROP COLUMN signs_at",
			"ALTER TABLE signing_keys DROP COLUMN superseded_at",
			"ALTER TABLE signing_keys DROP COLUMN token_ttl",
			"DELETE FROM schema_migrations WHERE name = '0009'",
		} {
			if _, err := db.Conn(t.Context()).NewRaw(statement).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock.advance(time.Hour)
		if got := openWith(t, db, clock.now, config()).Signing().ID; got != before {
			t.Errorf("it signs with %s, want %s", got, before)
		}
		table := table(t, db, clock.now)
		done := rotate(t, table)
		infos, err := table.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := done.Key.SignsAt.Add(24*time.Hour + leeway); infos[0].RetiresAt == nil || !infos[0].RetiresAt.Equal(want) {
			t.Errorf("it retires at %v, want %v", infos[0].RetiresAt, want)
		}
		if !infos[0].SignsAt.Equal(infos[0].CreatedAt) {
			t.Errorf("it is said to sign from %v on, made at %v", infos[0].SignsAt, infos[0].CreatedAt)
		}
	})
}
