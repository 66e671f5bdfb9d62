// Package keyring owns the keys that sign access tokens: how they are made, where they are kept, how one takes the place of
// another, and which of them may verify a token.
//
// Keys live in the table signing_keys, sealed under the master secret, so that every replica signs with the same one. A key is
// first published, so that others have it before they meet a token of it; then it signs, at a time that all replicas know
// beforehand; then it verifies until the last of its tokens is dead; then it is retired, and its private half erased. An HS256
// key is the exception: it is the secret that the operator configured, is kept nowhere and has no phases.
//
// It must never let a private key out: others sign through a [Key]. It knows nothing of what it signs; claims are token's
// business.
package keyring

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// ErrUnknown reports a key id that names no key in force.
var ErrUnknown = errors.New("keyring: no such key")

// pace is the least time between two reads of the table that were caused by unknown key ids. Whoever asks for one waits for the
// next read, so pace bounds both how many queries made-up ids cause and how long a good one has to wait.
const pace = 50 * time.Millisecond

// Config says how access tokens are signed, and how keys change.
type Config struct {
	Algorithm   Algorithm     // what new tokens are signed with; default ES256
	JWTSecret   []byte        // the HS256 key, at least 32 random bytes; the other algorithms have no use for it
	TokenTTL    time.Duration // how long the longest-lived token lives, to the second; default 24h
	PublishLead time.Duration // how long a key is published before it signs
	RotateEvery time.Duration // the age, since it began to sign, at which a key is replaced; 0 means never
	Logger      *slog.Logger  // default: none

	// Record is called in the transaction of every change, with the kid; an error undoes the change. Default: none.
	Record func(ctx context.Context, change Change, kid string) error
}

// Ring is the keys in force, as one server has them. It is safe for concurrent use. Until Watch runs it learns of new keys only
// when it meets their ids.
type Ring struct {
	table     *Table // nil with HS256
	algorithm Algorithm
	every     time.Duration
	now       func() time.Time
	logger    *slog.Logger

	state   atomic.Pointer[state]
	looking sync.Mutex         // so that what was read earlier never replaces what was read later
	asking  singleflight.Group // those who ask for a key that is not known
	turn    chan struct{}      // holds a token when the next of them may read

	syncing sync.Mutex      // guards what follows
	kept    map[string]bool // the kids of which Sync has nothing to do any more but to retire them
}

// state is what a ring knows at one moment. It is immutable: another read puts another in its place.
type state struct {
	rows  []row           // as the table's, with the keys of those in force that open
	byID  map[string]*row // into rows
	final *Key            // what signs when nothing in rows can
}

// Open loads the keys, and makes the first one when none is in force for the configured algorithm. Replicas that start together
// on an empty database agree on one key.
//
// Tokens verify under every key in force, whatever its algorithm, so that changing the algorithm signs nobody out. With HS256
// the table is neither read nor written, db and master may be nil, and the configured secret is the only key.
//
// It fails when the database does and, with a sentence that says what to do, when a key in it was sealed under another
// master secret or when cfg makes no key.
func Open(ctx context.Context, db *store.DB, master *secret.Master, now func() time.Time, cfg Config) (*Ring, error) {
	ring := &Ring{
		algorithm: cmp.Or(cfg.Algorithm, ES256), every: cfg.RotateEvery, now: now, logger: cfg.Logger,
		turn: make(chan struct{}, 1), kept: make(map[string]bool),
	}
	ring.turn <- struct{}{}
	if ring.logger == nil {
		ring.logger = slog.New(slog.DiscardHandler)
	}

	if cfg.Algorithm == HS256 {
		key, err := newSecretKey(cfg.JWTSecret)
		if err != nil {
			return nil, err
		}
		ring.state.Store(newState([]row{{KID: key.ID, Algorithm: HS256, key: key}}, key))
		return ring, nil
	}

	cfg.TokenTTL = cmp.Or(cfg.TokenTTL, maxTokenTTL)
	ring.table = NewTable(db, master, now, cfg)
	ring.state.Store(newState(nil, nil))
	if err := ring.look(ctx); err != nil {
		return nil, err
	}
	for _, row := range ring.state.Load().byID {
		if row.err != nil {
			return nil, row.err
		}
	}
	if err := ring.Sync(ctx); err != nil {
		return nil, err
	}
	return ring, nil
}

func newState(rows []row, final *Key) *state {
	s := &state{rows: rows, byID: make(map[string]*row, len(rows)), final: final}
	for i := range rows {
		s.byID[rows[i].KID] = &rows[i]
	}
	return s
}

// Signing returns the key that new tokens are signed with at this moment. It changes at a time that was in the table beforehand,
// so that all replicas change together.
func (r *Ring) Signing() *Key {
	known := r.state.Load()
	if row := signing(known.rows, r.algorithm, r.now()); row != nil && row.key != nil {
		return row.key
	}
	return known.final
}

// InForce reports whether tokens of the key whose ID is kid, which [Ring.Verifying] has returned before, are still accepted at
// now. It makes no query and allocates nothing.
func (r *Ring) InForce(kid string, now time.Time) bool {
	row, ok := r.state.Load().byID[kid]
	return ok && row.inForce(now)
}

// Verifying returns the key whose ID is kid. For an ID that it does not know it reads the table, with all who ask meanwhile and
// at most twenty times a second: so a key is known here as soon as somebody presents a token of it, and whoever makes up ids
// waits.
//
// It fails with [ErrUnknown] when no key in force has that ID. When the table could not be asked, or holds a key that does not
// open, it fails with that fault instead, so that nobody is told that a good token is bad.
func (r *Ring) Verifying(ctx context.Context, kid string) (*Key, error) {
	if row, ok := r.state.Load().byID[kid]; ok {
		return row.verifying(r.now())
	}
	if r.table == nil || len(kid) != idLength {
		return nil, ErrUnknown // nothing to ask, or nothing worth asking: no key has such an ID
	}
	// One reads for all who wait; that its client went away must not fail the others.
	if err := r.ask(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	if row, ok := r.state.Load().byID[kid]; ok {
		return row.verifying(r.now())
	}
	return nil, ErrUnknown
}

func (r *row) verifying(now time.Time) (*Key, error) {
	if !r.inForce(now) || r.key == nil && r.err == nil {
		return nil, ErrUnknown
	}
	return r.key, r.err
}

// ask waits for a read of the table that began after the call.
func (r *Ring) ask(ctx context.Context) error {
	_, err, _ := r.asking.Do("", func() (any, error) {
		<-r.turn
		r.asking.Forget("") // whoever asks from here on is too late for this read, and waits for the next
		defer time.AfterFunc(pace, func() { r.turn <- struct{}{} })
		return nil, r.look(ctx)
	})
	return err
}
