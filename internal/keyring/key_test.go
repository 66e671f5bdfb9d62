package keyring

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
)

func TestThumbprintVectors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		public crypto.PublicKey
		want   string
	}{
		"RFC 7638 section 3.1, RSA": {
			&rsa.PublicKey{E: 65537, N: new(big.Int).SetBytes(decode(t, "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86"+
				"zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Qvzq"+
				"Y368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBn"+
				"iIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"))},
			"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		},
		"RFC 8037 appendix A.3, Ed25519": {
			ed25519.PublicKey(decode(t, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")),
			"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
		},
		"RFC 9449 section 6.1, P-256": {
			point(t, "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"),
			"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := thumbprint(test.public)
			if err != nil || got != test.want {
				t.Errorf("the thumbprint is %q, %v; want %q", got, err, test.want)
			}
			if len(got) != idLength {
				t.Errorf("the thumbprint has %d characters, want %d", len(got), idLength)
			}
		})
	}
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func point(t *testing.T, x, y string) *ecdsa.PublicKey {
	t.Helper()
	encoded := append([]byte{4}, append(decode(t, x), decode(t, y)...)...)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), encoded)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// every returns a key of each algorithm.
func every(t *testing.T) map[Algorithm]*Key {
	t.Helper()
	keys := make(map[Algorithm]*Key)
	for _, algorithm := range []Algorithm{ES256, RS256, EdDSA} {
		private, err := generate(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		if keys[algorithm], err = newKey(algorithm, private); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if keys[HS256], err = newSecretKey(bytes.Repeat([]byte{7}, 32)); err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestKeysSignAndVerify(t *testing.T) {
	t.Parallel()
	const input = "header.payload"
	sizes := map[Algorithm]int{ES256: 64, RS256: 384, EdDSA: 64, HS256: 32}
	keys := every(t)
	for algorithm, key := range keys {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			if key.Algorithm != algorithm || len(key.ID) != idLength {
				t.Errorf("the key is %v", key)
			}
			if (key.Public == nil) != (algorithm == HS256) {
				t.Errorf("the public half is %T", key.Public)
			}
			signature, err := key.Sign(input)
			if err != nil {
				t.Fatal(err)
			}
			if len(signature) != sizes[algorithm] {
				t.Errorf("the signature has %d bytes, want %d", len(signature), sizes[algorithm])
			}
			if err := key.Verify(input, signature); err != nil {
				t.Errorf("its own signature: %v", err)
			}
			if key.Verify(input+"x", signature) == nil {
				t.Error("verifies the signature of something else")
			}
			if key.Verify(input, nil) == nil || key.Verify(input, signature[1:]) == nil || key.Verify(input, append(signature, 0)) == nil {
				t.Error("verifies a signature of the wrong length")
			}
			for _, at := range []int{0, len(signature) - 1} {
				forged := bytes.Clone(signature)
				forged[at] ^= 1
				if key.Verify(input, forged) == nil {
					t.Errorf("verifies a signature with byte %d changed", at)
				}
			}
			for other, key := range keys {
				if other != algorithm && key.Verify(input, signature) == nil {
					t.Errorf("a key for %s verifies it too", other)
				}
			}
		})
	}
}

func TestNewKeyRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	p256, err := generate(ES256)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		algorithm Algorithm
		private   any
	}{
		"key of another algorithm": {EdDSA, p256},
		"unknown algorithm":        {"ES512", p256},
		"HS256":                    {HS256, p256},
		"another curve":            {ES256, p384},
		"no key":                   {ES256, nil},
		"bytes":                    {HS256, make([]byte, 32)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if key, err := newKey(test.algorithm, test.private); err == nil {
				t.Errorf("made %v", key)
			}
		})
	}
}

func TestThumbprintRefusesWhatNobodySignsWith(t *testing.T) {
	t.Parallel()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, public := range []any{nil, "key", p384, &p384.PublicKey} {
		if id, err := thumbprint(public); err == nil {
			t.Errorf("%T has the thumbprint %s", public, id)
		}
	}
}

// The ID of a secret is in every token: it must be neither the secret's thumbprint nor any other plain hash of it.
func TestSecretKeyID(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{1, 2, 3, 4}, 8)
	key, err := newSecretKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	again, err := newSecretKey(bytes.Clone(secret))
	if err != nil || again.ID != key.ID {
		t.Errorf("the same secret is once %v and once %v, %v", key, again, err)
	}
	other, err := newSecretKey(bytes.Repeat([]byte{4, 3, 2, 1}, 8))
	if err != nil || other.ID == key.ID {
		t.Errorf("two secrets are %v and %v, %v", key, other, err)
	}
	for _, text := range []string{string(secret), `{"k":"` + encode(secret) + `","kty":"oct"}`, encode(secret)} {
		if sum := sha256.Sum256([]byte(text)); key.ID == encode(sum[:]) {
			t.Error("the ID is a plain hash of the secret")
		}
	}
}

func TestKeysAreMasked(t *testing.T) {
	t.Parallel()
	for algorithm, key := range every(t) {
		private := privateTexts(t, key)
		var logged bytes.Buffer
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("key", "pointer", key, "value", *key)
		marshalled, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		shown := logged.String() + string(marshalled)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown += " " + fmt.Sprintf(verb, key) + " " + fmt.Sprintf(verb, *key)
		}
		for _, text := range private {
			if strings.Contains(shown, text) {
				t.Errorf("%s: shows its private half:\n%s", algorithm, shown)
			}
		}
		for _, text := range []string{shown, logged.String()} {
			if want := fmt.Sprintf("%s key %s", algorithm, key.ID); !strings.Contains(text, want) {
				t.Errorf("does not say that it is the %s:\n%s", want, text)
			}
		}
	}
}

// privateTexts is what printing would show of a private half.
func privateTexts(t *testing.T, key *Key) []string {
	t.Helper()
	switch private := key.signing.(type) {
	case *ecdsa.PrivateKey:
		d, err := private.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return append(spellings(d), new(big.Int).SetBytes(d).String())
	case *rsa.PrivateKey:
		return append(spellings(private.D.Bytes()), private.D.String(), private.Primes[0].String())
	case ed25519.PrivateKey:
		return spellings(private)
	case []byte:
		return spellings(private)
	}
	t.Fatalf("a private half of type %T", key.signing)
	return nil
}

func spellings(b []byte) []string {
	return []string{
		string(b), fmt.Sprintf("%x", b), fmt.Sprintf("%v", b), fmt.Sprintf("%#v", b),
		base64.StdEncoding.EncodeToString(b), encode(b),
	}
}
