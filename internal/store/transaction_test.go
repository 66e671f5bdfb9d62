package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var errStop = errors.New("stop")

func TestAtomicallyIsAllOrNothing(t *testing.T) {
	two := func(db *store.DB, end func() error) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := insert(ctx, db, newNote("one")); err != nil {
				return err
			}
			if err := insert(ctx, db, newNote("two")); err != nil {
				return err
			}
			return end()
		}
	}
	eachNotes(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		if err := db.Atomically(ctx, two(db, func() error { return errStop })); !errors.Is(err, errStop) {
			t.Errorf("got %v, want the function's own error", err)
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows after an error, want 0", n)
		}
		func() {
			defer func() {
				if stopped, ok := recover().(error); !ok || !errors.Is(stopped, errStop) {
					t.Error("the panic was swallowed")
				}
			}()
			err := db.Atomically(ctx, two(db, func() error { panic(errStop) }))
			t.Errorf("returned %v after a panic", err)
		}()
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows after a panic, want 0", n)
		}
		if err := db.Atomically(ctx, two(db, func() error { return nil })); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db); n != 2 {
			t.Errorf("%d rows after success, want 2", n)
		}
	})
}

func TestAtomicallyJoinsTheOuterOne(t *testing.T) {
	eachNotes(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		err := db.Atomically(ctx, func(ctx context.Context) error {
			err := db.Atomically(ctx, func(ctx context.Context) error { return insert(ctx, db, newNote("inner")) })
			if err != nil {
				return err
			}
			var inside int
			if err := db.QueryRow(ctx, "SELECT count(*) FROM notes").Scan(&inside); err != nil {
				return err
			}
			if inside != 1 {
				t.Errorf("QueryRow in the transaction sees %d rows, want 1", inside)
			}
			if outside := count(t, db); outside != 0 {
				t.Errorf("a reader outside sees %d rows, want 0", outside)
			}
			return errStop
		})
		if !errors.Is(err, errStop) {
			t.Errorf("got %v", err)
		}
		if n := count(t, db); n != 0 {
			t.Errorf("the inner one was committed: %d rows", n)
		}
	})
}

func TestTransactionsOfTwoDatabasesAreApart(t *testing.T) {
	other := storetest.Open(t, storetest.SQLite)
	withNotes(t, other)
	eachNotes(t, func(t *testing.T, db *store.DB) {
		err := db.Atomically(t.Context(), func(ctx context.Context) error { return insert(ctx, other, newNote(t.Name())) })
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows went into the wrong database", n)
		}
	})
	if n := count(t, other); n != 2 {
		t.Errorf("%d rows in the other database, want 2", n)
	}
}

func TestTransactionsBeginWithAtomicallyAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		if _, err := db.Conn(ctx).BeginTx(ctx, nil); err == nil {
			t.Error("BeginTx began a transaction that nothing inside would join")
		}
		err := db.Conn(ctx).RunInTx(ctx, nil, func(context.Context, bun.Tx) error { return nil })
		if err == nil {
			t.Error("RunInTx began a transaction that nothing inside would join")
		}
	})
}

// Two transactions that lock two rows in opposite order: PostgreSQL ends one as a deadlock, which must be tried again.
func TestDeadlockIsTriedAgain(t *testing.T) {
	eachNotes(t, func(t *testing.T, db *store.DB) {
		for _, text := range []string{"a", "b"} {
			if err := insert(t.Context(), db, newNote(text)); err != nil {
				t.Fatal(err)
			}
		}
		var meet sync.WaitGroup // both hold their first row; only the first attempts wait for each other
		meet.Add(2)
		cross := func(first, second string) (attempts int, err error) {
			touch := func(ctx context.Context, text string) error {
				_, err := db.Conn(ctx).NewUpdate().Model((*note)(nil)).Set("flag = NOT flag").Where("text = ?", text).Exec(ctx)
				return err
			}
			err = db.Atomically(t.Context(), func(ctx context.Context) error {
				attempts++
				if err := touch(ctx, first); err != nil {
					return err
				}
				if attempts == 1 {
					meet.Done()
					// SQLite lets one in at a time, so that they cannot meet.
					if db.Conn(ctx).Dialect().Name().String() == "pg" {
						meet.Wait()
					}
				}
				return touch(ctx, second)
			})
			return attempts, err
		}
		var both sync.WaitGroup
		var total [2]int
		for i, order := range [2][2]string{{"a", "b"}, {"b", "a"}} {
			both.Go(func() {
				attempts, err := cross(order[0], order[1])
				if err != nil {
					t.Errorf("transaction %d: %v", i, err)
				}
				total[i] = attempts
			})
		}
		both.Wait()
		if db.Conn(t.Context()).Dialect().Name().String() == "pg" && total[0]+total[1] < 3 {
			t.Errorf("%d attempts: there was no deadlock to test with", total[0]+total[1])
		}
		var flagged int
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM notes WHERE flag").Scan(&flagged); err != nil {
			t.Fatal(err)
		}
		if flagged != 2 {
			t.Errorf("%d rows flipped twice, want both", flagged)
		}
	})
}

