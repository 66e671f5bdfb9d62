package keyring_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/keyring"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

const (
	lead   = 10 * time.Minute
	ttl    = 15 * time.Minute
	leeway = 30 * time.Second
)

// config is how the rings of these tests are set, unless a test says otherwise.
func config() keyring.Config { return keyring.Config{TokenTTL: ttl, PublishLead: lead} }

// openWith is open for other settings.
func openWith(t *testing.T, db *store.DB, now func() time.Time, cfg keyring.Config) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Open(t.Context(), db, master(t, secretA), now, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// table is the table as the command line has it, which knows nothing of the life of tokens.
func table(t *testing.T, db *store.DB, now func() time.Time) *keyring.Table {
	t.Helper()
	return keyring.NewTable(db, master(t, secretA), now, keyring.Config{PublishLead: lead})
}

func rotate(t *testing.T, table *keyring.Table) keyring.Rotation {
	t.Helper()
	done, err := table.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func follow(t *testing.T, rings ...*keyring.Ring) {
	t.Helper()
	for _, ring := range rings {
		if err := ring.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// phases returns the phase of every key.
func phases(t *testing.T, table *keyring.Table) map[string]keyring.Phase {
	t.Helper()
	infos, err := table.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	phases := make(map[string]keyring.Phase, len(infos))
	for _, info := range infos {
		phases[info.ID] = info.Phase
	}
	return phases
}

// A key's life, to the microsecond, on two rings that are told of the new key once and of nothing else.
func TestTheLifeOfAKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		start := clock.now()
		rings := []*keyring.Ring{openWith(t, db, clock.now, config()), openWith(t, db, clock.now, config())}
		table := table(t, db, clock.now)
		first := rings[0].Signing().ID

		done := rotate(t, table)
		second := done.Key.ID
		if !done.Added || done.Key.Phase != keyring.Published || !done.Key.SignsAt.Equal(start.Add(lead)) {
			t.Fatalf("rotating did %+v", done)
		}
		follow(t, rings...)
		ends := lead + ttl + leeway
		for _, moment := range []struct {
			after         time.Duration
			signs         string
			first, second keyring.Phase
		}{
			{0, first, keyring.Signing, keyring.Published},
			{lead - time.Microsecond, first, keyring.Signing, keyring.Published},
			{lead, second, keyring.Verifying, keyring.Signing},
			{ends - time.Microsecond, second, keyring.Verifying, keyring.Signing},
			{ends, second, keyring.Retired, keyring.Signing},
			{ends + 1000*time.Hour, second, keyring.Retired, keyring.Signing},
		} {
			clock.advance(start.Add(moment.after).Sub(clock.now()))
			want := map[string]keyring.Phase{first: moment.first, second: moment.second}
			if diff := cmp.Diff(want, phases(t, table)); diff != "" {
				t.Errorf("after %v the phases differ (-want +got):\n%s", moment.after, diff)
			}
			for i, ring := range rings {
				if got := ring.Signing().ID; got != moment.signs {
					t.Errorf("after %v ring %d signs with %s, want %s", moment.after, i, got, moment.signs)
				}
				var set []string
				for _, kid := range []string{first, second} {
					in := want[kid] != keyring.Retired
					if in {
						set = append(set, kid)
					}
					_, err := ring.Verifying(t.Context(), kid)
					if in && err != nil || !in && !errors.Is(err, keyring.ErrUnknown) || ring.InForce(kid, clock.now()) != in {
						t.Errorf("after %v ring %d says of the %s key: %v, in force %t",
							moment.after, i, want[kid], err, ring.InForce(kid, clock.now()))
					}
				}
				if got := kids(t, ring); !slices.Equal(got, set) {
					t.Errorf("after %v the JWK set of ring %d holds %v, want %v", moment.after, i, got, set)
				}
			}
		}

		// Only now is anybody told, and the private half goes.
		follow(t, rings...)
		infos, err := table.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if infos[0].Sealed != keyring.SealErased || infos[1].Sealed != keyring.SealFirst {
			t.Errorf("the keys are sealed: %+v", infos)
		}
		erased := db.Conn(t.Context()).NewSelect().Table("signing_keys").Where("length(sealed) = 0")
		if n, err := erased.Count(t.Context()); n != 1 || err != nil {
			t.Errorf("%d private halves are erased, %v; want 1", n, err)
		}
		if infos[0].RetiresAt == nil || infos[1].RetiresAt != nil {
			t.Errorf("retired at %v, the signing one at %v", infos[0].RetiresAt, infos[1].RetiresAt)
		}
	})
}

func TestRotatingTwiceAddsOneKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		openWith(t, db, clock.now, config())
		table := table(t, db, clock.now)
		added := rotate(t, table)
		clock.advance(lead - 1)
		again := rotate(t, table)
		if again.Added || again.Key.ID != added.Key.ID || !again.Key.SignsAt.Equal(added.Key.SignsAt) {
			t.Errorf("rotating again did %+v, at first %+v", again, added)
		}
		clock.advance(1)
		if third := rotate(t, table); !third.Added || count(t, db) != 3 {
			t.Errorf("after the published key has begun to sign, rotating did %+v", third)
		}
	})
}

