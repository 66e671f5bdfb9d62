// Package keyring owns the keys that sign access tokens: how they are made, where they are kept, and which of them may
// verify a token.
//
// Keys live in the table signing_keys, sealed under the master secret, so that every replica signs with the same one. An
// HS256 key is the exception: it is the secret that the operator configured, and is kept nowhere.
//
// It must never let a private key out: others sign through a [Key]. It knows nothing of what it signs; claims are token's
// business.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// ErrUnknown reports a key id that names no key of ours.
var ErrUnknown = errors.New("keyring: no such key")

// rereadInterval is how long unknown key ids are answered from memory. A key made by another replica is known here at the
// latest this much after it is asked for; whoever makes up key ids causes at most one query in as long.
const rereadInterval = 5 * time.Second

// Config says how access tokens are signed.
type Config struct {
	Algorithm Algorithm // what new tokens are signed with; default ES256
	JWTSecret []byte    // the HS256 key, at least 32 random bytes; the other algorithms have no use for it
}

// Ring is the set of keys in force. It is safe for concurrent use.
type Ring struct {
	table table
	now   func() time.Time
	state atomic.Pointer[state]
	reads singleflight.Group
}

// state is what the ring knows at one moment. It is immutable: a re-read puts another in its place.
type state struct {
	signing   *Key
	verifying map[string]*Key // by Key.ID
	readAt    time.Time       // when the table was last asked; zero where there is none to ask (HS256)
	readErr   error           // what came of it, when that was not an answer
}

// Open loads the keys, and makes the first one when the table has none for the configured algorithm. Replicas that start
// together on an empty database agree on one key.
//
// Tokens verify under every key in the table, whatever its algorithm, so that changing the algorithm signs nobody out. With
// HS256 the table is neither read nor written, db and master may be nil, and the configured secret is the only key.
//
// It fails when the database does and, with a sentence that says what to do, when a key in it was sealed under another
// master secret or when cfg makes no key.
func Open(ctx context.Context, db *store.DB, master *secret.Master, now func() time.Time, cfg Config) (*Ring, error) {
	ring := &Ring{table: table{db: db, master: master}, now: now}
	first := &state{verifying: make(map[string]*Key)}

	if cfg.Algorithm == HS256 {
		key, err := newSecretKey(cfg.JWTSecret)
		if err != nil {
			return nil, err
		}
		first.signing = key
		first.verifying[key.ID] = key
		ring.state.Store(first)
		return ring, nil
	}

	if cfg.Algorithm == "" {
		cfg.Algorithm = ES256
	}
	first.readAt = now()
	keys, err := ring.table.loadOrMake(ctx, cfg.Algorithm, first.readAt)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		first.verifying[key.ID] = key
		if key.Algorithm == cfg.Algorithm {
			first.signing = key // keys come oldest first: the newest stays
		}
	}
	ring.state.Store(first)
	return ring, nil
}

// Signing returns the key that new tokens are signed with.
func (r *Ring) Signing() *Key { return r.state.Load().signing }

// Verifying returns the key whose ID is kid. For an ID that it does not know it reads the table again, at most once in five
// seconds, however many ask.
//
// It fails with [ErrUnknown] when the table has no such key. When the table could not be asked it fails with the storage
// fault instead, so that nobody is told that a good token is bad.
func (r *Ring) Verifying(ctx context.Context, kid string) (*Key, error) {
	known := r.state.Load()
	if key, ok := known.verifying[kid]; ok {
		return key, nil
	}
	if known.readAt.IsZero() || len(kid) != idLength {
		return nil, ErrUnknown // nothing to ask, or nothing worth asking: no key has such an ID
	}
	_, err, _ := r.reads.Do("", func() (any, error) {
		// One caller reads for all who wait; that its client went away must not fail the others.
		return nil, r.reread(context.WithoutCancel(ctx))
	})
	if err != nil {
		return nil, err
	}
	if key, ok := r.state.Load().verifying[kid]; ok {
		return key, nil
	}
	return nil, ErrUnknown
}

// reread learns the keys that were added to the table, unless it was asked a moment ago: then the outcome of that stands.
func (r *Ring) reread(ctx context.Context) error {
	known := r.state.Load()
	now := r.now()
	// The distance, not the difference: after the clock was set back, waiting until it has caught up could take hours.
	if now.Sub(known.readAt).Abs() < rereadInterval {
		return known.readErr
	}
	next := &state{signing: known.signing, verifying: maps.Clone(known.verifying), readAt: now}
	keys, err := r.table.load(ctx)
	if err != nil {
		next.readErr = fmt.Errorf("keyring: reading the keys again: %w", err)
	}
	for _, key := range keys {
		next.verifying[key.ID] = key
	}
	r.state.Store(next)
	return next.readErr
}
