// Package password owns passwords: which ones are good enough, how they are hashed, and how much of the machine hashing may
// take. It speaks argon2id alone.
//
// It must never log, keep or return a password, and never reveal by its time whether an account exists: that is what
// VerifyNothing is for.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"runtime"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Config says what a hash costs and how many may be made at once. The zero Config is the defaults.
type Config struct {
	Params      Params           // each zero field stands for the field of DefaultParams
	Concurrency int              // hashes at once; default half of GOMAXPROCS, but at least 1 and at most 3
	Queue       int              // callers that may wait for their turn; default 64
	MaxWait     time.Duration    // how long one of them waits at most; default 5 s
	Now         func() time.Time // times the hashes, so that others can have their rest; default none: there is no rest
}

// maxConcurrency bounds the default. Each hash at once takes its memory, and three are a hundred logins in a second.
const maxConcurrency = 3

// Hasher hashes and verifies passwords, a few at a time. It is safe for concurrent use, and nothing of it outlives a call but
// the timer of a rest. Every method brings the password to Unicode's form NFC first, so that one typed on another keyboard
// still matches.
//
// Those methods that hash wait for their turn. A caller that gets none, because the queue is full, the wait too long or its
// context done, is told so by a [fault.Error] with SERVICE_UNAVAILABLE and RetryAfter; the context's error is its cause.
type Hasher struct {
	params Params
	now    func() time.Time
	gate   *gate
	decoy  string // a PHC string that no password matches and that costs what a new one costs
}

// New returns a Hasher.
func New(cfg Config) *Hasher {
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = min(max(1, runtime.GOMAXPROCS(0)/2), maxConcurrency)
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 64
	}
	if cfg.MaxWait <= 0 {
		cfg.MaxWait = 5 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return time.Time{} }
	}
	params := cfg.Params.orDefault()
	decoy := encoded{params: params, salt: make([]byte, params.SaltLength), key: make([]byte, params.KeyLength)}
	return &Hasher{
		params: params,
		now:    cfg.Now,
		gate:   newGate(cfg.Concurrency, cfg.Queue, cfg.MaxWait),
		decoy:  decoy.String(),
	}
}

// Busy returns the error of a caller who would be turned away at this moment because the queue is full, or else nil. Asking
// first spares the work that leads up to a hash: in a flood that is most of what the flood costs.
func (h *Hasher) Busy() error {
	if h.gate.full() {
		return busy(nil)
	}
	return nil
}

// Hash returns the password hashed under a new random salt, as a PHC string such as
// "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>". It judges nothing: see Check. It fails on a Config outside the limits that
// stored hashes have.
func (h *Hasher) Hash(ctx context.Context, password string) (phc string, err error) {
	if !h.params.withinLimits() {
		return "", errParams
	}
	hash := encoded{params: h.params, salt: make([]byte, h.params.SaltLength)}
	rand.Read(hash.salt) // never fails: crypto/rand ends the process rather than return an error
	if hash.key, err = h.derive(ctx, password, hash); err != nil {
		return "", err
	}
	return hash.String(), nil
}

// Verify reports whether phc is a hash of the password, in time that doesn't depend on where they differ. rehash is true
// when it is, but at another cost than new hashes have: hash the password again and store that. A password longer than any
// that Check accepts is nobody's, and costs what others cost. A PHC string that is malformed or asks for more than the limits
// is ErrMalformed, before any memory is spent on it.
func (h *Hasher) Verify(ctx context.Context, phc, password string) (ok, rehash bool, err error) {
	hash, err := parse(phc)
	if err != nil {
		return false, false, err
	}
	possible := len(password) <= maxTyped
	if !possible {
		password = ""
	}
	key, err := h.derive(ctx, password, hash)
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(key, hash.key) == 1 && possible
	return ok, ok && hash.params != h.params, nil
}

// VerifyNothing does the work of Verify where there is no hash to verify, for unknown users: it goes the same way, with a
// hash of the same cost that nothing matches. The error is that of waiting in vain.
func (h *Hasher) VerifyNothing(ctx context.Context, password string) error {
	_, _, err := h.Verify(ctx, h.decoy, password)
	return err
}

// derive waits for its turn and computes the key that hash's parameters and salt make of the password.
func (h *Hasher) derive(ctx context.Context, password string, hash encoded) ([]byte, error) {
	plain := norm.NFC.Bytes([]byte(password))
	if err := h.gate.enter(ctx); err != nil {
		return nil, err
	}
	began := h.now()
	defer func() { h.gate.leave(h.now().Sub(began)) }()
	p := hash.params
	return argon2.IDKey(plain, hash.salt, p.Time, p.Memory, p.Threads, p.KeyLength), nil
}
