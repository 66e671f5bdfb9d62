package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// note is a row with a column of every type that features use.
type note struct {
	bun.BaseModel `bun:"table:notes"`

	ID    id.ID `bun:",pk"`
	Text  string
	At    time.Time
	Maybe *time.Time
	Flag  bool
	Data  []byte
}

const createNotes = `CREATE TABLE notes (
	id    UUID        NOT NULL PRIMARY KEY,
	text  TEXT        NOT NULL,
	at    TIMESTAMPTZ NOT NULL,
	maybe TIMESTAMPTZ,
	flag  BOOLEAN     NOT NULL,
	data  BYTEA,
	CONSTRAINT notes_text UNIQUE (text))`

// epoch is some time with a fraction that neither database can keep, in a zone that neither may hand back.
var epoch = time.Date(2024, 2, 29, 23, 59, 59, 123_456_789, time.FixedZone("", -7*3600))

func newNote(text string) *note {
	return &note{ID: id.New(epoch), Text: text, At: epoch, Flag: true, Data: []byte{0, '\'', 0xff}}
}

// eachNotes is storetest.Each with a table of notes.
func eachNotes(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		withNotes(t, db)
		test(t, db)
	})
}

func withNotes(t testing.TB, db *store.DB) {
	t.Helper()
	if _, err := db.Conn(t.Context()).ExecContext(t.Context(), createNotes); err != nil {
		t.Fatal(err)
	}
}

func insert(ctx context.Context, db *store.DB, n *note) error {
	_, err := db.Conn(ctx).NewInsert().Model(n).Exec(ctx)
	return err
}

func count(t testing.TB, db *store.DB) int64 {
	t.Helper()
	n, err := db.Conn(t.Context()).NewSelect().Model((*note)(nil)).Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// reopen opens another DB on the database at url, with the given time limit, and closes it when the test ends.
func reopen(t testing.TB, url string, timeout time.Duration, beside ...store.Migrations) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: url, Timeout: timeout, Beside: beside})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
