package session_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/role"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// mustRefresh presents a refresh token that must be accepted.
func (r *replica) mustRefresh(t *testing.T, refreshToken string) (*account.Account, session.Tokens) {
	t.Helper()
	a, tokens, err := r.Refresh(t.Context(), refreshToken)
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	return a, tokens
}

// expectRefused presents a refresh token that must be refused, like every other that is refused.
func (r *replica) expectRefused(t *testing.T, refreshToken string) {
	t.Helper()
	a, tokens, err := r.Refresh(t.Context(), refreshToken)
	users, other := fault.Split(err)
	if other != nil || len(users) != 1 || users[0].Code != fault.InvalidRefreshToken || users[0].Message == "" ||
		!slices.Equal(users[0].Field, []string{"input", "refreshToken"}) {
		t.Errorf("refused with %#v, %v", users, err)
	}
	if a != nil || tokens != (session.Tokens{}) {
		t.Error("refused, and yet there are tokens")
	}
}

// Each row is the life of one session: who presents which token when, and what they get. The first token is called a.
func TestRefresh(t *testing.T) {
	t.Parallel()
	type step struct {
		at      time.Duration
		present string
		get     string // a name not heard before is a new token; empty: refused
	}
	const s, h = time.Second, time.Hour
	lives := []struct {
		name  string
		grace time.Duration
		steps []step
	}{
		{"one after the other", grace, []step{{0, "a", "b"}, {h, "b", "c"}, {2 * h, "c", "d"}}},
		{"a lost answer", grace, []step{{0, "a", "b"}, {10 * s, "a", "b"}, {30*s - 1000, "a", "b"}, {h, "b", "c"}}},
		{"a late tab", grace, []step{{0, "a", "b"}, {s, "b", "c"}, {2 * s, "a", "c"}, {3 * s, "c", "d"}, {h, "d", "e"}}},
		{"a chain", grace, []step{
			{0, "a", "b"},
			{10 * s, "b", "c"},
			{20 * s, "c", "d"},
			{25 * s, "a", "d"},
			{26 * s, "b", "d"},
			{27 * s, "c", "d"},
			{h, "d", "e"},
			{h, "d", "e"},
		}},
		{"a chain's beginning comes back", grace, []step{{0, "a", "b"}, {10 * s, "b", "c"}, {30 * s, "a", ""}, {31 * s, "c", ""}}},
		{"a lost answer at a chain's end", grace, []step{
			{0, "a", "b"}, {29 * s, "b", "c"}, {31 * s, "b", "c"}, {59*s - 1000, "b", "c"}, {59 * s, "c", "d"},
		}},
		{"a chain's end comes back", grace, []step{{0, "a", "b"}, {29 * s, "b", "c"}, {59 * s, "b", ""}, {60 * s, "c", ""}}},
		{"a chain after a chain", grace, []step{
			{0, "a", "b"},
			{20 * s, "b", "c"},
			{40 * s, "c", "d"},
			{50 * s, "d", "e"},
			{69 * s, "c", "e"},
			{70 * s, "d", "e"},
			{71 * s, "b", ""},
			{72 * s, "e", ""},
		}},
		{"reuse", grace, []step{{0, "a", "b"}, {30 * s, "a", ""}, {31 * s, "b", ""}}},
		{"late reuse", grace, []step{{0, "a", "b"}, {h, "b", "c"}, {h + s, "a", ""}, {h + 2*s, "c", ""}}},
		{"strict", 0, []step{{0, "a", "b"}, {s, "b", "c"}, {2 * s, "c", "d"}, {2 * s, "c", ""}, {2 * s, "d", ""}}},
		{"strict, at the same moment", 0, []step{{0, "a", "b"}, {0, "a", ""}, {0, "b", ""}}},
		{"idle", grace, []step{{idle - 1000, "a", "b"}, {2*idle - 2000, "b", "c"}, {3*idle - 2000, "c", ""}}},
		{"idle from the beginning", grace, []step{{idle, "a", ""}, {idle - s, "a", "b"}}},
		{"kept awake by a late tab", grace, []step{{0, "a", "b"}, {20 * s, "a", "b"}, {idle + 19*s, "b", "c"}}},
		{"absolute", grace, []step{
			{20 * h, "a", "b"}, {40 * h, "b", "c"}, {60 * h, "c", "d"}, {absolute - 1000, "d", "e"}, {absolute, "e", ""},
		}},
	}
	for _, life := range lives {
		t.Run(life.name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				in := install(t, db)
				in.grace = life.grace
				r := in.start(t, nil)
				_, opened := r.register(t, "ann@example.com")
				named := map[string]string{"a": opened.Refresh.Reveal()}
				for i, step := range life.steps {
					t.Logf("step %d: %v, %s", i, step.at, step.present)
					now := noon.Add(step.at)
					r.clock.set(now)
					r.sync(t)
					if step.get == "" {
						r.expectRefused(t, named[step.present])
						continue
					}
					_, tokens := r.mustRefresh(t, named[step.present])
					got, known := tokens.Refresh.Reveal(), named[step.get]
					if known == "" {
						for name, old := range named {
							if got == old {
								t.Errorf("got %s again, want a new one", name)
							}
						}
						named[step.get] = got
					} else if got != known {
						t.Errorf("did not get %s", step.get)
					}
					r.expectLifetimes(t, tokens, now)
				}
			})
		})
	}
}

