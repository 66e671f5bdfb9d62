package session_test

import (
	"sync"
	"testing"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/id"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// limit is how many sessions of an account live at most.
const limit = 100

// fill adds n sessions of the account, opened and last used at the given time, which expire after so long.
func fill(t *testing.T, db *store.DB, accountID id.ID, n int, at time.Time, life time.Duration) {
	t.Helper()
	rows := make([]session.Session, n)
	for i := range rows {
		rows[i] = session.Session{
			CreatedAt: at, ExpiresAt: at.Add(life), AbsoluteExpiresAt: at.Add(life), TokenExpiresAt: at.Add(life),
		}
	}
	insertSessions(t, db, accountID, rows)
}

// live counts the sessions that live at the given time.
func live(t *testing.T, db *store.DB, at time.Time) int {
	t.Helper()
	var rows int
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND expires_at > $1", at).
		Scan(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// One login too many ends the session that was used least recently, on every replica, though another was opened before it.
func TestLoginBeyondTheLimitEndsTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		here, there := in.start(t, nil), in.start(t, nil)
		ann, first := here.register(t, "ann@example.com")
		_, lees := here.register(t, "lee@example.com")
		here.clock.set(noon.Add(time.Minute))
		idler := here.login(t, ann.Email)
		here.clock.set(noon.Add(2 * time.Minute))
		first = here.refresh(t, first.Refresh)
		fill(t, db, ann.ID, limit-3, noon.Add(3*time.Minute), time.Hour)
		here.clock.set(noon.Add(4 * time.Minute))
		there.clock.set(noon.Add(4 * time.Minute))
		here.sync(t)
		here.login(t, ann.Email)
		here.expect(t, idler.Access.Token, "") // the hundredth
		trail := here.trail(t)

		last := here.login(t, ann.Email)
		there.sync(t)
		for _, r := range []*replica{here, there} {
			r.expect(t, idler.Access.Token, "REVOKED")
			r.expectNoRefresh(t, idler.Refresh)
			for _, alive := range []session.Tokens{first, last, lees} {
				r.expect(t, alive.Access.Token, "")
			}
		}
		if got := live(t, db, here.clock.now()); got != limit+1 { // one is Lee's
			t.Errorf("%d live, want %d and another's", got, limit)
		}
		here.expectTrail(t, append(trail,
			step{audit.LoggedIn, ann.ID, ann.ID, last.SessionID, ""},
			step{audit.SessionRevoked, ann.ID, ann.ID, idler.SessionID, "limit"})...)
	})
}

// While an account has expired sessions, however recently they were used, no live one makes room.
func TestExpiredSessionsMakeRoomFirst(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		ann, _ := r.register(t, "ann@example.com")
		fill(t, db, ann.ID, limit-2, noon, time.Hour)
		fill(t, db, ann.ID, 5, noon.Add(time.Minute), time.Minute)
		r.clock.set(noon.Add(3 * time.Minute))
		trail := r.trail(t)
		last := r.login(t, ann.Email)
		if got, unrevoked := live(t, db, r.clock.now()), count(t, db, "sessions WHERE revoked_at IS NULL"); got != limit ||
			unrevoked != limit {
			t.Errorf("%d live of %d", got, unrevoked)
		}
		r.expectTrail(t, append(trail, step{audit.LoggedIn, ann.ID, ann.ID, last.SessionID, ""})...) // nobody lost anything
	})
}

// An account from before there was a limit comes down to it, with a bounded number at each login and one entry for them.
func TestLoginsThinOutACrowd(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const crowd, atOnce = 700, 500
		r := install(t, db).start(t, nil)
		ann, first := r.register(t, "ann@example.com")
		fill(t, db, ann.ID, crowd, noon.Add(time.Second), time.Hour)
		r.clock.set(noon.Add(time.Minute))
		want := r.trail(t)
		for _, left := range []int{1 + crowd + 1 - atOnce, limit} {
			last := r.login(t, ann.Email)
			if got := live(t, db, r.clock.now()); got != left {
				t.Errorf("%d live, want %d", got, left)
			}
			want = append(want, step{audit.LoggedIn, ann.ID, ann.ID, last.SessionID, ""},
				step{audit.SessionRevoked, ann.ID, ann.ID, id.ID{}, "limit"})
		}
		r.expectTrail(t, want...)
		r.expectNoRefresh(t, first.Refresh)
	})
}

func TestLoginsAtOnceKeepToTheLimit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const before, logins = 80, 50
		in := install(t, db)
		replicas := []*replica{in.start(t, nil), in.start(t, nil)}
		ann, _ := replicas[0].register(t, "ann@example.com")
		fill(t, db, ann.ID, before-1, noon, time.Hour)
		opened := make(chan session.Tokens, logins)
		var group sync.WaitGroup
		for i := range logins {
			group.Go(func() {
				_, tokens, err := replicas[i%2].Login(t.Context(), account.Credentials{Email: &ann.Email, Password: goodPassword})
				if err != nil {
					t.Error(err)
				}
				opened <- tokens
			})
		}
		group.Wait()
		close(opened)
		if got := live(t, db, noon); got != limit {
			t.Errorf("%d live, want %d", got, limit)
		}
		if ended := tally(t, db, audit.SessionRevoked); tally(t, db, audit.LoggedIn) != logins || ended != before+logins-limit {
			t.Errorf("%d entries of logins, %d of what they ended", tally(t, db, audit.LoggedIn), ended)
		}
		// A session that lost is refused everywhere, one that did not is let in.
		for _, r := range replicas {
			r.sync(t)
		}
		for tokens := range opened {
			var ended int
			if err := db.QueryRow(t.Context(), "SELECT count(*) FROM sessions WHERE id = $1 AND revoked_at IS NOT NULL",
				tokens.SessionID).Scan(&ended); err != nil {
				t.Fatal(err)
			}
			for _, r := range replicas {
				r.expect(t, tokens.Access.Token, map[int]string{0: "", 1: "REVOKED"}[ended])
			}
		}
	})
}