func TestThereMustBeAKeyToReplace(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		table := table(t, db, newClock().now)
		for name, replace := range map[string]func(context.Context) (keyring.Rotation, error){
			"rotate": table.Rotate, "revoke": table.Revoke,
		} {
			if _, err := replace(t.Context()); !errors.Is(err, keyring.ErrNoKeys) {
				t.Errorf("%s: the error is %v, want ErrNoKeys", name, err)
			}
		}
		if n := count(t, db); n != 0 {
			t.Errorf("there are %d keys", n)
		}
	})
}

// atOnce runs f in ten goroutines that start together.
func atOnce(f func(i int)) {
	const replicas = 10
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range replicas {
		group.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	group.Wait()
}

func TestRacingRotationsAddOneKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		openWith(t, db, clock.now, config())
		var added, next sync.Map
		atOnce(func(i int) {
			done := rotate(t, table(t, db, clock.now))
			next.Store(done.Key.ID, true)
			if done.Added {
				added.Store(i, true)
			}
		})
		if keys, adders := length(&next), length(&added); keys != 1 || adders != 1 || count(t, db) != 2 {
			t.Errorf("%d added one, %d keys are said to be next, %d are in the table", adders, keys, count(t, db))
		}
	})
}

func length(m *sync.Map) int { return len(maps.Collect(m.Range)) }

func TestRevokingALeakedKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		told, untold := openWith(t, db, clock.now, config()), openWith(t, db, clock.now, config())
		table := table(t, db, clock.now)
		first := told.Signing().ID
		second := rotate(t, table).Key.ID // published, and as leaked as the first

		done, err := table.Revoke(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(done.Retired)
		want := []string{first, second}
		slices.Sort(want)
		if !done.Added || done.Key.Phase != keyring.Signing || !slices.Equal(done.Retired, want) {
			t.Fatalf("revoking did %+v, want %v retired", done, want)
		}
		follow(t, told)
		third := told.Signing().ID
		if third != done.Key.ID || !slices.Equal(kids(t, told), []string{third}) {
			t.Errorf("it signs with %s and shows %v, want %s", third, kids(t, told), done.Key.ID)
		}
		// A ring that nobody has told meets the new key, and with it learns all the rest.
		if key, err := untold.Verifying(t.Context(), third); err != nil || key.ID != third {
			t.Errorf("the new key is %v, %v", key, err)
		}
		for _, ring := range []*keyring.Ring{told, untold} {
			for _, kid := range want {
				if _, err := ring.Verifying(t.Context(), kid); !errors.Is(err, keyring.ErrUnknown) || ring.InForce(kid, clock.now()) {
					t.Errorf("of a retired key it says %v, in force %t", err, ring.InForce(kid, clock.now()))
				}
			}
			if got := ring.Signing().ID; got != third {
				t.Errorf("it signs with %s", got)
			}
		}
	})
}

// However many revoke at once, one key is left, and none of those from before.
func TestRacingRevocationsLeaveOneKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		ring := openWith(t, db, clock.now, config())
		leaked := ring.Signing().ID
		atOnce(func(int) {
			if _, err := table(t, db, clock.now).Revoke(t.Context()); err != nil {
				t.Error(err)
			}
		})
		left := 0
		for kid, phase := range phases(t, table(t, db, clock.now)) {
			if phase != keyring.Retired {
				left++
				if kid == leaked {
					t.Error("the leaked key is left")
				}
			}
		}
		follow(t, ring)
		if left != 1 || !slices.Equal(kids(t, ring), []string{ring.Signing().ID}) {
			t.Errorf("%d keys are left; the ring shows %v", left, kids(t, ring))
		}
	})
}

// A change and its record are one: where the record fails, nothing has changed.
func TestChangesAreRecordedInTheirTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		type change struct {
			Change keyring.Change
			KID    string
		}
		var recorded []change
		var refusal error
		cfg := config()
		cfg.Record = func(_ context.Context, what keyring.Change, kid string) error {
			recorded = append(recorded, change{what, kid})
			return refusal
		}
		clock := newClock()
		ring := openWith(t, db, clock.now, cfg)
		first := ring.Signing().ID
		table := keyring.NewTable(db, master(t, secretA), clock.now, cfg)

		refusal = errors.New("the log is full")
		for name, replace := range map[string]func(context.Context) (keyring.Rotation, error){
			"rotate": table.Rotate, "revoke": table.Revoke,
		} {
			if _, err := replace(t.Context()); !errors.Is(err, refusal) {
				t.Errorf("%s: the error is %v", name, err)
			}
		}
		if got := phases(t, table); len(got) != 1 || got[first] != keyring.Signing {
			t.Errorf("after refusals the keys are %v", got)
		}

		refusal, recorded = nil, recorded[:1]
		second := rotate(t, table).Key.ID
		clock.advance(lead + ttl + leeway)
		follow(t, ring)
		done, err := table.Revoke(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []change{
			{keyring.KeyAdded, first},
			{keyring.KeyAdded, second},
			{keyring.KeyRetired, first},
			{keyring.KeyAdded, done.Key.ID},
			{keyring.KeyRetired, second},
		}
		if diff := cmp.Diff(want, recorded); diff != "" {
			t.Errorf("the record differs (-want +got):\n%s", diff)
		}
	})
}
