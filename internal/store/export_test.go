package store

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/uptrace/bun"
)

// SetMigrations replaces our own migrations that db knows.
func (db *DB) SetMigrations(files fs.FS) { db.migrations[0].Files = files }

// SetLockWait bounds how long Migrate waits for another process.
func (db *DB) SetLockWait(d time.Duration) { db.lockWait = d }

// HoldSchema keeps other processes from migrating while during runs.
func (db *DB) HoldSchema(ctx context.Context, during func()) error {
	raw, err := db.backend.dedicated(ctx)
	if err != nil {
		return err
	}
	session := bun.NewDB(openSession(raw), db.bun.Dialect())
	if err := db.backend.lockSchema(ctx, session, time.Minute); err != nil {
		return err
	}
	during()
	return errors.Join(session.Close(), raw.Close())
}
