package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestASessionIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	set, one, other := newSightings(), id.New(noon), id.New(noon)
	one[15], other[15] = 1, 2
	take := func(want ...sighting) {
		t.Helper()
		slices.SortFunc(want, func(a, b sighting) int { return slices.Compare(a.ID[:], b.ID[:]) })
		if got := set.take(); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	at := func(sessionID id.ID, after time.Duration) sighting {
		return sighting{ID: sessionID, At: noon.Add(after), Before: noon.Add(after - time.Minute)}
	}
	take()
	set.note(one, noon.Add(time.Second/2))
	set.note(one, noon.Add(time.Second))
	set.note(other, noon.Add(time.Second))
	take(at(one, time.Second/2), at(other, time.Second))
	take()
	set.note(one, noon.Add(time.Minute+time.Second/4)) // less than a minute, though the seconds say more
	take()
	set.note(one, noon.Add(time.Minute+time.Second))
	set.note(other, noon.Add(time.Minute+time.Second))
	take(at(one, time.Minute+time.Second))
	set.note(one, noon.Add(time.Second)) // the clock was set back a little, then more
	take()
	set.note(one, noon.Add(-time.Minute))
	take(at(one, -time.Minute))

	// What could not be written is kept, and a newer note instead of it.
	set.note(one, noon.Add(5*time.Minute))
	set.note(other, noon.Add(5*time.Minute))
	lost := set.take()
	set.note(one, noon.Add(20*time.Minute))
	set.putBack(lost)
	take(at(one, 20*time.Minute), at(other, 5*time.Minute))
	take()
}

// Sessions that share a slot are noted more often than once a minute, but none is forgotten or taken for the other.
func TestSessionsThatShareASlot(t *testing.T) {
	t.Parallel()
	set, one := newSightings(), id.New(noon)
	other := id.New(noon)
	copy(other[14:], one[14:])
	for second := range 10 {
		now := noon.Add(time.Duration(second) * time.Second)
		set.note(one, now)
		set.note(other, now)
		if taken := set.take(); len(taken) != 2 || taken[0].ID == taken[1].ID {
			t.Errorf("%v were noted, want both", taken)
		}
	}
}

func TestSightingsMayBeUsedConcurrently(t *testing.T) {
	t.Parallel()
	set := newSightings()
	sessions := make([]id.ID, 100)
	for i := range sessions {
		sessions[i] = id.New(noon)
		sessions[i][15] = byte(i) // so that none shares its slot
	}
	seen := make(map[id.ID]bool)
	var users, takers sync.WaitGroup
	done := make(chan struct{})
	takers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				taken := set.take()
				for _, s := range taken[:len(taken)/2] {
					if seen[s.ID] {
						t.Errorf("%s was taken twice within a minute", s.ID)
					}
					seen[s.ID] = true
				}
				set.putBack(taken[len(taken)/2:])
			}
		}
	})
	for range 8 {
		users.Go(func() {
			for range 100 {
				for _, sessionID := range sessions {
					set.note(sessionID, noon)
				}
			}
		})
	}
	users.Wait()
	close(done)
	takers.Wait()
	for _, left := range set.take() {
		seen[left.ID] = true
	}
	if len(seen) != len(sessions) {
		t.Errorf("%d sessions were seen, want %d", len(seen), len(sessions))
	}
}

// household is services over one database, each with a clock of its own, and sessions in it.
type household struct {
	db       *store.DB
	sessions []id.ID
}