// expectLifetimes checks when the tokens that were got at now end.
func (r *replica) expectLifetimes(t *testing.T, tokens session.Tokens, now time.Time) {
	t.Helper()
	end := noon.Add(absolute)
	if idleEnd := now.Add(idle); idleEnd.Before(end) {
		end = idleEnd
	}
	if !tokens.RefreshExpiresAt.Equal(end) {
		t.Errorf("the session ends at %v, want %v", tokens.RefreshExpiresAt, end)
	}
	access := now.Truncate(time.Second).Add(lifetime)
	if noon.Add(absolute).Before(access) {
		access = noon.Add(absolute)
	}
	if !tokens.Access.ExpiresAt.Equal(access) {
		t.Errorf("the access token ends at %v, want %v", tokens.Access.ExpiresAt, access)
	}
	caller, err := r.Authenticate(t.Context(), tokens.Access.Token)
	if err != nil {
		t.Fatalf("a fresh access token: %v", err)
	}
	if caller.SessionID != tokens.SessionID || !caller.AuthTime.Equal(noon) || !slices.Equal(caller.AMR, []string{"pwd"}) {
		t.Errorf("caller %+v", caller)
	}
}

// Whenever it was opened, up to its end a session has access tokens that are accepted, and none lives longer.
func TestLastAccessTokenEndsWithTheSession(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.clock.set(noon.Add(999 * time.Millisecond))
		_, opened := r.register(t, "ann@example.com")
		present := opened.Refresh.Reveal()
		for at := idle / 2; at < absolute; at += idle / 2 {
			r.clock.set(noon.Add(at))
			_, tokens := r.mustRefresh(t, present)
			present = tokens.Refresh.Reveal()
		}
		r.clock.set(noon.Add(absolute - time.Microsecond))
		r.sync(t)
		_, tokens := r.mustRefresh(t, present)
		r.expect(t, tokens.Access.Token, "")
		r.clock.set(noon.Add(absolute))
		r.expect(t, tokens.Access.Token, "EXPIRED")
		r.expectRefused(t, tokens.Refresh.Reveal())
	})
}

func TestRefreshGivesTheRolesOfToday(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		ann, opened := r.register(t, "ann@example.com")
		if err := r.roles.Grant(t.Context(), ann.ID, role.Admin); err != nil {
			t.Fatal(err)
		}
		r.clock.set(noon.Add(time.Second))
		a, tokens := r.mustRefresh(t, opened.Refresh.Reveal())
		if a.ID != ann.ID || a.Email != ann.Email {
			t.Errorf("account %v, want %v", a.ID, ann.ID)
		}
		caller, err := r.Authenticate(t.Context(), tokens.Access.Token)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(caller.Roles, []string{role.Admin, role.User}) {
			t.Errorf("roles %q", caller.Roles)
		}
		execute(t, db, "DELETE FROM account_roles WHERE role = ?", role.Admin)
		_, tokens = r.mustRefresh(t, opened.Refresh.Reveal())
		caller, err = r.Authenticate(t.Context(), tokens.Access.Token)
		if err != nil || !slices.Equal(caller.Roles, []string{role.User}) {
			t.Errorf("roles %q: %v", caller.Roles, err)
		}
	})
}

