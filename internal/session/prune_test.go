package session_test

import (
	"slices"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// insertSessions adds sessions of the account to the table, with what opening one would have filled in besides.
func insertSessions(t *testing.T, db *store.DB, accountID id.ID, rows []session.Session) {
	t.Helper()
	for i := range rows {
		row := &rows[i]
		row.ID, row.AccountID = id.New(row.CreatedAt), accountID
		row.LastSeenAt, row.AuthTime, row.Salt = row.CreatedAt, row.CreatedAt, []byte{}
	}
	for batch := range slices.Chunk(rows, 500) {
		if _, err := db.Conn(t.Context()).NewInsert().Model(&batch).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPruneRemovesWhatEnded(t *testing.T) {
	t.Parallel()
	const h = time.Hour
	at := func(d time.Duration) *time.Time {
		t := noon.Add(d)
		return &t
	}
	cases := []struct {
		name                string
		expires, lastAccess time.Duration
		revoked             *time.Time
		goes                bool
	}{
		{"live", h, h, nil, false},
		{"live, long without an access token", h, -5 * h, nil, false},
		{"expired a moment ago", -h, -h, nil, false},
		{"expired before", -3 * h, -3 * h, nil, true},
		{"expired before, an access token outlived it", -3 * h, -h, nil, false},
		{"revoked a moment ago", h, -3 * h, at(-h), false},
		{"revoked before", h, -3 * h, at(-3 * h), true},
		{"revoked before, its access token lives", h, h, at(-3 * h), false},
		{"revoked before, its access token died since", h, -h, at(-3 * h), false},
		{"revoked, then expired before", -3 * h, -3 * h, at(-4 * h), true},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		ann, opened := r.register(t, "ann@example.com")
		rows := make([]session.Session, len(cases))
		for i, c := range cases {
			rows[i] = session.Session{
				CreatedAt: noon.Add(-30 * h), ExpiresAt: noon.Add(c.expires), AbsoluteExpiresAt: noon.Add(2 * h),
				TokenExpiresAt: noon.Add(c.lastAccess), RevokedAt: c.revoked,
			}
		}
		insertSessions(t, db, ann.ID, rows)
		removed, more, err := r.Prune(t.Context(), noon.Add(-2*h), 500)
		if err != nil || more {
			t.Fatalf("more: %t, %v", more, err)
		}
		if removed != 3 {
			t.Errorf("removed %d", removed)
		}
		for i, c := range cases {
			var left int
			if err := db.QueryRow(t.Context(), "SELECT count(*) FROM sessions WHERE id = $1", rows[i].ID).Scan(&left); err != nil {
				t.Fatal(err)
			}
			if gone := left == 0; gone != c.goes {
				t.Errorf("%s: gone %t", c.name, gone)
			}
		}
		r.mustRefresh(t, opened.Refresh.Reveal())
	})
}

// A revocation must be found for as long as a replica whose clock is behind may take an access token for alive.
func TestPruneKeepsWhatIsLookedUp(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		ann, _ := r.register(t, "ann@example.com")
		if err := r.DisableAccount(t.Context(), ann.ID); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			at   time.Duration
			want int
		}{{lifetime, 0}, {lifetime + time.Minute, 0}, {lifetime + time.Minute + time.Second, 1}} {
			r.clock.set(noon.Add(step.at))
			removed, _, err := r.Prune(t.Context(), noon.Add(time.Hour), 500)
			if err != nil || removed != step.want {
				t.Errorf("at %v: removed %d, want %d: %v", step.at, removed, step.want, err)
			}
		}
	})
}

// More sessions than one look passes, and more dead ones than one call may remove.
func TestPruneWalksThroughAll(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		ann, _ := r.register(t, "ann@example.com")
		rows := make([]session.Session, 20_500)
		dead := 0
		var inStride [3]int // of 10000 sessions each
		for i := range rows {
			rows[i] = session.Session{
				CreatedAt: noon.Add(time.Duration(i-len(rows)) * time.Minute),
				ExpiresAt: noon.Add(time.Hour), TokenExpiresAt: noon.Add(-time.Hour),
			}
			if i < 10 || 5000 <= i && i < 5016 || i%9_999 == 0 || i > 20_490 {
				rows[i].ExpiresAt = noon.Add(-time.Hour)
				dead++
				inStride[i/10_000]++
			}
		}
		insertSessions(t, db, ann.ID, rows)
		const limit = 7
		calls, total := 0, 0
		for more := true; more; calls++ {
			removed, left, err := r.Prune(t.Context(), noon.Add(-time.Minute), limit)
			if err != nil || removed > limit {
				t.Fatalf("removed %d: %v", removed, err)
			}
			total += removed
			more = left
		}
		want := 0
		for _, n := range inStride {
			want += n/limit + 1
		}
		if calls != want || total != dead {
			t.Errorf("%d calls removed %d, want %d and %d", calls, total, want, dead)
		}
		if left := count(t, db, "sessions"); left != len(rows)-dead+1 {
			t.Errorf("%d left", left)
		}
		// The next round begins at the beginning.
		execute(t, db, "UPDATE sessions SET expires_at = ? WHERE id = ?", noon.Add(-time.Hour), rows[20].ID)
		for _, want := range []struct {
			removed int
			more    bool
		}{{1, true}, {0, true}, {0, false}} { // each call looks at one stride, even where there is nothing to remove
			removed, more, err := r.Prune(t.Context(), noon.Add(-time.Minute), limit)
			if err != nil || removed != want.removed || more != want.more {
				t.Errorf("removed %d, more: %t (%v), want %v", removed, more, err, want)
			}
		}
	})
}
