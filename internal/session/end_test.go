package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// login opens another session of an account.
func (r *replica) login(t *testing.T, email string) session.Tokens {
	t.Helper()
	_, tokens, err := r.Login(t.Context(), account.Credentials{Email: &email, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// caller returns who a request with the access token is by, as the middleware sees it; with an empty one, who sends none.
func (r *replica) caller(t *testing.T, raw string) *auth.Caller {
	t.Helper()
	var caller *auth.Caller
	next := http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) { caller = auth.FromContext(request.Context()) })
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", http.NoBody)
	if raw != "" {
		request.Header.Set("Authorization", "Bearer "+raw)
	}
	auth.Middleware(r, next).ServeHTTP(httptest.NewRecorder(), request)
	return caller
}

// expectNoRefresh checks that a refresh token is refused.
func (r *replica) expectNoRefresh(t *testing.T, token session.RefreshToken) {
	t.Helper()
	_, _, err := r.Refresh(t.Context(), token.Reveal())
	expectUserError(t, err, fault.InvalidRefreshToken, "refreshToken")
}

func (r *replica) refresh(t *testing.T, token session.RefreshToken) session.Tokens {
	t.Helper()
	_, tokens, err := r.Refresh(t.Context(), token.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func (r *replica) logout(t *testing.T, caller *auth.Caller, refreshToken string, everywhere bool, want int) {
	t.Helper()
	ended, err := r.Logout(t.Context(), caller, refreshToken, everywhere)
	if err != nil || ended != want {
		t.Errorf("logout ended %d: %v; want %d", ended, err, want)
	}
}

func expectUserError(t *testing.T, err error, code fault.Code, field string) {
	t.Helper()
	users, other := fault.Split(err)
	if other != nil || len(users) != 1 || users[0].Code != code || !slices.Equal(users[0].Field, []string{"input", field}) {
		t.Errorf("got %v (%v), want %s about %s", users, other, code, field)
	}
}

func expectReason(t *testing.T, err error, want fault.Reason) {
	t.Helper()
	if refusal, ok := errors.AsType[*fault.Error](err); !ok || refusal.Reason != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// victim is a session to be ended: its tokens, the refresh token before the present one, and another session of its account.
type victim struct {
	account   *account.Account
	tokens    session.Tokens
	replaced  session.RefreshToken // within the grace window
	elsewhere session.Tokens
}

func (r *replica) victim(t *testing.T, email string) victim {
	t.Helper()
	a, opened := r.register(t, email)
	return victim{account: a, tokens: r.refresh(t, opened.Refresh), replaced: opened.Refresh, elsewhere: r.login(t, email)}
}

// ways is every way in which a session ends before its time but reuse of its refresh token.
var ways = map[string]func(t *testing.T, r *replica, v victim){
	"revoked": func(t *testing.T, r *replica, v victim) {
		if err := r.Revoke(t.Context(), r.caller(t, v.elsewhere.Access.Token), v.tokens.SessionID); err != nil {
			t.Error(err)
		}
	},
	"revoked by itself": func(t *testing.T, r *replica, v victim) {
		if err := r.Revoke(t.Context(), r.caller(t, v.tokens.Access.Token), v.tokens.SessionID); err != nil {
			t.Error(err)
		}
	},
	"logged out by access token": func(t *testing.T, r *replica, v victim) {
		r.logout(t, r.caller(t, v.tokens.Access.Token), "", false, 1)
	},
	"logged out by refresh token": func(t *testing.T, r *replica, v victim) {
		r.logout(t, r.caller(t, ""), v.tokens.Refresh.Reveal(), false, 1)
	},
	"logged out by the refresh token before": func(t *testing.T, r *replica, v victim) {
		r.logout(t, r.caller(t, ""), v.replaced.Reveal(), false, 1)
	},
	"logged out everywhere": func(t *testing.T, r *replica, v victim) {
		r.logout(t, r.caller(t, v.elsewhere.Access.Token), "", true, 2)
	},
	"password changed": func(t *testing.T, r *replica, v victim) {
		change := session.PasswordChange{CurrentPassword: goodPassword, NewPassword: nextPassword}
		if _, _, err := r.ChangePassword(t.Context(), r.caller(t, v.elsewhere.Access.Token), change); err != nil {
			t.Error(err)
		}
	},
	"disabled": func(t *testing.T, r *replica, v victim) {
		if err := r.DisableAccount(t.Context(), v.account.ID); err != nil {
			t.Error(err)
		}
	},
}

// However a session ends, its access token is dead in this process at once and in every other after a look, and neither its
// refresh token nor the one before, whose grace lasts, brings it back.
func TestEveryEndIsReal(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		here, there := in.start(t, nil), in.start(t, nil)
		here.sync(t)
		_, bystander := here.register(t, "lee@example.com")
		for name, end := range ways {
			t.Run(name, func(t *testing.T) {
				v := here.victim(t, id.New(noon).String()+"@example.com")
				there.sync(t)
				there.expect(t, v.tokens.Access.Token, "")
				end(t, here, v)
				here.expect(t, v.tokens.Access.Token, "REVOKED")
				there.sync(t)
				there.expect(t, v.tokens.Access.Token, "REVOKED")
				for _, r := range []*replica{here, there} {
					r.expectNoRefresh(t, v.tokens.Refresh)
					r.expectNoRefresh(t, v.replaced)
				}
			})
		}
		for _, r := range []*replica{here, there} {
			r.expect(t, bystander.Access.Token, "")
			bystander = r.refresh(t, bystander.Refresh)
		}
	})
}

func TestEveryEndIsSeenElsewhereWithinASecond(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		here, there := in.start(t, nil), in.start(t, nil)
		here.sync(t)
		ctx, stop := context.WithCancel(t.Context())
		watched := make(chan error, 1)
		go func() { watched <- there.Watch(ctx) }()
		defer func() {
			stop()
			if err := <-watched; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
		var took []time.Duration
		for name, end := range ways {
			v := here.victim(t, id.New(noon).String()+"@example.com")
			refused := func() bool {
				_, err := there.Authenticate(t.Context(), v.tokens.Access.Token)
				return err != nil
			}
			eventually(t, "it is let in before", func() bool { return !refused() })
			end(t, here, v)
			ended := time.Now()
			eventually(t, name+": the end is seen", refused)
			took = append(took, time.Since(ended))
			there.expect(t, v.tokens.Access.Token, "REVOKED")
		}
		// A machine that is busy with other tests may be late now and then.
		slices.Sort(took)
		if median := took[len(took)/2]; median > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestRevokeIsForOnesOwnLiveSessions(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		_, anns := r.register(t, "ann@example.com")
		_, lees := r.register(t, "lee@example.com")
		ended := r.login(t, "ann@example.com")
		caller := r.caller(t, anns.Access.Token)
		if err := r.Revoke(t.Context(), caller, ended.SessionID); err != nil {
			t.Fatal(err)
		}
		expired := r.login(t, "ann@example.com")
		execute(t, db, "UPDATE sessions SET expires_at = ? WHERE id = ?", noon, expired.SessionID)

		before, trail := count(t, db, "sessions WHERE revoked_at IS NULL"), r.trail(t)
		for name, sessionID := range map[string]id.ID{
			"another's": lees.SessionID, "ended": ended.SessionID, "expired": expired.SessionID, "unknown": id.New(noon), "none": {},
		} {
			t.Log(name)
			expectUserError(t, r.Revoke(t.Context(), caller, sessionID), fault.NotFound, "sessionId")
		}
		if after := count(t, db, "sessions WHERE revoked_at IS NULL"); after != before {
			t.Errorf("%d sessions live, want %d as before", after, before)
		}
		r.expectTrail(t, trail...)
		r.expect(t, lees.Access.Token, "")
		expectReason(t, r.Revoke(t.Context(), r.caller(t, ""), anns.SessionID), fault.Missing)
		r.expect(t, anns.Access.Token, "")
	})
}

func TestLogoutTwice(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		r, late := in.start(t, nil), in.start(t, nil)
		r.sync(t)
		late.sync(t)
		_, tokens := r.register(t, "ann@example.com")
		other := r.login(t, "ann@example.com")
		r.logout(t, r.caller(t, tokens.Access.Token), "", false, 1)
		trail := r.trail(t)
		for _, everywhere := range []bool{false, true} { // what has ended is no proof
			for name, again := range map[string]func(){
				"by access token":  func() { r.logout(t, r.caller(t, tokens.Access.Token), "", everywhere, 0) },
				"by refresh token": func() { r.logout(t, r.caller(t, ""), tokens.Refresh.Reveal(), everywhere, 0) },
				"elsewhere":        func() { late.logout(t, late.caller(t, tokens.Access.Token), "", everywhere, 0) },
			} {
				t.Log(name)
				again()
			}
		}
		late.expect(t, tokens.Access.Token, "") // it has not looked: what it has just done was done by the row
		r.expectTrail(t, trail...)
		r.expect(t, other.Access.Token, "")
		r.refresh(t, other.Refresh)
	})
}

