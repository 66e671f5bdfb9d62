package session_test

import (
	"errors"
	"testing"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

const nextPassword = "another horse, another staple"

// errorIsAnAnswer reports whether err is something that a person is told, and no fault of ours.
func errorIsAnAnswer(err error) bool {
	users, _ := fault.Split(err)
	_, refused := errors.AsType[*fault.Error](err)
	return users != nil || refused
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		r, there := in.start(t, nil), in.start(t, nil)
		r.sync(t)
		a, opened := r.register(t, "ann@example.com")
		other := r.login(t, "ann@example.com")
		later := noon.Add(5 * time.Minute)
		for _, replica := range []*replica{r, there} {
			replica.clock.set(later)
			replica.sync(t)
		}
		opened = r.refresh(t, opened.Refresh)
		caller := r.caller(t, opened.Access.Token)
		if !caller.AuthTime.Equal(noon) {
			t.Fatalf("authenticated at %s", caller.AuthTime)
		}
		changed, tokens, err := r.ChangePassword(t.Context(), caller, session.PasswordChange{
			CurrentPassword: goodPassword, NewPassword: nextPassword,
		})
		if err != nil || changed.ID != a.ID || changed.Email != a.Email || !changed.UpdatedAt.Equal(later) {
			t.Fatalf("account %+v: %v", changed, err)
		}

		// The session goes on, with a new login and new tokens.
		if tokens.SessionID != opened.SessionID || tokens.Refresh == opened.Refresh || !tokens.RefreshExpiresAt.Equal(later.Add(idle)) {
			t.Errorf("tokens of %s until %s", tokens.SessionID, tokens.RefreshExpiresAt)
		}
		fresh := r.caller(t, tokens.Access.Token)
		if !fresh.SignedIn() || fresh.SessionID != opened.SessionID || !fresh.AuthTime.Equal(later) ||
			!fresh.ExpiresAt.Equal(later.Add(lifetime)) {
			t.Errorf("caller %+v", fresh)
		}
		r.expect(t, opened.Access.Token, "") // until it expires
		// Another tab, which still has the token before, gets the same successor.
		if late := there.refresh(t, opened.Refresh); late.Refresh != tokens.Refresh {
			t.Error("a late tab got another refresh token")
		}
		renewed := there.refresh(t, tokens.Refresh)
		if got := there.caller(t, renewed.Access.Token); !got.AuthTime.Equal(later) {
			t.Errorf("after a refresh authenticated at %s", got.AuthTime)
		}

		r.expect(t, other.Access.Token, "REVOKED")
		r.expectNoRefresh(t, other.Refresh)
		old := account.Credentials{Email: &a.Email, Password: goodPassword}
		if _, _, err := r.Login(t.Context(), old); !errorIsAnAnswer(err) {
			t.Errorf("login with the old password: %v", err)
		}
		old.Password = nextPassword
		if _, _, err := r.Login(t.Context(), old); err != nil {
			t.Errorf("login with the new password: %v", err)
		}

		// Beyond the grace the token of before is a copy.
		there.clock.set(later.Add(grace))
		there.expectNoRefresh(t, opened.Refresh)
		there.expect(t, renewed.Access.Token, "SERVICE_UNAVAILABLE")
		there.sync(t)
		there.expect(t, renewed.Access.Token, "REVOKED")
	})
}

func TestChangePasswordRefuses(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		r, late := in.start(t, nil), in.start(t, nil)
		r.sync(t)
		late.sync(t)
		_, tokens := r.register(t, "ann@example.com")
		other := r.login(t, "ann@example.com")
		caller := r.caller(t, tokens.Access.Token)
		for name, test := range map[string]struct {
			current, next string
			code          fault.Code
			field         string
		}{
			"wrong": {"wrong", nextPassword, fault.InvalidCredentials, "currentPassword"},
			"weak":  {goodPassword, "short", fault.PasswordTooShort, "newPassword"},
		} {
			t.Log(name)
			change := session.PasswordChange{CurrentPassword: test.current, NewPassword: test.next}
			_, got, err := r.ChangePassword(t.Context(), caller, change)
			expectUserError(t, err, test.code, test.field)
			if got.Access.Token != "" {
				t.Error("it gave a token")
			}
		}
		r.expect(t, other.Access.Token, "")
		right := session.PasswordChange{CurrentPassword: goodPassword, NewPassword: nextPassword}
		_, _, err := r.ChangePassword(t.Context(), r.caller(t, ""), right)
		expectReason(t, err, fault.Missing)

		// A session that was ended a moment ago, which this replica has not heard of, changes nothing.
		r.logout(t, caller, "", false, 1)
		_, _, err = late.ChangePassword(t.Context(), late.caller(t, tokens.Access.Token), right)
		expectReason(t, err, fault.Revoked)
		r.expect(t, other.Access.Token, "")
		r.login(t, "ann@example.com") // with the password of before
	})
}