func newHousehold(t *testing.T, db *store.DB, sessions int) household {
	t.Helper()
	a := &account.Account{ID: id.New(noon), Email: "ann@example.com", EmailKey: "ann@example.com", CreatedAt: noon, UpdatedAt: noon}
	if err := account.New(db, nil, nil).Insert(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	h := household{db: db}
	rows := make([]Session, sessions)
	for i := range rows {
		rows[i] = Session{
			ID: id.New(noon), AccountID: a.ID, CreatedAt: noon, LastSeenAt: noon, AuthTime: noon, ExpiresAt: noon.Add(time.Hour),
			AbsoluteExpiresAt: noon.Add(time.Hour), TokenExpiresAt: noon, PreviousUntil: noon, GraceUntil: noon, Salt: []byte{},
		}
		h.sessions = append(h.sessions, rows[i].ID)
	}
	if _, err := db.Conn(t.Context()).NewInsert().Model(&rows).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// replica returns a service whose clock says *now.
func (h household) replica(t *testing.T, now *time.Time) *Service {
	t.Helper()
	s, err := New(h.db, nil, nil, nil, nil, func() time.Time { return *now }, Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// expect checks how many sessions were last seen when.
func (h household) expect(t *testing.T, want map[time.Duration]int) {
	t.Helper()
	var rows []Session
	if err := h.db.Conn(t.Context()).NewSelect().Model(&rows).Column("last_seen_at").Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := make(map[time.Duration]int)
	for _, row := range rows {
		got[row.LastSeenAt.Sub(noon)]++
	}
	for at, sessions := range want {
		if got[at] != sessions {
			t.Errorf("%d sessions were last seen after %s, want %d (%v)", got[at], at, sessions, got)
		}
	}
}

func flush(t *testing.T, s *Service) {
	t.Helper()
	if err := s.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestReplicasDoNotRepeatEachOther(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := newHousehold(t, db, 2)
		var now time.Time
		a, b := h.replica(t, &now), h.replica(t, &now)
		one := h.sessions[0]
		for _, step := range []struct {
			by   *Service
			at   time.Duration
			want time.Duration
		}{
			{a, 30 * time.Second, 0}, // it was opened less than a minute ago
			{b, time.Minute, time.Minute},
			{a, 100 * time.Second, time.Minute},
			{b, 119 * time.Second, time.Minute},
			{a, 3 * time.Minute, 3 * time.Minute},
			{b, 4*time.Minute - time.Microsecond, 3 * time.Minute},
			{b, 10 * time.Minute, 10 * time.Minute},
			{a, 5 * time.Minute, 10 * time.Minute}, // its clock is late
		} {
			now = noon.Add(step.at)
			step.by.seen.note(one, now)
			flush(t, step.by)
			want := map[time.Duration]int{step.want: 1, 0: 1}
			if step.want == 0 {
				want[0] = 2
			}
			h.expect(t, want)
		}
	})
}

func TestSightingsAreWrittenInBatches(t *testing.T) {
	t.Parallel()
	const sessions = 2*seenBatch + 1
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db := storetest.Open(t, kind)
			h := newHousehold(t, db, sessions+2)
			now := noon.Add(2 * time.Minute)
			s := h.replica(t, &now)
			ended, unknown := h.sessions[sessions], id.New(noon)
			revoke := db.Conn(t.Context()).NewUpdate().Model((*Session)(nil)).Set("revoked_at = ?", noon).Where("id = ?", ended)
			if _, err := revoke.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, sessionID := range append([]id.ID{ended, unknown}, h.sessions[:sessions]...) {
				s.seen.note(sessionID, now)
			}
			h.expect(t, map[time.Duration]int{0: sessions + 2}) // nobody has waited for the database
			flush(t, s)
			h.expect(t, map[time.Duration]int{2 * time.Minute: sessions, 0: 2})
			if kind == storetest.Postgres {
				var transactions int
				query := "SELECT count(DISTINCT xmin::text) FROM sessions WHERE last_seen_at > created_at"
				if err := db.QueryRow(t.Context(), query).Scan(&transactions); err != nil || transactions != 3 {
					t.Errorf("%d transactions, want 3: %v", transactions, err)
				}
			}
		})
	}
}

// While the database hangs, a request goes on, and what it noted is written when the database is back.
func TestRequestsDoNotWaitForSightings(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := newHousehold(t, db, 100)
		now := noon.Add(2 * time.Minute)
		s := h.replica(t, &now)
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, sessionID := range h.sessions[:50] {
			s.seen.note(sessionID, now)
		}
		patient, cancel := context.WithCancel(t.Context())
		flushed := make(chan error, 1)
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			touch := db.Conn(ctx).NewUpdate().Model((*Session)(nil)).Set("user_agent = 'x'").Where("TRUE")
			if _, err := touch.Exec(ctx); err != nil {
				return err
			}
			go func() { flushed <- s.flush(patient) }()
			for range 100 {
				for _, sessionID := range h.sessions { // would never return if it waited for the flush
					if refusal := s.admit(sessionID); refusal != nil {
						return refusal
					}
				}
				time.Sleep(time.Millisecond)
			}
			cancel()
			if err := <-flushed; !errors.Is(err, context.Canceled) {
				t.Errorf("written although the rows were locked, or failed by itself: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		flush(t, s)
		h.expect(t, map[time.Duration]int{2 * time.Minute: 100})
	})
}

// Watch writes what is left when it ends, as it does when the server drains.
func TestSightingsAreWrittenAtTheEnd(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := newHousehold(t, db, 3)
		now := noon.Add(2 * time.Minute)
		s := h.replica(t, &now)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Watch(ctx) }()
		for s.looked.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		for _, sessionID := range h.sessions {
			if refusal := s.admit(sessionID); refusal != nil {
				t.Fatal(refusal)
			}
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		h.expect(t, map[time.Duration]int{2 * time.Minute: 3})
	})
}