func TestLogoutWithAnExpiredAccessToken(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		_, tokens := r.register(t, "ann@example.com")
		forgotten := r.login(t, "ann@example.com")
		r.clock.set(noon.Add(lifetime + time.Second))
		r.sync(t)
		caller := r.caller(t, tokens.Access.Token)
		if caller.SignedIn() || caller.Refusal.Reason != fault.Expired || caller.Lapsed != tokens.SessionID {
			t.Fatalf("caller %+v", caller)
		}
		r.logout(t, caller, "", false, 1)
		r.expectNoRefresh(t, tokens.Refresh)
		r.logout(t, caller, "", false, 0)

		// It proves nothing about the others.
		_, err := r.Logout(t.Context(), r.caller(t, forgotten.Access.Token), "", true)
		expectReason(t, err, fault.Expired)
		r.refresh(t, forgotten.Refresh)

		// One of a session that has expired itself.
		third := r.login(t, "ann@example.com")
		execute(t, db, "UPDATE sessions SET expires_at = ? WHERE id = ?", r.clock.now(), third.SessionID)
		r.logout(t, r.caller(t, third.Access.Token), "", false, 0)
	})
}

func TestLogoutEverywhereIsTheAccounts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		_, lees := r.register(t, "lee@example.com")
		for name, with := range map[string]func(tokens session.Tokens) (*auth.Caller, string){
			"access token":  func(tokens session.Tokens) (*auth.Caller, string) { return r.caller(t, tokens.Access.Token), "" },
			"refresh token": func(tokens session.Tokens) (*auth.Caller, string) { return r.caller(t, ""), tokens.Refresh.Reveal() },
			// The refresh token decides.
			"another's access token": func(tokens session.Tokens) (*auth.Caller, string) {
				return r.caller(t, lees.Access.Token), tokens.Refresh.Reveal()
			},
			"a bad access token": func(tokens session.Tokens) (*auth.Caller, string) {
				return r.caller(t, "x"), tokens.Refresh.Reveal()
			},
		} {
			t.Log(name)
			_, tokens := r.register(t, id.New(noon).String()+"@example.com")
			mine := []session.Tokens{tokens}
			email := r.email(t, tokens)
			for range 3 {
				mine = append(mine, r.login(t, email))
			}
			execute(t, db, "UPDATE sessions SET expires_at = ? WHERE id = ?", noon, mine[3].SessionID)
			caller, refreshToken := with(tokens)
			r.logout(t, caller, refreshToken, true, 3) // the fourth had expired
			for _, ended := range mine {
				r.expect(t, ended.Access.Token, "REVOKED")
				r.expectNoRefresh(t, ended.Refresh)
			}
			r.expect(t, lees.Access.Token, "")
		}
	})
}