func TestRefreshIsSeen(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		_, opened := r.register(t, "ann@example.com")
		r.clock.set(noon.Add(time.Hour))
		r.mustRefresh(t, opened.Refresh.Reveal())
		row := sessionRow(t, db, opened.SessionID)
		if !row.LastSeenAt.Equal(noon.Add(time.Hour)) || !row.CreatedAt.Equal(noon) || !row.AuthTime.Equal(noon) {
			t.Errorf("last seen %v, created %v, authenticated %v", row.LastSeenAt, row.CreatedAt, row.AuthTime)
		}
		if !row.TokenExpiresAt.Equal(noon.Add(time.Hour + lifetime)) {
			t.Errorf("its access tokens end at %v", row.TokenExpiresAt)
		}
	})
}

// Whoever got hold of the master secret, but not of the database, can make the MAC of any token, and guess no salt. Nor may what
// they present end the session.
func TestRefreshLooksAtTheSalt(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		_, opened := r.register(t, "ann@example.com")
		salt := sessionRow(t, db, opened.SessionID).Salt
		execute(t, db, "UPDATE sessions SET salt = ?, generation = 5", slices.Repeat([]byte{7}, len(salt)))
		r.expectRefused(t, opened.Refresh.Reveal())
		r.expect(t, opened.Access.Token, "")
		execute(t, db, "UPDATE sessions SET salt = ?, generation = 0", salt)
		r.mustRefresh(t, opened.Refresh.Reveal())
	})
}

// A session from before there were refresh tokens goes on to its end, and gets no use of the token it is given.
func TestOldSessionsHaveNoUseOfARefreshToken(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		_, opened := r.register(t, "ann@example.com")
		execute(t, db, "UPDATE sessions SET salt = '', absolute_expires_at = ?0, expires_at = ?0", noon.Add(lifetime))
		caller, err := r.Authenticate(t.Context(), opened.Access.Token)
		if err != nil {
			t.Fatal(err)
		}
		_, tokens, err := r.ChangePassword(t.Context(), caller, session.PasswordChange{
			CurrentPassword: goodPassword, NewPassword: "seven rivers meet here",
		})
		if err != nil {
			t.Fatal(err)
		}
		r.expect(t, tokens.Access.Token, "")
		r.expectRefused(t, tokens.Refresh.Reveal())
		r.expect(t, tokens.Access.Token, "")
	})
}

func TestSecretsChangeHands(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		older, newer := newSecret(), newSecret()
		with := func(secrets string) *replica {
			in := install(t, db)
			master, err := secret.Parse(secrets)
			if err != nil {
				t.Fatal(err)
			}
			in.master = master
			return in.start(t, nil)
		}
		before := with(older)
		_, first := before.register(t, "ann@example.com")
		both := with(newer + "," + older)
		_, second := both.mustRefresh(t, first.Refresh.Reveal())
		before.expectRefused(t, second.Refresh.Reveal()) // made with the newer one

		// A replica that has the newer secret behind the older one accepts the same tokens, and in the grace window gives a
		// successor that the others accept.
		_, again := with(older+","+newer).mustRefresh(t, first.Refresh.Reveal())
		_, third := both.mustRefresh(t, again.Refresh.Reveal())
		execute(t, db, "DELETE FROM signing_keys") // sealed under the older secret
		after := with(newer)
		after.expectRefused(t, first.Refresh.Reveal())
		after.mustRefresh(t, third.Refresh.Reveal())
	})
}

func TestWithoutASecretNoSessionOpens(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	in := install(t, db)
	healthy := in.start(t, nil)
	_, opened := healthy.register(t, "ann@example.com")
	in.secretless = true
	r := in.start(t, nil)
	_, _, err := r.Register(t.Context(), account.Registration{Email: "lee@example.com", Password: goodPassword})
	if users, other := fault.Split(err); other == nil || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("register: %v", users)
	}
	expectOneOfEach(t, db)
	r.expectRefused(t, opened.Refresh.Reveal())
	healthy.mustRefresh(t, opened.Refresh.Reveal())
}

func sessionRow(t *testing.T, db *store.DB, sessionID id.ID) session.Session {
	t.Helper()
	var row session.Session
	err := db.Conn(t.Context()).NewSelect().Model(&row).Where("id = ?", sessionID).Scan(t.Context())
	if err != nil {
		t.Fatalf("session %s: %v", sessionID, err)
	}
	return row
}

func TestRefreshTokensAreMasked(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	_, tokens := install(t, db).start(t, nil).register(t, "ann@example.com")
	text := tokens.Refresh.Reveal()
	if len(text) != 97 {
		t.Errorf("%d characters", len(text))
	}
	expectMasked(t, text, tokens.Refresh)
	expectMasked(t, text, tokens)
	expectMasked(t, text, fmt.Errorf("wrapped: %v", tokens))
}
