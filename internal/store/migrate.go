package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"
)

const (
	migrationTable = "schema_migrations"
	lockTable      = "schema_migration_locks" // Bun creates it; the locks that Migrate takes cannot be left behind
)

// Migrate brings the schema up to what this program knows: all pending migrations in one transaction, so that none is ever
// half applied. Processes that start at once do it one after the other; the wait is bounded, the migrations themselves are not.
// The error is [ErrSchemaNewer] when the database is ahead.
func (db *DB) Migrate(ctx context.Context) (err error) {
	if err := db.Check(ctx); !errors.Is(err, ErrSchemaOlder) {
		return err
	}
	raw, err := db.backend.dedicated(ctx)
	if err != nil {
		return fmt.Errorf("migrating the schema: %w", classify(err))
	}
	session := bun.NewDB(openSession(raw), db.bun.Dialect())
	defer func() {
		if closed := session.Close(); err == nil {
			err = classify(closed)
		}
		if closed := raw.Close(); err == nil { // an open transaction ends here, with nothing done
			err = classify(closed)
		}
	}()
	return explainMigration(db.migrateIn(ctx, session))
}

// migrateIn runs on a session that is used for nothing else and closed afterwards.
func (db *DB) migrateIn(ctx context.Context, session *bun.DB) error {
	if err := db.backend.lockSchema(ctx, session, db.lockWait); err != nil {
		if errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
			return fmt.Errorf("another process holds the schema: wait for it to finish, then start again: %w", err)
		}
		return err
	}
	if err := db.applyPending(ctx, session); err != nil {
		return err
	}
	_, err := session.ExecContext(ctx, "COMMIT")
	return err
}

// explainMigration says what to do about the failure that new installations meet.
func explainMigration(err error) error {
	known, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return nil
	case ok && known.Code == insufficientPrivilege:
		return fmt.Errorf("migrating the schema: the user in DATABASE_URL may not create tables: "+
			"let the owner of the database run GRANT CREATE ON SCHEMA public TO that user: %w", err)
	default:
		return fmt.Errorf("migrating the schema: %w", err)
	}
}

// applyPending runs inside the transaction that lockSchema began.
func (db *DB) applyPending(ctx context.Context, session *bun.DB) error {
	migrator, err := db.migrator(session)
	if err != nil {
		return err
	}
	if err := migrator.Init(ctx); err != nil {
		return err
	}
	if err := compare(ctx, migrator); !errors.Is(err, ErrSchemaOlder) {
		return err // somebody else was faster, or newer
	}
	_, err = migrator.Migrate(ctx)
	return err
}

// Check reports whether the schema is exactly what this program knows; the error is [ErrSchemaOlder] or [ErrSchemaNewer] when
// it is not.
func (db *DB) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, db.timeout)
	defer cancel()
	exists, err := db.backend.hasTable(ctx, db.bun, migrationTable)
	if err != nil {
		return fmt.Errorf("checking the schema: %w", err)
	}
	if !exists {
		return ErrSchemaOlder
	}
	migrator, err := db.migrator(db.bun)
	if err != nil {
		return err
	}
	return compare(ctx, migrator)
}

func compare(ctx context.Context, migrator *migrate.Migrator) error {
	unknown, err := migrator.MissingMigrations(ctx)
	if err != nil {
		return fmt.Errorf("checking the schema: %w", err)
	}
	if len(unknown) > 0 {
		return ErrSchemaNewer
	}
	known, err := migrator.MigrationsWithStatus(ctx)
	if err != nil {
		return fmt.Errorf("checking the schema: %w", err)
	}
	if len(known.Unapplied()) > 0 {
		return ErrSchemaOlder
	}
	return nil
}

func (db *DB) migrator(on *bun.DB) (*migrate.Migrator, error) {
	known := migrate.NewMigrations()
	if err := known.Discover(dialectFS{db.migrations, db.backend.dialect()}); err != nil {
		return nil, fmt.Errorf("store: the embedded migrations: %w", err)
	}
	return migrate.NewMigrator(on, known,
		migrate.WithTableName(migrationTable), migrate.WithLocksTableName(lockTable),
		migrate.WithMarkAppliedOnSuccess(true)), nil
}

// dialectFS shows the files meant for every dialect (NAME.up.sql) and for one (NAME.DIALECT.up.sql).
type dialectFS struct {
	fs.FS
	dialect string
}

// ReadDir implements [fs.ReadDirFS].
func (d dialectFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(d.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		_, suffix, _ := strings.Cut(e.Name(), ".")
		return suffix != "up.sql" && suffix != d.dialect+".up.sql"
	}), err
}

// openSession puts database/sql on top of a single connection, so that a transaction can span whatever Bun's migrator does.
func openSession(raw rawConn) *sql.DB {
	db := open(session{raw}, 0)
	db.SetMaxOpenConns(1)
	return db
}

// session is a [source] that always lends the same connection, as it is.
type session struct{ raw rawConn }

func (s session) take(context.Context) (rawConn, error) { return s.raw, nil }

func (s session) give(rawConn, bool) error { return nil }
