package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// canary is a value that must never be seen in an error.
const canary = "hunter2-canary"

func TestErrorsSayWhatTheyMean(t *testing.T) {
	tests := []struct {
		name string
		want error // nil: a fault of ours
		call func(ctx context.Context, db *store.DB) error
	}{
		{"no row, Bun", store.ErrNotFound, func(ctx context.Context, db *store.DB) error {
			return db.Conn(ctx).NewSelect().Model(&note{}).Where("text = ?", canary+"?").Scan(ctx)
		}},
		{"no row, QueryRow", store.ErrNotFound, func(ctx context.Context, db *store.DB) error {
			_, err := lookUp(ctx, db, id.New(epoch))
			return err
		}},
		{"taken text", store.ErrConflict, func(ctx context.Context, db *store.DB) error { return insert(ctx, db, newNote(canary)) }},
		{"taken key, returning", store.ErrConflict, func(ctx context.Context, db *store.DB) error {
			n := newNote(canary + "2")
			if err := insert(ctx, db, n); err != nil {
				return err
			}
			n.Text = canary + "3"
			_, err := db.Conn(ctx).NewInsert().Model(n).Returning("text").Exec(ctx)
			return err
		}},
		{"taken text, QueryRow", store.ErrConflict, func(ctx context.Context, db *store.DB) error {
			var text string
			return db.QueryRow(ctx, "INSERT INTO notes (id, text, at, flag) VALUES ($1, $2, $3, TRUE) RETURNING text",
				id.New(epoch), canary, epoch).Scan(&text)
		}},
		{"missing value", nil, func(ctx context.Context, db *store.DB) error {
			_, err := db.Conn(ctx).NewRaw("INSERT INTO notes (text) VALUES (?)", canary+"4").Exec(ctx)
			return err
		}},
		{"syntax", nil, func(ctx context.Context, db *store.DB) error {
			_, err := db.Conn(ctx).NewRaw("SELEC ?", canary).Exec(ctx)
			return err
		}},
		{"no such column", nil, func(ctx context.Context, db *store.DB) error {
			return db.QueryRow(ctx, `SELECT "`+canary+`" FROM notes`).Scan(new(string))
		}},
		{"NUL", nil, func(ctx context.Context, db *store.DB) error { return insert(ctx, db, newNote(canary+"\x00")) }},
		{"text for a number", nil, func(ctx context.Context, db *store.DB) error {
			return db.QueryRow(ctx, "SELECT text FROM notes WHERE text = $1", canary).Scan(new(int))
		}},
		{"text for a time", nil, func(ctx context.Context, db *store.DB) error {
			return db.QueryRow(ctx, "SELECT text FROM notes WHERE text = $1", canary).Scan(new(time.Time))
		}},
		{"an argument of no type", nil, func(ctx context.Context, db *store.DB) error {
			return db.QueryRow(ctx, "SELECT text FROM notes WHERE text = $1", struct{ S string }{canary}).Scan(new(string))
		}},
		{"an argument too few", nil, func(ctx context.Context, db *store.DB) error {
			return db.QueryRow(ctx, "SELECT text FROM notes WHERE text = $1 AND text = $2", canary).Scan(new(string))
		}},
	}
	eachNotes(t, func(t *testing.T, db *store.DB) {
		if err := insert(t.Context(), db, newNote(canary)); err != nil {
			t.Fatal(err)
		}
		for _, test := range tests {
			for _, within := range []bool{false, true} {
				run := func(ctx context.Context) error { return test.call(ctx, db) }
				name := test.name
				var err error
				if within {
					name += ", in a transaction"
					err = db.Atomically(t.Context(), run)
				} else {
					err = run(t.Context())
				}
				if err == nil {
					t.Errorf("%s: no error", name)
					continue
				}
				for _, kind := range []error{store.ErrNotFound, store.ErrConflict, store.ErrUnavailable} {
					if is := errors.Is(err, kind); is != errors.Is(test.want, kind) {
						t.Errorf("%s: errors.Is(%q, %q) = %v", name, err, kind, is)
					}
				}
				if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "notes") {
					t.Errorf("%s: the error quotes the statement or a value: %q", name, err)
				}
			}
		}
	})
}

func TestConflictNamesTheConstraintOnPostgres(t *testing.T) {
	eachNotes(t, func(t *testing.T, db *store.DB) {
		if err := insert(t.Context(), db, newNote(canary)); err != nil {
			t.Fatal(err)
		}
		err := insert(t.Context(), db, newNote(canary))
		known, ok := errors.AsType[*store.Error](err)
		if !ok {
			t.Fatalf("got %T, want *store.Error", err)
		}
		if known.Constraint != "notes_text" && known.Code != "SQLITE 2067" {
			t.Errorf("got constraint %q, code %q", known.Constraint, known.Code)
		}
	})
}

func TestForeignKeysHold(t *testing.T) {
	eachNotes(t, func(t *testing.T, db *store.DB) {
		_, err := db.Conn(t.Context()).NewRaw("INSERT INTO account_roles (account_id, role, granted_at) VALUES (?, 'USER', ?)",
			id.New(epoch), epoch).Exec(t.Context())
		if err == nil || errors.Is(err, store.ErrConflict) {
			t.Errorf("a role of no account: %v", err)
		}
	})
}
