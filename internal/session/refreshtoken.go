package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"

	"gatehouse/internal/id"
	"gatehouse/internal/secret"
)

// RefreshToken is what a session is prolonged with, once. It is opaque to clients. Printing, logging and marshalling it show
// none of it; whoever hands it out asks for it with Reveal.
type RefreshToken struct{ text string }

// Reveal returns the token itself: 97 characters of ASCII that need no escaping in a header, a URL or a cookie.
func (t RefreshToken) Reveal() string { return t.text }

// masked stands wherever a RefreshToken is printed.
const masked = "[refresh token]"

// String masks the token.
func (t RefreshToken) String() string { return masked }

// Format masks the token for every verb, %d and %x included.
func (t RefreshToken) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, masked) }

// LogValue masks the token.
func (t RefreshToken) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText masks the token.
func (t RefreshToken) MarshalText() ([]byte, error) { return []byte(masked), nil }

// refreshClaims is what a refresh token says, and nothing in it but the salt is secret: the MAC makes it true.
type refreshClaims struct {
	sessionID  id.ID
	generation int32          // how many tokens of the session were handed out before this one
	salt       [saltSize]byte // of the session's row: with the master secret alone nobody can forge a token
}

// A refresh token is refreshPrefix and, in base64url without padding, what stands here; numbers are big-endian. It has one
// spelling: 69 bytes fill 92 characters to the last bit.
const (
	refreshPrefix = "ghrt_" // tells scanners of leaked secrets whose it is

	versionAt    = 0
	sessionAt    = versionAt + 1
	generationAt = sessionAt + len(id.ID{})
	saltAt       = generationAt + 4
	macAt        = saltAt + saltSize
	refreshSize  = macAt + sha256.Size

	saltSize       = 16
	refreshVersion = 1
	refreshLength  = len(refreshPrefix) + (refreshSize*8+5)/6
)

// refreshKeys makes and reads refresh tokens, under the sub-keys of the master secrets: with the first of them it makes, all of
// them it reads. Where there are none, it does neither.
type refreshKeys [][]byte

var errNoSecret = errors.New("session: no refresh token can be made without a master secret")

// newRefreshKeys derives the keys. There are none without a master secret.
func newRefreshKeys(master *secret.Master) (refreshKeys, error) {
	if master == nil {
		return nil, nil
	}
	return master.Keys("refresh token", sha256.Size)
}

// mint returns the token that says c. It is the same whenever c is: so a token can be handed out again without being kept.
func (k refreshKeys) mint(c refreshClaims) (RefreshToken, error) {
	if len(k) == 0 {
		return RefreshToken{}, errNoSecret
	}
	var raw [refreshSize]byte
	raw[versionAt] = refreshVersion
	copy(raw[sessionAt:], c.sessionID[:])
	binary.BigEndian.PutUint32(raw[generationAt:], uint32(c.generation))
	copy(raw[saltAt:], c.salt[:])
	copy(raw[macAt:], refreshMAC(k[0], raw[:macAt]))
	return RefreshToken{refreshPrefix + base64.RawURLEncoding.EncodeToString(raw[:])}, nil
}

// parse returns what a token says that mint made, and false for every other text. It looks at nothing but the text: no forged
// token gets as far as the database.
func (k refreshKeys) parse(text string) (refreshClaims, bool) {
	encoded, ok := strings.CutPrefix(text, refreshPrefix)
	if !ok || len(text) != refreshLength {
		return refreshClaims{}, false
	}
	var raw [refreshSize]byte
	n, err := base64.RawURLEncoding.Strict().Decode(raw[:], []byte(encoded))
	if err != nil || n != refreshSize { // the decoder passes over line breaks, and then comes out short
		return refreshClaims{}, false
	}
	generation := binary.BigEndian.Uint32(raw[generationAt:])
	if !k.made(&raw) || raw[versionAt] != refreshVersion || generation > math.MaxInt32 {
		return refreshClaims{}, false
	}
	return refreshClaims{
		sessionID:  id.ID(raw[sessionAt:generationAt]),
		generation: int32(generation),
		salt:       [saltSize]byte(raw[saltAt:macAt]),
	}, true
}

// made reports whether the MAC is by one of the keys, each compared in constant time.
func (k refreshKeys) made(raw *[refreshSize]byte) bool {
	for _, key := range k {
		if hmac.Equal(raw[macAt:], refreshMAC(key, raw[:macAt])) {
			return true
		}
	}
	return false
}

// refreshMAC is HMAC-SHA256 (RFC 2104) over the prefix and what a token says, so that the tag is good for nothing else.
func refreshMAC(key, said []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(refreshPrefix))
	mac.Write(said)
	return mac.Sum(nil)
}
