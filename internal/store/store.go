// Package store owns the door to the database: connections, transactions, deadlines, migrations, and what a failure means.
// PostgreSQL and SQLite stand behind the same door and behave alike; nothing else in Gatehouse imports a database driver.
//
// Whatever passes through it has a deadline and fails as one of a handful of errors ([ErrNotFound], [ErrConflict],
// [ErrUnavailable]), because both are done below database/sql, where no caller can go around them. Times are UTC with a
// precision of microseconds in both directions.
//
// It must never put the text of a statement, a value from a row or a password into an error or a log line, and it knows no
// table besides its own record of migrations.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/store/migrations"
)

// DefaultTimeout bounds a call when [Config] names no other time.
const DefaultTimeout = 2 * time.Second

// Config says which database to open and how patient to be with it. Only URL is required.
type Config struct {
	// URL is sqlite://FILE (relative, or absolute as in sqlite:///var/lib/gatehouse.db) or postgres://…, as pgx reads it.
	URL string
	// Timeout bounds one call, from waiting for a connection to the end of its transaction. Zero means [DefaultTimeout].
	Timeout time.Duration
	// Logger receives slow statements (operation, table and duration, never text) at debug level. Nil means nowhere.
	Logger *slog.Logger
	// Now is the clock that statements are timed with. Nil means that they are not timed.
	Now func() time.Time
	// Beside holds the migrations of others who keep tables in the same database.
	Beside []Migrations
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	backend    backend
	bun        *bun.DB
	timeout    time.Duration
	migrations []Migrations  // ours first
	lockWait   time.Duration // how long Migrate waits for another process that is migrating
	outbox     outbox
	listeners  listeners

	closing sync.Once
	closed  error // what the first Close returned
}

// backend is what differs between the two databases.
type backend interface {
	// queryRow runs a lookup with real parameters, outside any transaction.
	queryRow(ctx context.Context, query string, args []any) Row
	// queryRows does so for any number of rows.
	queryRows(ctx context.Context, each func(scan Scan) error, query string, args []any) error
	// ping asks for a sign of life.
	ping(ctx context.Context) error
	// dedicated opens a connection of its own, without deadlines.
	dedicated(ctx context.Context) (rawConn, error)
	// lockSchema begins a transaction in which no other process migrates.
	lockSchema(ctx context.Context, session *bun.DB, wait time.Duration) error
	// listen calls begun whenever it has begun to hear, and hear for what was announced since then, until ctx ends.
	listen(ctx context.Context, begun func(), hear func(channel string))
	// announce lets every process that it can reach hear of the channels; this one alone, through hear, where there is no other.
	announce(ctx context.Context, channels []string, hear func(channel string)) error
	// now asks the database what time it is; ok is false for one that has no clock of its own.
	now(ctx context.Context, wall func() time.Time) (r reading, ok bool, err error)
	// hasTable reports whether a table exists.
	hasTable(ctx context.Context, session bun.IDB, name string) (bool, error)
	// dialect is the middle of a migration's file name where the dialects need different ones.
	dialect() string
	// close ends whatever stands beneath database/sql.
	close()
}

// Open connects to the database and makes sure that it answers; it does not migrate. The error is one sentence that says what
// to do, and never quotes the URL.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()

	db := &DB{timeout: cfg.Timeout, lockWait: 30 * time.Second}
	db.migrations = append(db.migrations, Migrations{Files: migrations.Files})
	for _, beside := range cfg.Beside {
		if !migrationsName.MatchString(beside.Name) {
			return nil, fmt.Errorf("store: migrations of the name %q: it takes lower-case letters, digits and underscores, "+
				"beginning with a letter", beside.Name)
		}
		db.migrations = append(db.migrations, beside)
	}
	var err error
	scheme, rest, found := strings.Cut(cfg.URL, "://")
	switch {
	case found && scheme == "sqlite":
		db.backend, db.bun, err = openSQLite(ctx, rest, cfg.Timeout)
	case found && (scheme == "postgres" || scheme == "postgresql"):
		db.backend, db.bun, err = openPostgres(ctx, cfg.URL, cfg.Timeout)
	default:
		err = unknownScheme(scheme, found)
	}
	if err != nil {
		return nil, err
	}
	if cfg.Logger != nil && cfg.Now != nil && cfg.Logger.Enabled(ctx, slog.LevelDebug) {
		db.bun = db.bun.WithQueryHook(&slowHook{logger: cfg.Logger, now: cfg.Now, threshold: cfg.Timeout / 4})
	}
	return db, nil
}

// Close releases every connection. It waits for calls in flight, which their deadline bounds. It may be called again, and
// returns the same then.
func (db *DB) Close() error {
	db.closing.Do(func() {
		db.outbox.close() // what was committed is still announced
		db.listeners.close()
		err := db.bun.Close()
		db.backend.close()
		if err != nil {
			db.closed = fmt.Errorf("closing the database: %w", classify(err))
		}
	})
	return db.closed
}

// Ping reports whether the database answers; the error is [ErrUnavailable] when it does not.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, db.timeout)
	defer cancel()
	return classify(db.backend.ping(ctx))
}

// Conn returns what queries run on: the transaction that ctx is in, or else the pool. With SQLite, the pool sends what was
// built by NewSelect to the readers and everything else, raw statements too, to the one writer.
//
// Its BeginTx and RunInTx fail outside a transaction: [DB.Atomically] is the way into one.
//
// Two errors do not come from the database and keep their own words: that of a context which had ended before the call, and
// Bun's about a field whose type does not fit its column, a mistake that the first test to read the column finds.
func (db *DB) Conn(ctx context.Context) bun.IDB {
	if tx, ok := db.transaction(ctx); ok {
		return tx.Tx
	}
	return pool{db.bun}
}

// pool is Bun's DB less the transactions that a nested call could not join.
type pool struct{ *bun.DB }

var errUseAtomically = errors.New("store: use Atomically, so that the transaction can be joined and retried")

// BeginTx always fails.
func (pool) BeginTx(context.Context, *sql.TxOptions) (bun.Tx, error) {
	return bun.Tx{}, errUseAtomically
}

// RunInTx always fails.
func (pool) RunInTx(context.Context, *sql.TxOptions, func(context.Context, bun.Tx) error) error {
	return errUseAtomically
}

var schemePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]{0,15}$`)

// unknownScheme names the scheme only where it cannot be part of a mistyped password.
func unknownScheme(scheme string, found bool) error {
	const mend = "DATABASE_URL must start with sqlite:// or postgres://"
	if found && schemePattern.MatchString(scheme) {
		return fmt.Errorf("store: %s, not with %s://", mend, scheme)
	}
	return fmt.Errorf("store: %s", mend)
}
