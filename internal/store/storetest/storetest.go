// Package storetest owns databases for tests: real ones, one for each test, on SQLite and on PostgreSQL. It fails where there
// is no PostgreSQL; it never skips.
//
// PostgreSQL is the server of TEST_DATABASE_URL, which several test processes may share, or else a private one that lives as
// long as the test process. On a shared server it leaves one database behind, the template that later runs copy.
package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest/cluster"
)

// The kinds of database.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// patience is generous, so that a busy machine does not fail a test that is not about time.
const patience = 20 * time.Second

// Each runs test twice, as the subtests "sqlite" and "postgres", each with a migrated database of its own.
func Each(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	for _, kind := range []string{SQLite, Postgres} {
		t.Run(kind, func(t *testing.T) { test(t, Open(t, kind)) })
	}
}

// Open returns a new, migrated database, which goes when the test ends.
func Open(t testing.TB, kind string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: MigratedURL(t, kind), Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return db
}

// URL returns where a new and empty database is, for tests that open it themselves. It goes when the test ends.
func URL(t testing.TB, kind string) string {
	t.Helper()
	if kind == SQLite {
		return "sqlite://" + filepath.Join(t.TempDir(), "gatehouse.db")
	}
	return createDatabase(t, "")
}

// MigratedURL is like [URL] for a database that is migrated already.
func MigratedURL(t testing.TB, kind string) string {
	t.Helper()
	if kind == SQLite {
		content, err := sqliteTemplate()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "gatehouse.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return "sqlite://" + path
	}
	template, err := postgresTemplate()
	if err != nil {
		t.Fatal(err)
	}
	return createDatabase(t, template)
}

// What a test process makes once and all its tests share. A server of its own ends with the process: see package cluster.
var (
	server = sync.OnceValues(func() (*cluster.Cluster, error) {
		return cluster.Find(context.Background(), cluster.Options{Log: os.Stderr})
	})
	sqliteTemplate   = sync.OnceValues(makeSQLiteTemplate)
	postgresTemplate = sync.OnceValues(makePostgresTemplate)
)

// makeSQLiteTemplate returns the content of a migrated database file.
func makeSQLiteTemplate() (content []byte, err error) {
	folder, err := os.MkdirTemp("", "gatehouse-template-")
	if err != nil {
		return nil, fmt.Errorf("storetest: %w", err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "template.db")
	if err := migrated("sqlite://" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// templateLock is the key of the advisory lock that serialises test processes making the template.
const templateLock = 7_310_440_256_918_233

// makePostgresTemplate returns the name of a migrated database to copy. The name tells the migrations, so that processes of
// different versions share a server; it is given when the database is ready.
func makePostgresTemplate() (string, error) {
	ctx := context.Background()
	conn, err := administer(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx) // releases the lock too
	fingerprint, err := migrationsFingerprint()
	if err != nil {
		return "", err
	}
	template, draft := "gatehouse_template_"+fingerprint, "gatehouse_draft_"+fingerprint
	var exists bool
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return "", fmt.Errorf("storetest: lock: %w", err)
	}
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", template).Scan(&exists); err != nil {
		return "", fmt.Errorf("storetest: look for the template: %w", err)
	}
	if exists {
		return template, nil
	}
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + draft, "CREATE DATABASE " + draft} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", fmt.Errorf("storetest: make the template: %w", err)
		}
	}
	if err := migrated(databaseURL(conn, draft)); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "ALTER DATABASE "+draft+" RENAME TO "+template); err != nil {
		return "", fmt.Errorf("storetest: name the template: %w", err)
	}
	return template, nil
}

func migrated(url string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Config{URL: url, Timeout: patience})
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	return db.Close()
}
