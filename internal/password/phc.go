package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Params is the cost of a hash, in argon2's terms (RFC 9106 section 3.1).
type Params struct {
	Memory     uint32 // KiB
	Time       uint32 // passes over the memory
	Threads    uint8  // lanes
	SaltLength uint32 // bytes
	KeyLength  uint32 // bytes
}

// DefaultParams returns the cost of new hashes: 19 MiB, two passes, one lane, which OWASP's Password Storage Cheat Sheet
// names as the least for argon2id; a salt of 16 and a tag of 32 bytes, as RFC 9106 section 4 recommends.
func DefaultParams() Params {
	return Params{Memory: 19456, Time: 2, Threads: 1, SaltLength: 16, KeyLength: 32}
}

// ErrMalformed reports a stored hash that is no argon2id PHC string in canonical form and within the limits.
var ErrMalformed = errors.New("password: stored hash is not an argon2id PHC string within the limits")

// errParams reports a Config that asks for hashes which could not be verified.
var errParams = errors.New("password: Config.Params is outside the limits of a stored hash")

// Limits of what a stored hash may ask for. They leave room for hashes of other programs, whose defaults end at 64 MiB, four
// passes and four lanes, while the worst hash that passes costs no more than a second or two and 128 MiB. The least memory
// is RFC 9106's: 8 KiB a lane.
const (
	maxMemory  = 128 << 10 // KiB
	maxTime    = 10
	maxThreads = 16
	minSalt    = 8 // RFC 9106 section 3.1
	maxSalt    = 64
	minKey     = 16
	maxKey     = 64

	maxEncoded = 256 // characters: more than any hash within these limits has
)

func (p Params) orDefault() Params {
	d := DefaultParams()
	return Params{
		Memory:     orDefault(p.Memory, d.Memory),
		Time:       orDefault(p.Time, d.Time),
		Threads:    orDefault(p.Threads, d.Threads),
		SaltLength: orDefault(p.SaltLength, d.SaltLength),
		KeyLength:  orDefault(p.KeyLength, d.KeyLength),
	}
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// withinLimits reports whether a hash of this cost may be computed.
func (p Params) withinLimits() bool {
	return p.Threads >= 1 && p.Threads <= maxThreads &&
		p.Memory >= 8*uint32(p.Threads) && p.Memory <= maxMemory &&
		p.Time >= 1 && p.Time <= maxTime &&
		p.SaltLength >= minSalt && p.SaltLength <= maxSalt &&
		p.KeyLength >= minKey && p.KeyLength <= maxKey
}

// encoded is a hash as a PHC string holds it.
type encoded struct {
	params    Params
	salt, key []byte
}

// String returns the PHC string: argon2id, version 19, parameters in the order m, t, p, base64 without padding.
func (e encoded) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, e.params.Memory, e.params.Time, e.params.Threads,
		base64.RawStdEncoding.EncodeToString(e.salt), base64.RawStdEncoding.EncodeToString(e.key))
}

// parse reads a PHC string in the one form that String writes. Nothing of the text is in the error: a hash is a secret too.
func parse(phc string) (encoded, error) {
	fields := strings.Split(phc[:min(len(phc), maxEncoded+1)], "$")
	if len(phc) > maxEncoded || len(fields) != 6 {
		return encoded{}, ErrMalformed
	}
	var e encoded
	_, errCost := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &e.params.Memory, &e.params.Time, &e.params.Threads)
	salt, errSalt := base64.RawStdEncoding.DecodeString(fields[4])
	key, errKey := base64.RawStdEncoding.DecodeString(fields[5])
	saltLength, keyLength := len(salt), len(key)
	if errCost != nil || errSalt != nil || errKey != nil || saltLength > maxSalt || keyLength > maxKey {
		return encoded{}, ErrMalformed
	}
	e.salt, e.params.SaltLength = salt, uint32(saltLength)
	e.key, e.params.KeyLength = key, uint32(keyLength)
	// Writing it again decides all that is left: another algorithm or version, signs, leading zeros, spaces, line breaks and
	// loose bits in the base64.
	if !e.params.withinLimits() || e.String() != phc {
		return encoded{}, ErrMalformed
	}
	return e, nil
}
