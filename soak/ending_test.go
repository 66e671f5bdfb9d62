package soak

import (
	"fmt"
	"testing"
	"time"

	"gatehouse/internal/store/storetest"
)

// TestEndedSessionsAreRefused ends sessions in every way there is and measures how long their access tokens are still accepted
// anywhere.
func TestEndedSessionsAreRefused(t *testing.T) {
	f := startFleet(t, storetest.Postgres, 3)
	rounds := times(3, 1000)
	for name, end := range map[string]func(t *testing.T, f *fleet, i int) (accessToken string){
		"logouts": func(t *testing.T, f *fleet, i int) string {
			t.Helper()
			_, opened := f.open(t, i)
			f.mustMutate(t, i, "", logout, map[string]any{"refreshToken": opened.Tokens.RefreshToken})
			return opened.Tokens.AccessToken
		},
		"logouts everywhere": func(t *testing.T, f *fleet, i int) string {
			t.Helper()
			p, opened := f.open(t, i)
			another, err := f.at(i).login(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			f.mustMutate(t, i, another.Tokens.AccessToken, logout, map[string]any{"everywhere": true})
			return opened.Tokens.AccessToken
		},
		"revocations": func(t *testing.T, f *fleet, i int) string {
			t.Helper()
			p, opened := f.open(t, i)
			another, err := f.at(i+1).login(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			f.mustMutate(t, i+2, another.Tokens.AccessToken, revokeSession, map[string]any{
				"sessionId": sessionOf(t, opened.Tokens.AccessToken),
			})
			return opened.Tokens.AccessToken
		},
		"disabled accounts": func(t *testing.T, f *fleet, i int) string {
			t.Helper()
			p, opened := f.open(t, i)
			if out, err := f.command("user", "disable", "--email="+p.email).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return opened.Tokens.AccessToken
		},
		"password changes": func(t *testing.T, f *fleet, i int) string {
			t.Helper()
			p, opened := f.open(t, i)
			another, err := f.at(i).login(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			changed := f.mustMutate(t, i+1, another.Tokens.AccessToken, changePassword, map[string]any{
				"currentPassword": p.password, "newPassword": newPerson().password,
			})
			if _, err := f.at(i+2).me(t.Context(), changed.Tokens.AccessToken); err != nil {
				t.Errorf("the session that changed the password: %v", err)
			}
			return opened.Tokens.AccessToken
		},
	} {
		t.Run(name, func(t *testing.T) {
			var slowest time.Duration
			for i := range rounds {
				slowest = max(slowest, f.untilRefused(t, end(t, f, i)))
			}
			proved(t, fmt.Sprintf("%d %s, three processes on PostgreSQL", rounds, name),
				fmt.Sprintf("the access token refused everywhere within %v", slowest.Round(time.Millisecond)))
		})
	}
}

// open registers somebody, and returns who it is, so that they can log in again.
func (f *fleet) open(t *testing.T, i int) (person, payload) {
	t.Helper()
	p := newPerson()
	opened, err := f.at(i).register(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return p, opened
}

// mustMutate sends a mutation that must succeed.
func (f *fleet) mustMutate(t *testing.T, i int, accessToken, mutation string, input map[string]any) payload {
	t.Helper()
	done, err := f.at(i).mutate(t.Context(), accessToken, mutation, input)
	if err != nil {
		t.Fatalf("%s: %v", mutation, err)
	}
	return done
}