// A refresh token that was copied, as far as anybody can tell, ends the session that it is of, and none that others have open.
func TestLogoutEverywhereNeedsARefreshTokenInUse(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		for name, c := range map[string]struct {
			later     time.Duration // after the token was replaced
			refreshes int
			ended     int
			detail    string
		}{
			"in use":       {time.Second, 0, 2, "everywhere"},
			"within grace": {grace - time.Microsecond, 1, 2, "everywhere"},
			"after it":     {grace, 1, 1, ""},
		} {
			t.Log(name)
			r.clock.set(noon)
			a, tokens := r.register(t, id.New(noon).String()+"@example.com")
			other := r.login(t, a.Email)
			presented := tokens.Refresh
			for range c.refreshes {
				tokens = r.refresh(t, tokens.Refresh)
			}
			r.clock.set(noon.Add(c.later))
			r.sync(t)
			r.logout(t, r.caller(t, ""), presented.Reveal(), true, c.ended)
			r.expect(t, tokens.Access.Token, "REVOKED")
			r.expectNoRefresh(t, tokens.Refresh)
			if c.ended == 1 {
				r.expect(t, other.Access.Token, "")
				r.refresh(t, other.Refresh)
			} else {
				r.expect(t, other.Access.Token, "REVOKED")
			}
			entries := r.events(t, a.ID)
			if last := entries[len(entries)-1]; last.Event != audit.LoggedOut || *last.SessionID != tokens.SessionID ||
				last.Detail != c.detail {
				t.Errorf("the entry is %+v", last)
			}
		}
	})
}

