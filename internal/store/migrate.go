package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"
)

// Migrations is somebody's part of the schema. Its files are numbered by themselves and recorded in a table of its own, so that
// a program which does not know it finds the rest of the schema as it expects it.
type Migrations struct {
	Name  string // the table is NAME_schema_migrations; lower-case letters, digits and underscores, beginning with a letter
	Files fs.FS  // NNNN_description.up.sql, or pairs with .postgres and .sqlite before .up.sql
}

// migrationsName keeps table names short and free of anything to be quoted.
var migrationsName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// table is where the migrations that have been applied are recorded.
func (m Migrations) table() string {
	if m.Name == "" {
		return migrationTable
	}
	return m.Name + "_" + migrationTable
}

const (
	migrationTable = "schema_migrations"
	lockTable      = "schema_migration_locks" // Bun creates it; the locks that Migrate takes cannot be left behind
)

// Migrate brings the schema up to what this program knows: all pending migrations in one transaction, ours before those beside
// them, so that none is ever half applied. Processes that start at once do it one after the other; the wait is bounded, the
// migrations themselves are not. The error is [ErrSchemaNewer] when the database is ahead.
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
	for _, part := range db.migrations {
		migrator, err := db.migrator(session, part)
		if err != nil {
			return err
		}
		if err := migrator.Init(ctx); err != nil {
			return err
		}
		switch err := compare(ctx, migrator); {
		case err == nil: // somebody else was faster
		case !errors.Is(err, ErrSchemaOlder):
			return err
		default:
			if _, err := migrator.Migrate(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Check reports whether the schema is exactly what this program knows; the error is [ErrSchemaOlder] or [ErrSchemaNewer] when
// it is not.
func (db *DB) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, db.timeout)
	defer cancel()
	var older error
	for _, part := range db.migrations {
		err := db.checkPart(ctx, part)
		if errors.Is(err, ErrSchemaOlder) {
			older = err // unless another part is newer, which migrating would not mend
		} else if err != nil {
			return err
		}
	}
	return older
}

func (db *DB) checkPart(ctx context.Context, part Migrations) error {
	exists, err := db.backend.hasTable(ctx, db.bun, part.table())
	if err != nil {
		return fmt.Errorf("checking the schema: %w", err)
	}
	if !exists {
		return ErrSchemaOlder
	}
	migrator, err := db.migrator(db.bun, part)
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

func (db *DB) migrator(on *bun.DB, part Migrations) (*migrate.Migrator, error) {
	known := migrate.NewMigrations()
	if err := known.Discover(dialectFS{part.Files, db.backend.dialect()}); err != nil {
		return nil, fmt.Errorf("store: the migrations of %s: %w", part.table(), err)
	}
	return migrate.NewMigrator(on, known,
		migrate.WithTableName(part.table()), migrate.WithLocksTableName(lockTable),
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
		return !e.IsDir() && suffix != "up.sql" && suffix != d.dialect+".up.sql"
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
