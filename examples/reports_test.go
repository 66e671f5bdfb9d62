package examples_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// How the services refuse (RFC 6750 section 3).
const (
	missing  = `Bearer realm="reports"`
	invalid  = missing + `, error="invalid_token", error_description="The access token is not valid here."`
	expired  = missing + `, error="invalid_token", error_description="The access token has expired."`
	tooSmall = missing + `, error="insufficient_scope", error_description="The access token lacks a scope.", scope="users:read"`
)

// TestServices is a day of the services: one login opens them all, what is not a valid access token opens none, and they follow
// Gatehouse's keys.
func TestServices(t *testing.T) {
	at, gatehouses := newIssuer(t), newSettings(t)
	gatehouses.command(t, password, "user", "create", "--email=grace@example.com", "--role=ADMIN")
	gatehouses.command(t, password, "user", "create", "--email=ada@example.com")
	main := gatehouses.start(t, "--issuer="+at.URL)
	services := startServices(t, at.URL)
	admin, adminToken, _ := main.login(t, "grace@example.com")
	user, token, refreshToken := main.login(t, "ada@example.com")

	// each runs a check of every service, as a subtest named after it.
	each := func(t *testing.T, check func(t *testing.T, s service)) {
		t.Helper()
		for _, s := range services {
			t.Run(s.name, func(t *testing.T) { check(t, s) })
		}
	}
	// refuses checks that every service answers 401 to an Authorization header.
	refuses := func(t *testing.T, authorization, challenge string) {
		t.Helper()
		each(t, func(t *testing.T, s service) {
			for _, path := range []string{"/me", "/reports"} {
				if got := s.get(t, path, authorization); got.status != http.StatusUnauthorized || got.challenge != challenge {
					t.Errorf("%s: %+v, want 401 and %s", path, got, challenge)
				}
			}
		})
	}

	t.Run("while the issuer's keys cannot be had", func(t *testing.T) {
		each(t, func(t *testing.T, s service) {
			got := s.get(t, "/me", "Bearer "+token)
			if got.status != http.StatusServiceUnavailable || got.retry != "5" || got.challenge != "" {
				t.Errorf("%+v, want 503 and Retry-After", got)
			}
			if got := s.get(t, "/me", ""); got.status != http.StatusUnauthorized || got.challenge != missing {
				t.Errorf("no token: %+v, want 401 and %s", got, missing)
			}
		})
	})

	at.lead(t, main)
	t.Run("one login opens them all", func(t *testing.T) {
		each(t, func(t *testing.T, s service) {
			eventually(t, "the service has the keys", func() bool {
				return s.get(t, "/me", "Bearer "+token).status == http.StatusOK
			})
			for _, c := range []struct {
				who, token, path string
				status           int
				challenge        string
				holds            string // in the body
			}{
				{"ada", token, "/me", http.StatusOK, "", user},
				{"grace", adminToken, "/me", http.StatusOK, "", admin},
				{"grace", adminToken, "/me", http.StatusOK, "", `"users:read"`},
				{"grace", adminToken, "/reports", http.StatusOK, "", "Accounts"},
				{"ada", token, "/reports", http.StatusForbidden, tooSmall, "scope"},
			} {
				for _, scheme := range []string{"Bearer", "bearer"} { // RFC 9110 section 11.1
					got := s.get(t, c.path, scheme+" "+c.token)
					if got.status != c.status || got.challenge != c.challenge || !strings.Contains(got.body, c.holds) {
						t.Errorf("%s at %s: %+v, want %d and %s", c.who, c.path, got, c.status, c.holds)
					}
				}
			}
		})
	})

	t.Run("what the token says is documented", func(t *testing.T) {
		for i, heading := range []string{"header", "claim"} {
			says := slices.Sorted(maps.Keys(decoded(t, strings.Split(token, ".")[i])))
			if names := slices.Sorted(slices.Values(documented(t, heading))); !slices.Equal(says, names) {
				t.Errorf("a token has %v, docs/tokens.md %v", says, names)
			}
		}
	})

	segments := strings.Split(token, ".")
	other := gatehouses.start(t, "--issuer="+at.URL, "--audience=payments")
	_, forPayments, _ := other.login(t, "ada@example.com")
	foreign := gatehouses.start(t, "--issuer=https://elsewhere.example")
	_, fromElsewhere, _ := foreign.login(t, "ada@example.com")
	stranger := newSettings(t)
	stranger.command(t, password, "user", "create", "--email=ada@example.com")
	_, unknownKey, _ := stranger.start(t, "--issuer="+at.URL).login(t, "ada@example.com")
	for name, c := range map[string]struct{ authorization, challenge string }{
		"no token":                   {"", missing},
		"another scheme":             {"Basic " + base64.StdEncoding.EncodeToString([]byte("ada:secret")), missing},
		"no token after the scheme":  {"Bearer", missing},
		"no JWT":                     {"Bearer 12345", invalid},
		"a refresh token":            {"Bearer " + refreshToken, invalid},
		"for another audience":       {"Bearer " + forPayments, invalid},
		"from another issuer":        {"Bearer " + fromElsewhere, invalid},
		"by a key of nobody's":       {"Bearer " + unknownKey, invalid},
		"with another's claims":      {"Bearer " + segments[0] + "." + strings.Split(adminToken, ".")[1] + "." + segments[2], invalid},
		"with a changed scope":       {"Bearer " + edited(t, token, 1, "scope", "users:read"), invalid},
		"with another exp":           {"Bearer " + edited(t, token, 1, "exp", time.Now().Add(24*time.Hour).Unix()), invalid},
		"with another typ":           {"Bearer " + edited(t, token, 0, "typ", "JWT"), invalid},
		"signed by none":             {"Bearer " + edited(t, segments[0]+"."+segments[1]+".", 0, "alg", "none"), invalid},
		"without a signature":        {"Bearer " + segments[0] + "." + segments[1] + ".", invalid},
		"with a signature cut short": {"Bearer " + token[:len(token)-4], invalid},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, c.authorization, c.challenge) })
	}

	t.Run("expired", func(t *testing.T) {
		brief := gatehouses.start(t, "--issuer="+at.URL, "--access-token-ttl=1s")
		_, short, _ := brief.login(t, "ada@example.com")
		time.Sleep(time.Until(expiry(t, short))) // the clock of the services is this one
		refuses(t, "Bearer "+short, expired)
	})

	t.Run("unknown keys make few fetches", func(t *testing.T) {
		began, before := time.Now(), at.fetches.Load()
		each(t, func(t *testing.T, s service) {
			for i := range 50 {
				made := edited(t, token, 0, "kid", fmt.Sprintf("made up %d", i))
				if got := s.get(t, "/me", "Bearer "+made); got.status != http.StatusUnauthorized || got.challenge != invalid {
					t.Errorf("%+v, want 401 and %s", got, invalid)
				}
			}
		})
		most := int64(len(services)) * int64(1+time.Since(began)/(5*time.Second))
		if fetched := at.fetches.Load() - before; fetched > most {
			t.Errorf("%d fetches in %v, want %d at the most", fetched, time.Since(began), most)
		}
	})

	t.Run("known keys outlast the issuer", func(t *testing.T) {
		at.lead(t, nil)
		each(t, func(t *testing.T, s service) {
			eventually(t, "a token of an unknown key is neither believed nor refused", func() bool {
				return s.get(t, "/me", "Bearer "+unknownKey).status == http.StatusServiceUnavailable
			})
			if got := s.get(t, "/me", "Bearer "+token); got.status != http.StatusOK {
				t.Errorf("%+v, want 200", got)
			}
		})
		at.lead(t, main)
	})

	t.Run("a revoked key", func(t *testing.T) {
		gatehouses.command(t, "", "keys", "rotate", "--revoke", "--secret="+gatehouses.secret)
		var fresh string
		eventually(t, "the server signs with the new key", func() bool {
			_, fresh, _ = main.login(t, "ada@example.com")
			return header(t, fresh)["kid"] != header(t, token)["kid"]
		})
		each(t, func(t *testing.T, s service) {
			eventually(t, "a token of the new key is accepted", func() bool {
				return s.get(t, "/me", "Bearer "+fresh).status == http.StatusOK
			})
		})
		refuses(t, "Bearer "+token, invalid)
		refuses(t, "Bearer "+adminToken, invalid)
	})

	for _, algorithm := range []string{"RS256", "EdDSA"} {
		t.Run("keys for "+algorithm, func(t *testing.T) {
			_, signed, _ := gatehouses.start(t, "--issuer="+at.URL, "--signing-alg="+algorithm).login(t, "ada@example.com")
			if got := header(t, signed)["alg"]; got != algorithm {
				t.Fatalf("signed with %v", got)
			}
			each(t, func(t *testing.T, s service) {
				eventually(t, "the token is accepted", func() bool {
					return s.get(t, "/me", "Bearer "+signed).status == http.StatusOK
				})
			})
		})
	}
}

// edited returns a token with a member of a segment changed: of the header (0) or of the claims (1).
func edited(t *testing.T, token string, segment int, name string, value any) string {
	t.Helper()
	segments := strings.Split(token, ".")
	content := decoded(t, segments[segment])
	content[name] = value
	text, err := json.Marshal(content)
	must(t, err)
	segments[segment] = base64.RawURLEncoding.EncodeToString(text)
	return strings.Join(segments, ".")
}

func decoded(t *testing.T, segment string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(segment)
	must(t, err)
	var content map[string]any
	must(t, json.Unmarshal(text, &content))
	return content
}

func header(t *testing.T, token string) map[string]any {
	t.Helper()
	return decoded(t, strings.Split(token, ".")[0])
}

// expiry returns the moment from which a token is expired.
func expiry(t *testing.T, token string) time.Time {
	t.Helper()
	seconds, ok := decoded(t, strings.Split(token, ".")[1])["exp"].(float64)
	if !ok {
		t.Fatal("the token has no exp")
	}
	return time.Unix(int64(seconds), 0)
}
