// Package secret owns the master secret: how it is read, created and kept, which secrets are too weak to start with, and
// the sub-keys that come of it. Every other key of the server is derived from it or sealed under it.
//
// It must never let the secret out: not through fmt, slog or JSON, not into an error. Nothing but a sub-key leaves it.
package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// MinSize is the least number of random bytes in a secret: as many as the AES-256 and HMAC-SHA256 keys made of it are
// worth (RFC 7518 section 3.2 asks the same of an HS256 key).
const MinSize = 32

// ErrOpen reports sealed bytes that none of the secrets opens: sealed under another secret, label or additional data, or
// damaged. It doesn't say which, because nobody can tell.
var ErrOpen = errors.New("secret: cannot open: sealed under another secret, or damaged")

// Master is one or several master secrets. The first one seals and derives; all of them open, so that putting a new secret
// in front of the old one rotates it. It is immutable and safe for concurrent use. Make one with Parse, Load or
// LoadOrCreate: the zero Master is of no use.
type Master struct {
	secrets [][]byte
}

// Parse reads one or several secrets separated by commas, each as ParseKey reads it. White space around a secret is
// ignored. The error says which one is refused, why, and what to do; it never quotes the text.
func Parse(text string) (*Master, error) {
	parts := strings.Split(text, ",")
	m := &Master{secrets: make([][]byte, 0, len(parts))}
	for i, part := range parts {
		key, err := parseKey(part)
		if err == nil && m.holds(key) {
			err = errors.New("it is listed twice: the newest first, then the older ones, each once")
		}
		if err != nil && len(parts) > 1 {
			return nil, fmt.Errorf("secret %d of %d: %w", i+1, len(parts), err)
		}
		if err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
		m.secrets = append(m.secrets, key)
	}
	return m, nil
}

// ParseKey reads a single secret, such as the key of HS256: at least MinSize random bytes in base64 (the standard or the
// URL alphabet, padded or not) or in hex. A secret that is short, patterned, text, or published as an example is refused.
// The error says why and what to do; it never quotes the text.
func ParseKey(text string) ([]byte, error) {
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return key, nil
}

// Key returns size bytes of key material for the given use: HKDF-SHA256 (RFC 5869) of the first secret, without salt, which
// section 3.1 allows for a secret that is random to begin with. One label per use: equal labels give equal keys. It never
// gives the key that Seal uses under the same label. It fails unless 0 < size ≤ 8160, the most that HKDF-SHA256 has to give:
// no shorter key may stand in for the one asked for.
func (m *Master) Key(label string, size int) ([]byte, error) {
	return derive(m.secrets[0], "key", label, size)
}

// Keys returns what Key does for every one of the secrets, the first one's first: make with the first, accept all, so that what
// was made under an older secret stays good while that one is still given.
func (m *Master) Keys(label string, size int) ([][]byte, error) {
	keys := make([][]byte, len(m.secrets))
	for i, secret := range m.secrets {
		key, err := derive(secret, "key", label, size)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	return keys, nil
}

// Seal encrypts plaintext with AES-256-GCM under the first secret's sub-key for label, and binds it to additional, which is
// not kept: Open wants the same again. The result is a random 96-bit nonce, the ciphertext, and a tag of 16 bytes; so one
// label is good for 2³² calls (NIST SP 800-38D section 8.3).
func (m *Master) Seal(label string, plaintext, additional []byte) ([]byte, error) {
	aead, err := sealer(m.secrets[0], label)
	if err != nil {
		return nil, fmt.Errorf("secret: seal: %w", err)
	}
	return aead.Seal(nil, nil, plaintext, additional), nil
}

// Open returns what Seal sealed under the same label and additional data by any of the secrets, or ErrOpen.
func (m *Master) Open(label string, sealed, additional []byte) ([]byte, error) {
	for _, secret := range m.secrets {
		aead, err := sealer(secret, label)
		if err != nil {
			return nil, fmt.Errorf("secret: open: %w", err)
		}
		if plaintext, err := aead.Open(nil, nil, sealed, additional); err == nil {
			return plaintext, nil
		}
	}
	return nil, ErrOpen
}

func (m *Master) holds(key []byte) bool {
	for _, secret := range m.secrets {
		if bytes.Equal(secret, key) {
			return true
		}
	}
	return false
}

func sealer(secret []byte, label string) (cipher.AEAD, error) {
	key, err := derive(secret, "seal", label, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// derive keeps the purposes apart, so that a label used for both Key and Seal still names two keys.
func derive(secret []byte, purpose, label string, size int) ([]byte, error) {
	if size < 1 || size > 255*sha256.Size {
		return nil, fmt.Errorf("secret: a key of %d bytes cannot be derived", size)
	}
	return hkdf.Key(sha256.New, secret, nil, "gatehouse "+purpose+" "+label, size)
}

// masked stands for the secrets wherever a Master is printed.
const masked = "[secret]"

// The methods below take a value, not a pointer, so that a copied Master is masked too.

// Format writes the mask for every verb, %d and %x included.
func (Master) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, masked) }

// String returns the mask.
func (Master) String() string { return masked }

// GoString returns the mask.
func (Master) GoString() string { return masked }

// LogValue returns the mask.
func (Master) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText returns the mask, and with it what JSON shows.
func (Master) MarshalText() ([]byte, error) { return []byte(masked), nil }
