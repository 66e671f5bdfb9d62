package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

func TestQueryRows(t *testing.T) {
	eachNotes(t, func(t *testing.T, db *store.DB) {
		var ids []id.ID
		for i := range 5 {
			n := newNote(fmt.Sprint("note ", i))
			ids = append(ids, n.ID)
			if _, err := db.Conn(t.Context()).NewInsert().Model(n).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		query := func(ctx context.Context, least string) (found []id.ID, err error) {
			err = db.QueryRows(ctx, func(scan store.Scan) error {
				var n note
				if err := scan(&n.ID, &n.At, &n.Maybe, &n.Flag, &n.Data); err != nil {
					return err
				}
				at := epoch.Truncate(time.Microsecond)
				if !n.At.Equal(at) || n.At.Location() != time.UTC || n.Maybe != nil || !n.Flag || len(n.Data) != 3 {
					t.Errorf("row %+v", n)
				}
				found = append(found, n.ID)
				return nil
			}, "SELECT id, at, maybe, flag, data FROM notes WHERE text >= $1 ORDER BY text LIMIT $2", least, 3)
			return found, err
		}
		for least, want := range map[string][]id.ID{"note 1": ids[1:4], "note 4": ids[4:], "note 5": nil} {
			if found, err := query(t.Context(), least); err != nil || !slices.Equal(found, want) {
				t.Errorf("from %q: %v, %v", least, found, err)
			}
		}
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			if _, err := db.Conn(ctx).NewDelete().Model((*note)(nil)).Where("id = ?", ids[1]).Exec(ctx); err != nil {
				return err
			}
			if found, err := query(ctx, "note 1"); err != nil || !slices.Equal(found, ids[2:]) {
				t.Errorf("inside a transaction that removed a row: %v, %v", found, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}

		enough := errors.New("enough")
		calls := 0
		err = db.QueryRows(t.Context(), func(store.Scan) error { calls++; return enough }, "SELECT id FROM notes")
		if !errors.Is(err, enough) || err.Error() != "enough" || calls != 1 {
			t.Errorf("%d calls, %v", calls, err)
		}
		err = db.QueryRows(t.Context(), func(scan store.Scan) error { return scan(new(time.Time)) }, "SELECT text FROM notes")
		if _, known := errors.AsType[*store.Error](err); !known {
			t.Errorf("a column that does not fit: %v", err)
		}
		err = db.QueryRows(t.Context(), func(store.Scan) error { return nil }, "SELECT nothing FROM nowhere")
		if _, known := errors.AsType[*store.Error](err); !known {
			t.Errorf("a statement that makes no sense: %v", err)
		}
		// Whatever went wrong before, every connection is back.
		for range 50 {
			if found, err := query(t.Context(), "note 4"); err != nil || len(found) != 1 {
				t.Fatalf("%v, %v", found, err)
			}
		}
	})
}
