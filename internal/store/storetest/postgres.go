package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"gatehouse/internal/store/migrations"
)

// createDatabase makes a database, as a copy of the template if it names one, and drops it when the test ends.
func createDatabase(t testing.TB, template string) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := administer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	name := "gatehouse_test_" + strings.ToLower(rand.Text())
	statement := "CREATE DATABASE " + name
	if template != "" {
		statement += " TEMPLATE " + template
	}
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		conn, err := administer(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	return databaseURL(conn, name)
}

// administer connects to the server's maintenance database.
func administer(ctx context.Context) (*pgx.Conn, error) {
	found, err := server()
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, found.URL())
	if err != nil {
		return nil, fmt.Errorf("storetest: connect: %w", err)
	}
	return conn, nil
}

// databaseURL returns the URL of another database on the server that conn is connected to.
func databaseURL(conn *pgx.Conn, name string) string {
	u, err := url.Parse(conn.Config().ConnString())
	if err != nil {
		return "" // not reached: pgx has read it
	}
	u.Path = "/" + name
	return u.String()
}

// migrationsFingerprint returns a short text that differs when any migration does.
func migrationsFingerprint() (string, error) {
	hash := sha256.New()
	names, err := fs.Glob(migrations.Files, "*.sql")
	if err != nil {
		return "", fmt.Errorf("storetest: %w", err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(migrations.Files, name)
		if err != nil {
			return "", fmt.Errorf("storetest: %w", err)
		}
		fmt.Fprintf(hash, "%s\n%s\n", name, content)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}