// Two programs on one database, as the server and the command line are: their transactions wait for each other.
func TestTransactionsOfTwoProgramsTakeTurns(t *testing.T) {
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			url := storetest.MigratedURL(t, kind)
			programs := [2]*store.DB{reopen(t, url, 20*time.Second), reopen(t, url, 20*time.Second)}
			withNotes(t, programs[0])
			if err := insert(t.Context(), programs[0], newNote("0")); err != nil {
				t.Fatal(err)
			}
			const each = 25
			var all sync.WaitGroup
			for i := range 8 {
				db := programs[i%2]
				all.Go(func() {
					for range each {
						if err := appendStar(t.Context(), db); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			var length int
			if err := programs[1].QueryRow(t.Context(), "SELECT length(text) FROM notes").Scan(&length); err != nil {
				t.Fatal(err)
			}
			if length != 1+8*each {
				t.Errorf("%d updates survived, want %d", length-1, 8*each)
			}
		})
	}
}

// appendStar makes the only note's text longer by one.
func appendStar(ctx context.Context, db *store.DB) error {
	return db.Atomically(ctx, func(ctx context.Context) error {
		_, err := db.Conn(ctx).NewUpdate().Model((*note)(nil)).Set("text = text || '*'").Where("TRUE").Exec(ctx)
		return err
	})
}

// With SQLite, everything but a SELECT must reach the writer; readers refuse to write and must not wait for it.
func TestConnSendsReadsAndWritesWhereTheyBelong(t *testing.T) {
	eachNotes(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		conn := db.Conn(ctx)
		n := newNote("one")
		writes := map[string]func() error{
			"INSERT": func() error { _, err := conn.NewInsert().Model(n).Exec(ctx); return err },
			"INSERT … RETURNING": func() error {
				_, err := conn.NewInsert().Model(newNote("two")).Returning("id").Exec(ctx)
				return err
			},
			"raw RETURNING": func() error {
				return conn.NewRaw("UPDATE notes SET flag = FALSE RETURNING text").Scan(ctx, new([]string))
			},
			"raw": func() error { _, err := conn.NewRaw("UPDATE notes SET flag = TRUE").Exec(ctx); return err },
			"ExecContext": func() error {
				_, err := conn.ExecContext(ctx, "UPDATE notes SET flag = ?", true)
				return err
			},
			"QueryRowContext": func() error {
				const query = "UPDATE notes SET flag = TRUE WHERE text = 'none' RETURNING 1"
				return noneFound(conn.QueryRowContext(ctx, query).Scan(new(int)))
			},
			"QueryRow": func() error {
				const query = " update notes SET flag = TRUE WHERE text = $1 RETURNING 1"
				return noneFound(db.QueryRow(ctx, query, "none").Scan(new(int)))
			},
			"DELETE": func() error { _, err := conn.NewDelete().Model(n).WherePK().Exec(ctx); return err },
		}
		for name, write := range writes {
			if err := write(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		err := db.Atomically(ctx, func(inside context.Context) error {
			if err := insert(inside, db, newNote("held")); err != nil {
				return err
			}
			// The writer is taken now. These would wait for it until their deadline.
			reads, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			if _, err := db.Conn(reads).NewSelect().Model((*note)(nil)).Exists(reads); err != nil {
				return err
			}
			return db.QueryRow(reads, "SELECT count(*) FROM notes").Scan(new(int))
		})
		if err != nil {
			t.Errorf("a read waited for a write: %v", err)
		}
	})
}

// noneFound expects that there was no row.
func noneFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return errors.Join(errors.New("want ErrNotFound"), err)
}
