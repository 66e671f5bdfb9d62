package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/store/storetest"
)

// TestKeysRotateUnderLoad changes the signing key over and over while clients on three processes ask with tokens of old and of
// new keys. In the end it revokes the last one, as after a leak.
func TestKeysRotateUnderLoad(t *testing.T) {
	const lead = 2 * time.Second
	f := startFleet(t, storetest.Postgres, 3, "KEY_PUBLISH_LEAD="+lead.String(), "ACCESS_TOKEN_TTL=20s")
	rotations := times(2, 50)
	var load holders
	stop := load.begin(t, f)
	kids := []string{load.signing()}
	for range rotations {
		f.mustRun(t, "keys", "rotate")
		for began := time.Now(); slices.Contains(kids, load.signing()); time.Sleep(5 * time.Millisecond) {
			if time.Since(began) > patience {
				t.Fatal("the new key never signs")
			}
		}
		kids = append(kids, load.signing())
		if t.Failed() {
			break
		}
	}
	stop()

	held := load.newest(t)
	f.mustRun(t, "keys", "rotate", "--revoke")
	slowest := f.untilRefused(t, held.AccessToken)
	next, err := f.at(1).refresh(t.Context(), held.RefreshToken)
	if err != nil {
		t.Fatalf("a refresh after the key was revoked: %v", err)
	}
	for i, r := range f.replicas {
		if _, err := r.me(t.Context(), next.AccessToken); err != nil {
			t.Errorf("a token of the new key: %v", err)
		}
		published := r.published(t)
		if !slices.Contains(published, readClaims(t, next.AccessToken).kid) || slices.Contains(published, kids[len(kids)-1]) {
			t.Errorf("process %d publishes %v", i, published)
		}
	}
	proved(t, fmt.Sprintf("%d key rotations while clients ask three processes on PostgreSQL, then the last key revoked", rotations),
		fmt.Sprintf("%d tokens of %d keys accepted before their expiry, none refused; "+
			"a token of the revoked key refused everywhere within %v",
			load.accepted.Load(), len(kids), slowest.Round(time.Millisecond)))
}

// TestTokensDieWithTheirKey changes the signing key over and over, and after each key's window presents tokens that it signed and
// that say they live on. It runs beside the token service, where a stolen key can be had and the windows need not be waited for.
func TestTokensDieWithTheirKey(t *testing.T) {
	var flags []string
	if *full {
		flags = append(flags, "-soak.full")
	}
	runBeside(t, "token", "TestRotationsUnderLoad", flags...)
	proved(t, fmt.Sprintf("%d key rotations while three replicas mint and verify, on each database; tokens of each stolen key",
		times(3, 50)), "no live token refused, and none of a retired key accepted after its window")
}

// holders is clients that refresh all the time, and ask with every token they hold until it has expired.
type holders struct {
	accepted atomic.Int64

	mu   sync.Mutex
	last map[int]tokens // of each client
	kid  string         // of the newest token
}

// begin starts the clients; the returned function stops them.
func (h *holders) begin(t *testing.T, f *fleet) (stop func()) {
	t.Helper()
	h.last = make(map[int]tokens)
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range 4 {
		opened, err := f.at(i).register(t.Context(), newPerson())
		if err != nil {
			t.Fatal(err)
		}
		h.note(t, i, opened.Tokens)
		clients.Go(func() {
			held := []tokens{opened.Tokens}
			for n := i; ctx.Err() == nil; n++ {
				next, err := f.at(n).refresh(ctx, held[len(held)-1].RefreshToken)
				if err != nil {
					if ctx.Err() == nil {
						t.Errorf("while keys change, a refresh: %v", err)
					}
					return
				}
				h.note(t, i, next)
				held = append(held, next)
				held = slices.DeleteFunc(held, func(old tokens) bool { return old != next && expired(t, old.AccessToken) })
				// The newest at a process that did not mint it, and one of the older ones anywhere.
				for _, token := range []string{next.AccessToken, held[n%len(held)].AccessToken} {
					if _, err := f.at(n+1).me(ctx, token); err != nil && ctx.Err() == nil && !expired(t, token) {
						t.Errorf("while keys change, a token of %s: %v", readClaims(t, token).kid, err)
						return
					}
					h.accepted.Add(1)
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	return func() {
		cancel()
		clients.Wait()
	}
}

// note remembers what a client holds.
func (h *holders) note(t *testing.T, i int, held tokens) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[i] = held
	h.kid = readClaims(t, held.AccessToken).kid
}

// signing returns the kid of the newest token.
func (h *holders) signing() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kid
}

// newest returns what a client holds whose token has not expired.
func (h *holders) newest(t *testing.T) tokens {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, held := range h.last {
		if !expired(t, held.AccessToken) {
			return held
		}
	}
	t.Fatal("every token has expired")
	return tokens{}
}

// mustRun runs a command of the binary that must succeed.
func (f *fleet) mustRun(t *testing.T, arguments ...string) {
	t.Helper()
	if out, err := f.command(arguments...).CombinedOutput(); err != nil {
		t.Fatalf("gatehouse %v: %v: %s", arguments, err, out)
	}
}

// published returns the kids in the process's JWK set.
func (r *replica) published(t *testing.T) []string {
	t.Helper()
	response, err := r.get(t.Context(), "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var set struct {
		Keys []struct{ Kid string }
	}
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the JWK set: %d, %v", response.StatusCode, err)
	}
	kids := make([]string, len(set.Keys))
	for i, key := range set.Keys {
		kids[i] = key.Kid
	}
	return kids
}
