package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/store/storetest"
)

// soonEnough is when an answer has to be there that the database does not give: the deadline of two seconds, and what hashing a
// password and a busy machine may add.
const soonEnough = 8 * time.Second

func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct{ begin, end func(*storetest.Wire) }{
		"gone":  {(*storetest.Wire).Cut, (*storetest.Wire).Connect},
		"hangs": {(*storetest.Wire).Silence, (*storetest.Wire).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire, databaseURL := storetest.NewWire(t, storetest.URL(t, storetest.Postgres))
			s := startServerOn(t, databaseURL)
			token := s.register(t, "ada@example.com")
			login := map[string]any{"input": map[string]any{"email": "ada@example.com", "password": goodPassword}}

			fault.begin(wire)
			for operation, ask := range map[string]func() answer{
				"me":    func() answer { return s.ask(t, token, meQuery, nil) },
				"login": func() answer { return s.ask(t, "", loginMutation, login) },
				"register": func() answer {
					return s.ask(t, "", registerMutation, map[string]any{
						"input": map[string]any{"email": "eve@example.com", "password": goodPassword},
					})
				},
			} {
				got := ask()
				if got.code() != "SERVICE_UNAVAILABLE" || got.Took > soonEnough {
					t.Errorf("%s: after %s: %d %s", operation, got.Took, got.Status, got.Body)
				}
			}
			if log := s.Log.String(); strings.Count(log, "an operation could not be answered") < 3 {
				t.Errorf("the log does not say why: %s", log)
			}
			got := s.send(t, http.MethodGet, "/readyz", "")
			if got.Status != http.StatusServiceUnavailable || !strings.Contains(got.Body, `"database"`) || got.Took > soonEnough {
				t.Errorf("readyz: after %s: %d %s", got.Took, got.Status, got.Body)
			}
			if got := s.send(t, http.MethodGet, "/healthz", ""); got.Status != http.StatusOK {
				t.Errorf("healthz: %d %s", got.Status, got.Body)
			}

			fault.end(wire)
			eventually(t, 30*time.Second, "me answers again", func() bool {
				return s.ask(t, token, meQuery, nil).at("me", "email") == "ada@example.com"
			})
			eventually(t, 30*time.Second, "it is ready again", func() bool {
				return s.send(t, http.MethodGet, "/readyz", "").Status == http.StatusOK
			})
			if got := s.ask(t, "", loginMutation, login); got.at("login", "tokens", "accessToken") == nil {
				t.Errorf("login: %s", got.Body)
			}
		})
	}
}
