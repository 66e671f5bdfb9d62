package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/request"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// step is an audit entry without its time and id. Those of a failed login that names no account, say, have zero ids.
type step struct {
	event                     audit.Event
	actor, account, sessionID id.ID
	detail                    string
}

func (s step) String() string {
	return fmt.Sprintf("%s by %s of %s in %s %q", s.event, s.actor, s.account, s.sessionID, s.detail)
}

// trail returns the audit log.
func (r *replica) trail(t *testing.T) []step {
	t.Helper()
	entries, err := r.log.List(t.Context(), nil, page.Request{First: page.MaxSize})
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	for _, e := range entries.Nodes {
		if e.Event != audit.KeyAdded {
			steps = append(steps, step{e.Event, orZero(e.ActorID), orZero(e.AccountID), orZero(e.SessionID), e.Detail})
		}
	}
	return steps
}

func orZero(of *id.ID) id.ID {
	if of == nil {
		return id.ID{}
	}
	return *of
}

// expectTrail compares the audit log with what it should say, in any order: while the clock stands still there is none.
func (r *replica) expectTrail(t *testing.T, want ...step) {
	t.Helper()
	if diff := cmp.Diff(sorted(want), sorted(r.trail(t))); diff != "" {
		t.Errorf("the audit log (-want +got):\n%s", diff)
	}
}

func sorted(steps []step) []string {
	texts := make([]string, 0, len(steps))
	for _, s := range steps {
		texts = append(texts, s.String())
	}
	slices.Sort(texts)
	return texts
}

// Every act leaves its entry, and one that does nothing leaves none.
func TestTrail(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		email, unknown := "ann@example.com", "who@example.com"
		a, first := r.register(t, email)
		ann := a.ID
		want := []step{{audit.AccountRegistered, ann, ann, first.SessionID, ""}}
		r.expectTrail(t, want...)

		second := r.login(t, email)
		want = append(want, step{audit.LoggedIn, ann, ann, second.SessionID, ""})
		r.expectTrail(t, want...)

		for _, refused := range []account.Credentials{
			{Email: &email, Password: "wrong horse battery staple"}, {Email: &unknown, Password: goodPassword},
		} {
			if _, _, err := r.Login(t.Context(), refused); err == nil {
				t.Fatal("let in")
			}
		}
		want = append(want, step{audit.LoginFailed, id.ID{}, ann, id.ID{}, ""}, step{audit.LoginFailed, id.ID{}, id.ID{}, id.ID{}, ""})
		r.expectTrail(t, want...)
		if _, _, err := r.Login(t.Context(), account.Credentials{Password: goodPassword}); err == nil { // a mistake of the client's
			t.Fatal("let in")
		}
		if _, _, err := r.Register(t.Context(), account.Registration{Email: email, Password: goodPassword}); err == nil {
			t.Fatal("registered twice")
		}
		r.expectTrail(t, want...)

		first = r.refresh(t, first.Refresh) // says nothing: it happens all the time
		caller := r.caller(t, first.Access.Token)
		if err := r.Revoke(t.Context(), caller, second.SessionID); err != nil {
			t.Fatal(err)
		}
		want = append(want, step{audit.SessionRevoked, ann, ann, second.SessionID, ""})
		r.expectTrail(t, want...)

		change := session.PasswordChange{CurrentPassword: "wrong horse", NewPassword: nextPassword}
		if _, _, err := r.ChangePassword(t.Context(), caller, change); err == nil {
			t.Fatal("changed with the wrong password")
		}
		want = append(want, step{audit.LoginFailed, ann, ann, first.SessionID, ""})
		change = session.PasswordChange{CurrentPassword: goodPassword, NewPassword: "short"}
		if _, _, err := r.ChangePassword(t.Context(), caller, change); err == nil {
			t.Fatal("changed to a bad password")
		}
		r.expectTrail(t, want...)
		change.NewPassword = goodPassword // the same again is a change too
		if _, _, err := r.ChangePassword(t.Context(), caller, change); err != nil {
			t.Fatal(err)
		}
		want = append(want, step{audit.PasswordChanged, ann, ann, first.SessionID, ""})
		r.expectTrail(t, want...)

		r.logout(t, caller, "", false, 1)
		third, fourth := r.login(t, email), r.login(t, email)
		r.logout(t, r.caller(t, ""), third.Refresh.Reveal(), true, 2)
		want = append(want,
			step{"LOGGED_OUT", ann, ann, first.SessionID, ""},
			step{"LOGGED_IN", ann, ann, third.SessionID, ""}, step{audit.LoggedIn, ann, ann, fourth.SessionID, ""},
			step{"LOGGED_OUT", ann, ann, third.SessionID, "everywhere"})
		r.expectTrail(t, want...)

		for range 2 {
			if err := r.DisableAccount(t.Context(), ann); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.DisableAccount(t.Context(), id.New(noon)); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		want = append(want, step{audit.AccountDisabled, id.ID{}, ann, id.ID{}, ""})
		r.expectTrail(t, want...)
	})
}

