package server

import (
	"slices"
	"testing"
	"time"

	"gatehouse/internal/store/storetest"
)

// TestRefusedLoginsAreAlike holds the three ways to fail at logging in against each other: neither the answer nor the time it
// takes may tell whether an account exists or is disabled. What takes the time is the same on both databases, a hash and one
// look-up, so it is measured on the one whose look-ups are the slower ones.
func TestRefusedLoginsAreAlike(t *testing.T) {
	for _, kind := range kinds {
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
			try := func(i int) time.Duration {
				a := attempts[i]
				got := s.ask(t, "", loginMutation, map[string]any{"input": map[string]any{"email": a.email, "password": a.password}})
				if got.Body != refusedLogin {
					t.Fatalf("%s: got %s, want %s", a.name, got.Body, refusedLogin)
				}
				return got.Took
			}
			if kind == storetest.SQLite {
				for i := range attempts {
					try(i)
				}
				return
			}

			// Other work on the machine widens the distributions. Then more attempts narrow down the medians; none is left out.
			const least, most, more = 200, 600, 50
			took := make([][]time.Duration, len(attempts))
			for round := 1; ; round++ {
				for i := range attempts {
					i = (i + round) % len(attempts) // none always comes after the same one
					took[i] = append(took[i], try(i))
				}
				if round < least || round%more > 0 {
					continue
				}
				medians := mediansOf(took)
				t.Logf("the medians of %d attempts each: %v", round, medians)
				if float64(slices.Max(medians)) <= 1.1*float64(slices.Min(medians)) {
					return
				}
				if round == most {
					t.Fatal("they differ by more than a tenth")
				}
			}
		})
	}
}

func mediansOf(distributions [][]time.Duration) []time.Duration {
	medians := make([]time.Duration, len(distributions))
	for i, distribution := range distributions {
		medians[i] = slices.Sorted(slices.Values(distribution))[len(distribution)/2]
	}
	return medians
}

const refusedLogin = `{"data":{"login":{"user":null,"tokens":null,"userErrors":[{"code":"INVALID_CREDENTIALS",` +
	`"message":"The e-mail address or username is unknown, or the password is wrong.","field":null}]}}}`
