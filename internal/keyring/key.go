package keyring

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithm is how a token is signed, by its JWS name (RFC 7518 section 3.1, RFC 8037 section 3.1).
type Algorithm string

// The algorithms. A key is made for one of them and is never used with another (RFC 8725 section 3.1).
const (
	ES256 Algorithm = "ES256" // ECDSA on P-256
	RS256 Algorithm = "RS256" // RSA PKCS #1 v1.5, 3072 bits
	EdDSA Algorithm = "EdDSA" // Ed25519
	HS256 Algorithm = "HS256" // HMAC: whoever can verify can also forge
)

// rsaBits makes an RSA key as strong as the others: NIST SP 800-57 counts 3072 bits as 128 bits of security, like P-256 and
// Ed25519, and 2048 as 112, which it lets go of after 2030.
const rsaBits = 3072

// minSecret is the shortest HS256 key in bytes: as long as the hash (RFC 7518 section 3.2).
const minSecret = sha256.Size

// idLength is the length of every Key.ID: 32 bytes in base64url.
const idLength = 43

// Key is one signing key. It is immutable, and keeps its private half to itself, in print and in logs too.
type Key struct {
	ID        string // the kid of a token's header: 43 characters
	Algorithm Algorithm
	Public    crypto.PublicKey // *ecdsa.PublicKey, *rsa.PublicKey or ed25519.PublicKey; nil for HS256

	jwk       string // the public half as a JWK (RFC 7517 section 4); empty for HS256
	method    jwt.SigningMethod
	signing   any // what method signs with: a crypto.Signer, or the bytes of an HS256 key
	verifying any // what method verifies with: Public, or the bytes of an HS256 key
}

// Sign returns the JWS signature (RFC 7515 section 5.1 step 5) of input.
func (k Key) Sign(input string) ([]byte, error) {
	signature, err := k.method.Sign(input, k.signing)
	if err != nil {
		return nil, fmt.Errorf("keyring: signing with %s: %w", k.Algorithm, err)
	}
	return signature, nil
}

// Verify fails unless signature is the key's own of input, by the key's algorithm.
func (k Key) Verify(input string, signature []byte) error {
	if err := k.method.Verify(input, signature, k.verifying); err != nil {
		return fmt.Errorf("keyring: verifying with %s: %w", k.Algorithm, err)
	}
	return nil
}

// String names the key without its private half.
func (k Key) String() string { return fmt.Sprintf("%s key %s", k.Algorithm, k.ID) }

// Format writes String for every verb, so that %#v and %d tell no more.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// LogValue is String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// generate makes a private key for algorithm. It fails on a name that is not one of the asymmetric algorithms.
func generate(algorithm Algorithm) (crypto.Signer, error) {
	switch algorithm {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case HS256:
	}
	return nil, fmt.Errorf("keyring: no signing keys for algorithm %q: use ES256, RS256, EdDSA or HS256", algorithm)
}

// newKey returns the key of a private half. It fails when that does not fit the algorithm.
func newKey(algorithm Algorithm, private any) (*Key, error) {
	key := &Key{Algorithm: algorithm, signing: private}
	var err error
	switch private := private.(type) {
	case *ecdsa.PrivateKey:
		key.method, key.Public = jwt.SigningMethodES256, &private.PublicKey
	case *rsa.PrivateKey:
		key.method, key.Public = jwt.SigningMethodRS256, &private.PublicKey
	case ed25519.PrivateKey:
		key.method, key.Public = jwt.SigningMethodEdDSA, private.Public()
	default:
		return nil, fmt.Errorf("keyring: a private key of type %T signs nothing here", private)
	}
	if key.method.Alg() != string(algorithm) {
		return nil, fmt.Errorf("keyring: a private key of type %T does not sign %s", private, algorithm)
	}
	key.verifying = key.Public
	if key.ID, err = thumbprint(key.Public); err != nil {
		return nil, err
	}
	key.jwk, err = jwk(key)
	return key, err
}

// newSecretKey returns the HS256 key of the configured secret.
//
// Its ID is public and must tell nothing of the secret. A thumbprint would be a plain hash of it; this is a sub-key under a
// label of its own (HKDF, RFC 5869), which neither leads back to the secret nor can stand in for it. It tells two secrets
// apart, and a guess can be tested against it no faster than against the signature of any token.
func newSecretKey(secret []byte) (*Key, error) {
	if len(secret) < minSecret {
		return nil, errors.New("keyring: HS256 needs a JWT_SECRET of at least 32 random bytes: make one with `openssl rand -base64 32`")
	}
	id, err := hkdf.Key(sha256.New, secret, nil, "gatehouse: key id of an HS256 secret", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("keyring: naming the HS256 key: %w", err)
	}
	secret = bytes.Clone(secret) // a key does not change, whatever becomes of the configuration
	return &Key{
		ID:        encode(id),
		Algorithm: HS256,
		method:    jwt.SigningMethodHS256,
		signing:   secret,
		verifying: secret,
	}, nil
}

// publicMembers returns the members of a public key's JWK that are required of its type, in lexicographic order: for EC and RSA
// RFC 7518 section 6, for Ed25519 RFC 8037 section 2. It fails on a curve or type that we do not sign with.
func publicMembers(public crypto.PublicKey) (string, error) {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // SEC 1 section 2.3.3, uncompressed: a 4, then both coordinates at full length
		if err != nil || public.Curve != elliptic.P256() {
			return "", errors.New("keyring: not a point on P-256")
		}
		x, y := point[1:33], point[33:]
		return `"crv":"P-256","kty":"EC","x":"` + encode(x) + `","y":"` + encode(y) + `"`, nil
	case *rsa.PublicKey:
		e := big.NewInt(int64(public.E)).Bytes()
		return `"e":"` + encode(e) + `","kty":"RSA","n":"` + encode(public.N.Bytes()) + `"`, nil
	case ed25519.PublicKey:
		return `"crv":"Ed25519","kty":"OKP","x":"` + encode(public) + `"`, nil
	default:
		return "", fmt.Errorf("keyring: a public key of type %T has no JWK here", public)
	}
}

// thumbprint returns the JWK thumbprint (RFC 7638 section 3; for Ed25519, RFC 8037 section 2) of a public key: the SHA-256 of
// its required members in lexicographic order, in base64url. It fails where publicMembers does.
func thumbprint(public crypto.PublicKey) (string, error) {
	members, err := publicMembers(public)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte("{" + members + "}"))
	return encode(sum[:]), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
