package keyring_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/keyring"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// set reads the JWK set of a ring as somebody else would.
func set(t *testing.T, ring *keyring.Ring) []map[string]string {
	t.Helper()
	document, etag := ring.JWKS()
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		t.Fatalf("not a JWK set: %v\n%s", err, document)
	}
	if len(etag) < 10 || !strings.HasPrefix(etag, `"`) || !strings.HasSuffix(etag, `"`) {
		t.Errorf("the entity tag is %s", etag)
	}
	return set.Keys
}

// kids returns the key ids in the JWK set of a ring.
func kids(t *testing.T, ring *keyring.Ring) []string {
	t.Helper()
	var kids []string
	for _, key := range set(t, ring) {
		kids = append(kids, key["kid"])
	}
	return kids
}

func unbase64(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return b
}

// rebuild makes a key of a JWK by RFC 7518 section 6 and RFC 8037 section 2, and the text of which RFC 7638 section 3 wants the
// hash.
func rebuild(t *testing.T, key map[string]string) (public any, hashed string) {
	t.Helper()
	switch key["kty"] {
	case "EC":
		x, y := unbase64(t, key["x"]), unbase64(t, key["y"])
		if key["crv"] != "P-256" || len(x) != 32 || len(y) != 32 {
			t.Fatalf("not on P-256: %v", key)
		}
		point, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		if err != nil {
			t.Fatal(err)
		}
		return point, `{"crv":"P-256","kty":"EC","x":"` + key["x"] + `","y":"` + key["y"] + `"}`
	case "RSA":
		n, e := unbase64(t, key["n"]), unbase64(t, key["e"])
		if n[0] == 0 || e[0] == 0 { // RFC 7518 section 2: a Base64urlUInt has as few bytes as may be
			t.Errorf("leading zeros: %v", key)
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())},
			`{"e":"` + key["e"] + `","kty":"RSA","n":"` + key["n"] + `"}`
	case "OKP":
		x := unbase64(t, key["x"])
		if key["crv"] != "Ed25519" || len(x) != ed25519.PublicKeySize {
			t.Fatalf("not on Ed25519: %v", key)
		}
		return ed25519.PublicKey(x), `{"crv":"Ed25519","kty":"OKP","x":"` + key["x"] + `"}`
	default:
		t.Fatalf("unknown: %v", key)
		return nil, ""
	}
}

// Somebody who knows the specifications and nothing of us verifies what we sign by what we publish.
func TestTheSetIsEnoughToVerify(t *testing.T) {
	t.Parallel()
	members := map[keyring.Algorithm][]string{
		keyring.ES256: {"alg", "crv", "kid", "kty", "use", "x", "y"},
		keyring.RS256: {"alg", "e", "kid", "kty", "n", "use"},
		keyring.EdDSA: {"alg", "crv", "kid", "kty", "use", "x"},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		for algorithm, want := range members {
			ring := openWith(t, db, clock.now, keyring.Config{Algorithm: algorithm, PublishLead: lead})
			rotate(t, table(t, db, clock.now)) // a published key verifies too
			follow(t, ring)
			head, err := json.Marshal(map[string]any{"alg": algorithm, "kid": ring.Signing().ID})
			if err != nil {
				t.Fatal(err)
			}
			input := base64.RawURLEncoding.EncodeToString(head) + ".e30"
			signature, err := ring.Signing().Sign(input)
			if err != nil {
				t.Fatal(err)
			}
			raw := input + "." + base64.RawURLEncoding.EncodeToString(signature)

			verified := false
			for _, key := range set(t, ring) {
				public, hashed := rebuild(t, key)
				if sum := sha256.Sum256([]byte(hashed)); key["kid"] != base64.RawURLEncoding.EncodeToString(sum[:]) {
					t.Errorf("%s: the kid %s is not the thumbprint", algorithm, key["kid"])
				}
				if key["alg"] != string(algorithm) {
					continue // of another round
				}
				var names []string
				for name := range key {
					names = append(names, name)
				}
				slices.Sort(names)
				if diff := cmp.Diff(want, names); diff != "" || key["use"] != "sig" {
					t.Errorf("%s: the members differ (-want +got):\n%s", algorithm, diff)
				}
				parsed, err := jwt.Parse(raw, func(token *jwt.Token) (any, error) {
					if token.Header["kid"] != key["kid"] {
						return nil, jwt.ErrTokenUnverifiable
					}
					return public, nil
				}, jwt.WithValidMethods([]string{key["alg"]}))
				verified = verified || err == nil && parsed.Valid
			}
			if !verified {
				t.Errorf("%s: no key of the set verifies", algorithm)
			}
			clock.advance(lead)
		}
	})
}

// Whoever has the set need not fetch it again while its tag stays; and the tag stays while the set does.
func TestTheTagChangesWithTheSet(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		rings := []*keyring.Ring{openWith(t, db, clock.now, config()), openWith(t, db, clock.now, config())}
		table := table(t, db, clock.now)
		tags := make(map[string]bool)
		for _, step := range []struct {
			name string
			do   func()
			tags int
		}{
			{"one key", func() {}, 1},
			{"time passes", func() { clock.advance(24 * time.Hour) }, 1},
			{"published", func() { rotate(t, table) }, 2},
			{"signs", func() { clock.advance(lead) }, 2},
			{"retired", func() { clock.advance(ttl + leeway) }, 3},
		} {
			step.do()
			follow(t, rings...)
			for _, ring := range rings {
				_, etag := ring.JWKS()
				tags[etag] = true
			}
			if len(tags) != step.tags {
				t.Errorf("%s: there have been %d tags, want %d", step.name, len(tags), step.tags)
			}
		}
	})
}
