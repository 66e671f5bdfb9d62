package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

func TestValuesComeBackAsTheyWent(t *testing.T) {
	eachNotes(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		wrote := newNote("it's \\ a ? “note” 🗝")
		wrote.Maybe = new(epoch.Add(time.Hour))
		if err := insert(ctx, db, wrote); err != nil {
			t.Fatal(err)
		}
		want := *wrote
		want.At = epoch.UTC().Truncate(time.Microsecond)
		want.Maybe = new(want.At.Add(time.Hour))

		read := map[string]func() (note, error){
			"Bun": func() (n note, err error) {
				err = db.Conn(ctx).NewSelect().Model(&n).Where("id = ?", wrote.ID).Scan(ctx)
				return n, err
			},
			"Bun, in a transaction": func() (n note, err error) {
				err = db.Atomically(ctx, func(ctx context.Context) error {
					return db.Conn(ctx).NewSelect().Model(&n).Where("id = ?", wrote.ID).Scan(ctx)
				})
				return n, err
			},
			"Bun, returning": func() (n note, err error) {
				_, err = db.Conn(ctx).NewUpdate().Model(&n).Set("flag = TRUE").Where("id = ?", wrote.ID).Returning("*").Exec(ctx)
				return n, err
			},
			"QueryRow": func() (note, error) { return lookUp(ctx, db, wrote.ID) },
			"QueryRow, in a transaction": func() (n note, err error) {
				err = db.Atomically(ctx, func(ctx context.Context) error {
					n, err = lookUp(ctx, db, wrote.ID)
					return err
				})
				return n, err
			},
			"QueryRow, by time": func() (n note, err error) {
				err = db.QueryRow(ctx, lookUpColumns+"WHERE at = $1 AND maybe > $1 AND flag = $2", wrote.At, true).
					Scan(&n.ID, &n.Text, &n.At, &n.Maybe, &n.Flag, &n.Data)
				return n, err
			},
			"Bun, by time": func() (n note, err error) {
				err = db.Conn(ctx).NewSelect().Model(&n).Where("at = ? AND maybe > ? AND flag", wrote.At, wrote.At).Scan(ctx)
				return n, err
			},
		}
		for name, read := range read {
			got, err := read()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(note{}), cmp.Comparer(sameInstantInUTC)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

const lookUpColumns = "SELECT id, text, at, maybe, flag, data FROM notes "

func lookUp(ctx context.Context, db *store.DB, key id.ID) (n note, err error) {
	err = db.QueryRow(ctx, lookUpColumns+"WHERE id = $1", key).Scan(&n.ID, &n.Text, &n.At, &n.Maybe, &n.Flag, &n.Data)
	return n, err
}

// sameInstantInUTC holds for times that are equal and both in UTC.
func sameInstantInUTC(a, b time.Time) bool {
	return a.Equal(b) && a.Location() == time.UTC && b.Location() == time.UTC
}

func TestNullIsNil(t *testing.T) {
	eachNotes(t, func(t *testing.T, db *store.DB) {
		n := newNote("no time")
		n.Data = nil
		if err := insert(t.Context(), db, n); err != nil {
			t.Fatal(err)
		}
		got, err := lookUp(t.Context(), db, n.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Maybe != nil || got.Data != nil {
			t.Errorf("got %v and %v, want nil", got.Maybe, got.Data)
		}
	})
}

// Times must sort as times do even though SQLite keeps text: with and without a fraction, long and short ones.
func TestTimesSort(t *testing.T) {
	base := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var want []time.Time
	for _, after := range []time.Duration{
		-24 * time.Hour, -time.Microsecond, 0, 1 * time.Microsecond, 9 * time.Microsecond, 10 * time.Microsecond,
		100 * time.Millisecond, 100*time.Millisecond + time.Microsecond, 120 * time.Millisecond, 999_999 * time.Microsecond,
		time.Second, 61 * time.Second, 11 * time.Hour, 400 * 24 * time.Hour,
	} {
		want = append(want, base.Add(after))
	}
	eachNotes(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		for i := range want {
			at := want[(i*5+3)%len(want)] // 5 and 14 have no common factor: every time once, in no order
			n := newNote(at.String())
			n.At = at
			if err := insert(ctx, db, n); err != nil {
				t.Fatal(err)
			}
		}
		var got []time.Time
		if err := db.Conn(ctx).NewSelect().Model((*note)(nil)).Column("at").Order("at").Scan(ctx, &got); err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("sorted as\n%v\nwant\n%v", got, want)
		}
		for i, at := range want {
			var below int
			if err := db.QueryRow(ctx, "SELECT count(*) FROM notes WHERE at < $1", at.In(epoch.Location())).Scan(&below); err != nil {
				t.Fatal(err)
			}
			if below != i {
				t.Errorf("QueryRow finds %d times before %v, want %d", below, at, i)
			}
			upTo, err := db.Conn(ctx).NewSelect().Model((*note)(nil)).Where("at <= ?", at.In(epoch.Location())).Count(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if upTo != int64(i+1) {
				t.Errorf("Bun finds %d times up to %v, want %d", upTo, at, i+1)
			}
		}
	})
}