// email returns the address of the account that the tokens are of.
func (r *replica) email(t *testing.T, tokens session.Tokens) string {
	t.Helper()
	a, err := r.accounts.ByID(t.Context(), r.caller(t, tokens.Access.Token).AccountID)
	if err != nil {
		t.Fatal(err)
	}
	return a.Email
}

func TestLogoutNeedsAProof(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		foreign := install(t, storetest.Open(t, storetest.SQLite)).start(t, nil)
		r.sync(t)
		_, tokens := r.register(t, "ann@example.com")
		_, foreigns := foreign.register(t, "lee@example.com")
		good := tokens.Refresh.Reveal()
		for name, refreshToken := range map[string]string{
			"nonsense": "x", "cut": good[:len(good)-1], "with a tail": good + "A", "another installation's": foreigns.Refresh.Reveal(),
			"an access token": tokens.Access.Token,
		} {
			t.Log(name)
			for _, caller := range []*auth.Caller{r.caller(t, ""), r.caller(t, tokens.Access.Token)} {
				ended, err := r.Logout(t.Context(), caller, refreshToken, true)
				expectUserError(t, err, fault.InvalidRefreshToken, "refreshToken")
				if ended != 0 {
					t.Errorf("ended %d", ended)
				}
			}
		}
		for raw, want := range map[string]fault.Reason{"": fault.Missing, "x": fault.Invalid} {
			_, err := r.Logout(t.Context(), r.caller(t, raw), "", true)
			expectReason(t, err, want)
		}
		r.clock.set(noon.Add(30 * time.Second)) // nothing has been read for so long
		_, err := r.Logout(t.Context(), r.caller(t, tokens.Access.Token), "", false)
		if refusal, ok := errors.AsType[*fault.Error](err); !ok || refusal.Code != fault.Unavailable {
			t.Errorf("while nobody can be let in: %v", err)
		}
		if live := count(t, db, "sessions WHERE revoked_at IS NULL"); live != 1 {
			t.Errorf("%d sessions live, want the one", live)
		}
	})
}

// A refresh token must be that of the row, not only of its id.
func TestLogoutLooksAtTheSalt(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		_, tokens := r.register(t, "ann@example.com")
		execute(t, db, "UPDATE sessions SET salt = ?", make([]byte, 16))
		r.logout(t, r.caller(t, ""), tokens.Refresh.Reveal(), true, 0)
		r.expect(t, tokens.Access.Token, "")
	})
}
