package main

import (
	"slices"
	"testing"
	"time"

	"gatehouse/internal/store/storetest"
)

// TestRefusedLoginsAreAlike holds the three ways to fail at logging in against each other: neither the answer nor the time it
// takes may tell whether an account exists or is disabled.
func TestRefusedLoginsAreAlike(t *testing.T) {
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			s := startServer(t, kind)
			s.register(t, "ada@example.com")
			s.register(t, "grace@example.com")
			s.disable(t, "grace@example.com")
			attempts := []struct{ name, email, password string }{
				{"wrong password", "ada@example.com", "not the right password"},
				{"unknown address", "nobody@example.com", goodPassword},
				{"disabled account", "grace@example.com", goodPassword},
			}

			// The machine's other work widens the distributions, never always on one side: what differs, differs each time.
			const tries = 3
			var medians []time.Duration
			for range tries {
				took := make([][]time.Duration, len(attempts))
				for range 200 {
					for i, a := range attempts {
						got := s.ask(t, "", loginMutation, map[string]any{"input": map[string]any{"email": a.email, "password": a.password}})
						if got.Body != refusedLogin {
							t.Fatalf("%s: got %s, want %s", a.name, got.Body, refusedLogin)
						}
						took[i] = append(took[i], got.Took)
					}
				}
				medians = medians[:0]
				for _, times := range took {
					slices.Sort(times)
					medians = append(medians, times[len(times)/2])
				}
				if float64(slices.Max(medians)) <= 1.1*float64(slices.Min(medians)) {
					return
				}
			}
			t.Errorf("%d times in a row the medians differ by more than a tenth; at last: %v", tries, medians)
		})
	}
}

const refusedLogin = `{"data":{"login":{"user":null,"tokens":null,"userErrors":[{"code":"INVALID_CREDENTIALS",` +
	`"message":"The e-mail address or username is unknown, or the password is wrong.","field":null}]}}}`
