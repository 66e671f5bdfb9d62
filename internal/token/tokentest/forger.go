package tokentest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/keyring"
	"gatehouse/internal/token"
)

// forger collects attacks on one target.
type forger struct {
	tb      testing.TB
	target  Target
	key     *keyring.Key // the target's
	trap    string       // the URL of a server that nobody may ask
	attacks []Attack

	// The attacker's own keys, and the kid that a server would know them by if it believed the attacker.
	kid string
	ec  *ecdsa.PrivateKey
	rsa *rsa.PrivateKey
	ed  ed25519.PrivateKey
}

func newForger(tb testing.TB, target Target) *forger {
	tb.Helper()
	f := &forger{tb: tb, target: target, key: target.Ring.Signing()}
	kid := sha256.Sum256([]byte("the attacker's"))
	f.kid = encode(kid[:])
	var err error
	if f.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		tb.Fatal(err)
	}
	if f.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		tb.Fatal(err)
	}
	if _, f.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		tb.Fatal(err)
	}
	f.trap = f.listen()
	return f
}

// listen starts the server that an obedient verifier would fetch the attacker's key from, and returns its URL.
func (f *forger) listen() string {
	f.tb.Helper()
	var hits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.Header().Set("Content-Type", "application/jwk-set+json")
		if _, err := w.Write(f.json(object{"keys": []any{f.jwk()}})); err != nil {
			f.tb.Error(err)
		}
	}))
	f.tb.Cleanup(func() {
		server.Close()
		if n := hits.Load(); n != 0 {
			f.tb.Errorf("the server fetched %d times from a URL in a token", n)
		}
	})
	return server.URL
}

// variant is one of several attacks under one ID.
type variant struct {
	name  string
	token string
}

// reject adds attacks that the token itself condemns.
func (f *forger) reject(catalogueID string, variants ...variant) {
	for _, v := range variants {
		f.add(Attack{ID: catalogueID, Name: v.name, Header: bearer(v.token), Want: Reject, Reason: fault.Invalid})
	}
}

func (f *forger) add(a Attack) {
	if a.By == "" {
		a.By = ByToken
	}
	if a.Want == Accept {
		a.account = f.target.Live.AccountID.String()
	}
	f.attacks = append(f.attacks, a)
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// object is JSON to be tampered with.
type object map[string]any

func (o object) with(name string, value any) object {
	o = maps.Clone(o)
	o[name] = value
	return o
}

func (o object) without(name string) object {
	o = maps.Clone(o)
	delete(o, name)
	return o
}

func (f *forger) json(o object) []byte {
	f.tb.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		f.tb.Fatal(err)
	}
	return text
}

// header is that of an honest token.
func (f *forger) header() object {
	return object{"alg": string(f.key.Algorithm), "kid": f.key.ID, "typ": "at+jwt"}
}

// payload is that of an honest token for the target's live account.
func (f *forger) payload() object { return f.payloadOf(f.target.Live) }

func (f *forger) payloadOf(grant token.Grant) object {
	now := f.target.Now()
	return object{
		"iss": f.target.Config.Issuer, "aud": f.target.Config.Audience, "client_id": "gatehouse",
		"sub": grant.AccountID.String(), "sid": grant.SessionID.String(), "jti": id.New(now).String(),
		"iat": now.Unix(), "exp": now.Add(f.target.Config.TTL).Unix(), "auth_time": grant.AuthTime.Unix(),
		"scope": strings.Join(grant.Scopes, " "), "roles": grant.Roles, "amr": grant.AMR,
	}
}

// after returns a NumericDate relative to the target's clock.
func (f *forger) after(d time.Duration) int64 { return f.target.Now().Add(d).Unix() }

// input is what gets signed.
func (f *forger) input(header, payload object) string {
	f.tb.Helper()
	return encode(f.json(header)) + "." + encode(f.json(payload))
}

// signed is a token with the target's own signature.
func (f *forger) signed(header, payload object) string {
	f.tb.Helper()
	return f.sealed(f.input(header, payload))
}

// sealed puts the target's own signature under any input.
func (f *forger) sealed(input string) string {
	f.tb.Helper()
	signature, err := f.key.Sign(input)
	if err != nil {
		f.tb.Fatal(err)
	}
	return input + "." + encode(signature)
}

// foreign is a token with the attacker's signature.
func (f *forger) foreign(method jwt.SigningMethod, key any, header object) string {
	f.tb.Helper()
	input := f.input(header.with("alg", method.Alg()), f.payload())
	signature, err := method.Sign(input, key)
	if err != nil {
		f.tb.Fatal(err)
	}
	return input + "." + encode(signature)
}

// jwk is the attacker's public key (RFC 7518 section 6.2.1).
func (f *forger) jwk() object { return f.jwkOf(&f.ec.PublicKey).with("kid", f.kid) }

func (f *forger) jwkOf(public *ecdsa.PublicKey) object {
	f.tb.Helper()
	point, err := public.Bytes()
	if err != nil {
		f.tb.Fatal(err)
	}
	return object{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