// An entry tells from where, and holds nothing of what was typed.
func TestTrailTellsFromWhere(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		ctx := request.NewContext(t.Context(), request.Info{ID: "r1", Address: "192.0.2.1", UserAgent: "curl/8"})
		email := "ann@example.com"
		if _, _, err := r.Login(ctx, account.Credentials{Email: &email, Password: goodPassword}); err == nil {
			t.Fatal("let in")
		}
		entries, err := r.log.List(t.Context(), nil, page.Request{First: page.MaxSize})
		if err != nil {
			t.Fatal(err)
		}
		last := entries.Nodes[0]
		if last.Event != audit.LoginFailed || last.IPAddress != "192.0.2.1" || last.UserAgent != "curl/8" || last.RequestID != "r1" ||
			last.Detail != "" {
			t.Errorf("the entry is %+v", last)
		}
	})
}

// Neither does an act happen without its entry, nor is there an entry of what did not happen.
func TestActAndEntryAreOne(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		email := "ann@example.com"
		a, tokens := r.register(t, email)
		other := r.login(t, email)
		caller := r.caller(t, tokens.Access.Token)
		acts := map[string]func(ctx context.Context) error{
			"register": func(ctx context.Context) error {
				_, _, err := r.Register(ctx, account.Registration{Email: "lee@example.com", Password: goodPassword})
				return err
			},
			"login": func(ctx context.Context) error {
				_, _, err := r.Login(ctx, account.Credentials{Email: &email, Password: goodPassword})
				return err
			},
			"revoke": func(ctx context.Context) error { return r.Revoke(ctx, caller, other.SessionID) },
			"logout": func(ctx context.Context) error {
				_, err := r.Logout(ctx, caller, "", false)
				return err
			},
			"logout everywhere": func(ctx context.Context) error {
				_, err := r.Logout(ctx, caller, "", true)
				return err
			},
			"change password": func(ctx context.Context) error {
				_, _, err := r.ChangePassword(ctx, caller, session.PasswordChange{CurrentPassword: goodPassword, NewPassword: nextPassword})
				return err
			},
			"disable": func(ctx context.Context) error { return r.DisableAccount(ctx, a.ID) },
		}
		rows := func() [3]int {
			return [3]int{count(t, db, "accounts"), count(t, db, "sessions WHERE revoked_at IS NULL"), len(r.trail(t))}
		}
		before := rows()
		for what, broken := range map[string][2]string{
			"the log": {
				"ALTER TABLE audit_entries RENAME COLUMN detail TO liated", "ALTER TABLE audit_entries RENAME COLUMN liated TO detail",
			},
			"the sessions": {
				"ALTER TABLE sessions RENAME COLUMN token_expires_at TO rot", "ALTER TABLE sessions RENAME COLUMN rot TO token_expires_at",
			},
		} {
			execute(t, db, broken[0])
			for name, act := range acts {
				err := act(t.Context())
				if err == nil || errorIsAnAnswer(err) {
					t.Errorf("%s without %s: %v, want a fault", name, what, err)
				}
			}
			execute(t, db, broken[1])
			if after := rows(); after != before {
				t.Errorf("without %s there are %v accounts, live sessions and entries; before there were %v", what, after, before)
			}
		}
		// Nothing was ended, neither in the table nor in this process, and the password is the same.
		for _, live := range []session.Tokens{tokens, other, r.login(t, email)} {
			r.expect(t, live.Access.Token, "")
			r.refresh(t, live.Refresh)
		}

		// A refused login whose entry cannot be written is not answered as if it had been.
		execute(t, db, "ALTER TABLE audit_entries RENAME COLUMN detail TO liated")
		for _, password := range []string{"wrong horse battery staple", goodPassword} {
			_, _, err := r.Login(t.Context(), account.Credentials{Email: &email, Password: password})
			if err == nil || errorIsAnAnswer(err) {
				t.Errorf("login without the log: %v, want a fault", err)
			}
		}
	})
}
