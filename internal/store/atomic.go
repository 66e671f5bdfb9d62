package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

const (
	firstBackoff = 5 * time.Millisecond
	lastBackoff  = 100 * time.Millisecond
)

// transactionKey finds the transaction of one database in a context, so that two open databases cannot take each other's.
type transactionKey struct{ db *DB }

// transaction is one attempt at a transaction.
type transaction struct {
	bun.Tx
	channels []string // to hint at once it is committed
}

func (db *DB) transaction(ctx context.Context) (*transaction, bool) {
	tx, ok := ctx.Value(transactionKey{db}).(*transaction)
	return tx, ok
}

// Atomically runs fn in a transaction: what fn does through the context it is given happens wholly or not at all. The
// transaction is committed when fn returns nil and rolled back when it returns an error or panics.
//
// Inside another Atomically it joins that one, whose outcome decides for both. Otherwise fn may run more than once: a
// transaction that lost to another (serialization failure, deadlock, busy database) is tried again until the deadline. So fn
// must do nothing that cannot be repeated, nothing slow, and must give up at its first error: PostgreSQL refuses whatever
// follows one.
func (db *DB) Atomically(ctx context.Context, fn func(ctx context.Context) error) error {
	if _, joined := db.transaction(ctx); joined {
		return fn(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, db.timeout)
	defer cancel()
	for backoff := firstBackoff; ; backoff = min(2*backoff, lastBackoff) {
		err := db.attempt(ctx, fn)
		if !retryable(err) || !pause(ctx, backoff) {
			return err
		}
	}
}

func (db *DB) attempt(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	begun, err := db.bun.BeginTx(ctx, nil)
	if err != nil {
		return classify(err)
	}
	tx := &transaction{Tx: begun}
	committed := false
	defer func() {
		if committed {
			return
		}
		// A rollback fails only with its connection, which the database then rolls back by itself; the error that led here
		// says more.
		if failed := tx.Rollback(); failed != nil && err == nil {
			err = classify(failed)
		}
	}()
	if err := fn(context.WithValue(ctx, transactionKey{db}, tx)); err != nil {
		return expired(ctx, err)
	}
	if over := ctx.Err(); over != nil { // database/sql, which is told of it later, may commit still
		return classify(over)
	}
	committed = true
	if err := tx.Commit(); err != nil {
		return classify(expired(ctx, err))
	}
	db.outbox.put(ctx, db, tx.channels...)
	return nil
}

// expired classifies the end of the transaction's time: database/sql notices it by itself, and then the driver that classifies
// is never asked.
func expired(ctx context.Context, err error) error {
	over := ctx.Err()
	if over == nil || !errors.Is(err, over) && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	if _, known := errors.AsType[*Error](err); known {
		return err
	}
	return classify(over)
}

// pause waits between half of d and d; it reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	var jitter [1]byte
	rand.Read(jitter[:]) // never fails
	timer := time.NewTimer(d/2 + d/2*time.Duration(jitter[0])/255)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
