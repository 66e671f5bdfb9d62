package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/token"
	"gatehouse/internal/token/tokentest"
)

// TestTokenAttacks presents the whole catalogue of attacks on access tokens to a running server.
func TestTokenAttacks(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"ES256", "RS256", "EdDSA", "HS256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			flags := []string{"--signing-alg=" + algorithm}
			if algorithm == "HS256" {
				flags = append(flags, "--jwt-secret="+newSecret())
			}
			s := startServer(t, storetest.SQLite, flags...)
			live := s.grant(t, "ada@example.com")
			disabled := s.grant(t, "grace@example.com")
			s.disable(t, "grace@example.com")
			revoked := live
			revoked.SessionID = s.endedSession(t, "ada@example.com", live.AccountID)

			attacks := tokentest.Attacks(t, tokentest.Target{
				Ring: s.ring, Now: wall, Slack: time.Minute, Live: live, Disabled: disabled, Revoked: revoked,
				Config: token.Config{Issuer: "http://localhost:8080", Audience: "gatehouse", TTL: 10 * time.Minute}, // the defaults
			})
			for _, a := range attacks {
				t.Run(a.ID+"/"+a.Name, func(t *testing.T) {
					if a.Want == tokentest.RefuseToStart {
						code, _, complaint := call(t, "", "serve", "--addr=127.0.0.1:0", "--signing-alg=HS256", "--jwt-secret="+a.JWTSecret,
							"--database-url=sqlite://"+t.TempDir()+"/gatehouse.db")
						if code != 1 || !strings.Contains(complaint, "JWT_SECRET") || !oneLine(complaint) {
							t.Errorf("ended with %d: %s", code, complaint)
						}
						return
					}
					if err := a.Present(t.Context(), s.URL+"/graphql"); err != nil {
						t.Error(err)
					}
				})
			}
			log := s.Log.String()
			for _, a := range attacks {
				header := a.Header.Get("Authorization")
				signature := header[strings.LastIndex(header, ".")+1:]
				if len(signature) > 20 && strings.Contains(log, signature) {
					t.Errorf("%s/%s: the token is in the log", a.ID, a.Name)
				}
			}
		})
	}
}

// grant registers an account and returns what its access token says.
func (s *testServer) grant(t *testing.T, email string) token.Grant {
	t.Helper()
	caller, err := s.sessions.Authenticate(t.Context(), s.register(t, email))
	if err != nil {
		t.Fatal(err)
	}
	return token.Grant{
		AccountID: caller.AccountID, SessionID: caller.SessionID, Roles: caller.Roles, AuthTime: caller.AuthTime, AMR: caller.AMR,
	}
}

// disable disables an account from outside, and waits until the server has noticed.
func (s *testServer) disable(t *testing.T, email string) {
	t.Helper()
	login := map[string]any{"input": map[string]any{"email": email, "password": goodPassword}}
	access, _ := s.ask(t, "", loginMutation, login).at("login", "tokens", "accessToken").(string)
	if code, _, complaint := call(t, "", "user", "disable", "--email="+email, "--database-url="+s.DatabaseURL); code != 0 {
		t.Fatalf("user disable ended with %d: %s", code, complaint)
	}
	eventually(t, 20*time.Second, "the access token of the disabled account is refused", func() bool {
		return s.ask(t, access, meQuery, nil).code() == "UNAUTHENTICATED"
	})
}

// endedSession returns a session of the account that was revoked while its access token was good.
func (s *testServer) endedSession(t *testing.T, email string, accountID id.ID) id.ID {
	t.Helper()
	login := map[string]any{"input": map[string]any{"email": email, "password": goodPassword}}
	access, _ := s.ask(t, "", loginMutation, login).at("login", "tokens", "accessToken").(string)
	caller, err := s.sessions.Authenticate(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.db.Conn(t.Context()).NewUpdate().Table("sessions").Set("revoked_at = ?", wall()).
		Where("id = ?", caller.SessionID).Where("account_id = ?", accountID).Exec(t.Context())
	if err := errors.Join(err, s.sessions.Sync(t.Context())); err != nil {
		t.Fatal(err)
	}
	return caller.SessionID
}
