package examples_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/keyring"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/token"
	"gatehouse/internal/token/tokentest"
)

// Why an attack of the catalogue does no harm where a service lets it pass. Gatehouse itself refuses them all.
const (
	unwritten = "it takes Gatehouse's own signature, and Gatehouse writes no such token"
	respelt   = "it is an honest token, spelt in another way, or beside something that is not looked at"
)

// forgiven are those that at least one of the services lets pass, by ID.
var forgiven = map[string]string{
	"b64-false": unwritten, "crit-empty": unwritten, "deep-json": unwritten, "dup-alg": unwritten, "dup-claim": unwritten,
	"exp-float": unwritten, "exp-string": unwritten, "iat-future": unwritten, "sub-missing": unwritten, "utf16": unwritten,
	"zip-def": unwritten,
	"padding": respelt, "std-b64": respelt, "trailing-bits": respelt, "two-bearers": respelt,
}

// TestAttacks presents the catalogue of attacks on access tokens to every service.
func TestAttacks(t *testing.T) {
	t.Parallel()
	at, gatehouses := newIssuer(t), newSettings(t)
	at.lead(t, gatehouses.start(t, "--issuer="+at.URL))
	services := startServices(t, at.URL)

	db, err := store.Open(t.Context(), store.Config{URL: gatehouses.database, Timeout: patience})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	master, err := secret.Parse(gatehouses.secret)
	must(t, err)
	ring, err := keyring.Open(t.Context(), db, master, time.Now, keyring.Config{Algorithm: keyring.ES256})
	must(t, err)
	now := time.Now()
	grant := token.Grant{AccountID: id.New(now), SessionID: id.New(now), AuthTime: now, AMR: []string{"pwd"}}
	attacks := tokentest.Attacks(t, tokentest.Target{
		Ring: ring, Now: time.Now, Slack: patience, Live: grant, Disabled: grant, Revoked: grant,
		Config: token.Config{Issuer: at.URL, Audience: "gatehouse", TTL: 10 * time.Minute},
	})
	for _, s := range services {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, a := range attacks {
				if a.By == tokentest.BySettings {
					continue
				}
				status := s.present(t, a)
				switch {
				case a.Want == tokentest.Accept, a.By == tokentest.BySession:
					// That its session has ended, no service can see: docs/tokens.md says so.
					if status != http.StatusOK {
						t.Errorf("%s/%s: %d, want 200", a.ID, a.Name, status)
					}
				case status == http.StatusOK && forgiven[a.ID] == "":
					t.Errorf("%s/%s is let in", a.ID, a.Name)
				case status != http.StatusOK && !slices.Contains(refusals, status):
					t.Errorf("%s/%s: %d is no refusal", a.ID, a.Name, status)
				}
			}
		})
	}
}

// refusals are the statuses that refuse: of a service, of the HTTP server under it, and 0 where that hung up.
var refusals = []int{0, http.StatusBadRequest, http.StatusUnauthorized, http.StatusRequestHeaderFieldsTooLarge}

// present sends an attack as it is, which an HTTP client would often refuse to, and returns the status of the answer; 0 where
// the service hung up.
func (s service) present(t *testing.T, a tokentest.Attack) (status int) {
	t.Helper()
	target, err := url.Parse(s.url)
	must(t, err)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", target.Host)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	var request strings.Builder
	fmt.Fprintf(&request, "GET /me?%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", a.Query, target.Host)
	for name, values := range a.Header {
		for _, value := range values {
			fmt.Fprintf(&request, "%s: %s\r\n", name, value)
		}
	}
	go func() { _, _ = io.WriteString(conn, request.String()+"\r\n") }() // it may be answered before it is read
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("%s/%s is not answered", a.ID, a.Name)
	}
	if err != nil {
		return 0
	}
	must(t, response.Body.Close())
	return response.StatusCode
}
