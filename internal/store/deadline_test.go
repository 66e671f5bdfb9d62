package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/store/storetest/cluster"
)

// short is the time limit under test, and slack what a busy machine may add to it.
const (
	short = 300 * time.Millisecond
	slack = 5 * time.Second
)

// endless is a statement that does not end by itself.
func endless(db *store.DB) string {
	if db.Conn(context.Background()).Dialect().Name().String() == "pg" {
		return "SELECT count(*) FROM pg_sleep(60)"
	}
	return "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
}

// expectUnavailable runs a call that must fail as unavailable soon after limit.
func expectUnavailable(t *testing.T, name string, limit time.Duration, call func() error) {
	t.Helper()
	start := time.Now()
	err := call()
	if took := time.Since(start); took > limit+slack {
		t.Errorf("%s took %v, want about %v", name, took, limit)
	}
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%s: got %v, want ErrUnavailable", name, err)
	}
}

// expectWorks runs a call that must succeed. What the time limit ended is tried again: the machine is busy then, and nothing is
// broken.
func expectWorks(t *testing.T, name string, call func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		start := time.Now()
		err := call()
		if err == nil {
			return
		}
		if time.Since(start) < short/2 || start.After(deadline) {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

func TestEveryStatementHasADeadline(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel() // most of the time passes in waiting
			db := reopen(t, storetest.MigratedURL(t, kind), short)
			ctx := t.Context() // has no deadline of its own
			query := endless(db)
			expectUnavailable(t, "Bun, reading", short, func() error {
				return db.Conn(ctx).NewSelect().ColumnExpr("x.*").TableExpr("("+query+") AS x").Scan(ctx, new(int))
			})
			expectUnavailable(t, "Bun, raw", short, func() error { return db.Conn(ctx).NewRaw(query).Scan(ctx, new(int)) })
			expectUnavailable(t, "Bun, executing", short, func() error {
				_, err := db.Conn(ctx).ExecContext(ctx, query)
				return err
			})
			expectUnavailable(t, "QueryRow", short, func() error {
				return db.QueryRow(ctx, "SELECT x.* FROM ("+query+") AS x").Scan(new(int))
			})
			expectUnavailable(t, "in a transaction", short, func() error {
				return db.Atomically(ctx, func(ctx context.Context) error { return db.Conn(ctx).NewRaw(query).Scan(ctx, new(int)) })
			})
			expectUnavailable(t, "a transaction as a whole", short, func() error {
				return db.Atomically(ctx, func(ctx context.Context) error {
					for {
						if _, err := db.Conn(ctx).NewSelect().ColumnExpr("1").Exec(ctx); err != nil {
							return err
						}
					}
				})
			})
			expectUnavailable(t, "a transaction that dawdles", short, func() error {
				return db.Atomically(ctx, func(ctx context.Context) error {
					<-ctx.Done()
					return nil
				})
			})
			expectUnavailable(t, "a statement after the end", short, func() error {
				return db.Atomically(ctx, func(ctx context.Context) error {
					<-ctx.Done()
					return db.QueryRow(ctx, "SELECT 1").Scan(new(int))
				})
			})
			expectWorks(t, "afterwards", func() error { return db.Ping(ctx) })
		})
	}
}

// Waiting for a connection counts as well: here all of them are taken by transactions.
func TestWaitingForAConnectionHasADeadline(t *testing.T) {
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			url := storetest.MigratedURL(t, kind)
			conns := 1
			if kind == storetest.Postgres {
				url += "&pool_max_conns=3"
				conns = 3
			}
			db := reopen(t, url, patience)
			withNotes(t, db)
			var holding, all sync.WaitGroup
			release := make(chan struct{})
			for range conns {
				holding.Add(1)
				all.Go(func() {
					err := db.Atomically(t.Context(), func(ctx context.Context) error {
						holding.Done()
						select {
						case <-release:
						case <-ctx.Done():
						}
						return nil
					})
					if err != nil {
						t.Errorf("holding a connection: %v", err)
					}
				})
			}
			holding.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), short)
			defer cancel()
			expectUnavailable(t, "Bun", short, func() error { return insert(ctx, db, newNote("late")) })
			close(release)
			all.Wait()
			if err := insert(t.Context(), db, newNote("in time")); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestGivingUpIsNotTheDatabasesFault(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		err := db.Conn(ctx).NewRaw(endless(db)).Scan(ctx, new(int))
		if !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want context.Canceled alone", err)
		}
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// calls are all the ways into the database.
func calls(ctx context.Context, db *store.DB) map[string]func() error {
	return map[string]func() error{
		"Ping":  func() error { return db.Ping(ctx) },
		"Check": func() error { return db.Check(ctx) },
		"Bun":   func() error { _, err := db.Conn(ctx).NewSelect().Model((*note)(nil)).Exists(ctx); return err },
		"QueryRow": func() error {
			return db.QueryRow(ctx, "SELECT count(*) FROM notes").Scan(new(int))
		},
		"QueryRows": func() error {
			return db.QueryRows(ctx, func(scan store.Scan) error { return scan(new(int)) }, "SELECT count(*) FROM notes")
		},
		"Atomically": func() error {
			return db.Atomically(ctx, func(ctx context.Context) error { return db.QueryRow(ctx, "SELECT 1").Scan(new(int)) })
		},
		"Notify in a transaction": func() error {
			return db.Atomically(ctx, func(ctx context.Context) error { return db.Notify(ctx, "news") })
		},
		"Measure": func() error { return store.NewClock(time.Now).Measure(ctx, db) },
	}
}

func TestDatabaseGoesAndComesBack(t *testing.T) {
	server, err := cluster.Start(t.Context(), cluster.Options{Settings: map[string]string{"synchronous_commit": "on"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	ctx := t.Context()
	wire, address := storetest.NewWire(t, server.URL())
	db := reopen(t, address, short)
	patient := reopen(t, server.URL(), patience)
	if err := patient.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	withNotes(t, patient)
	hints := db.Listen(ctx, "nothing")
	await(t, hints, "beginning to listen")
	works := func(when string) {
		t.Helper()
		for name, call := range calls(ctx, db) {
			expectWorks(t, when+", "+name, call)
		}
	}
	works("at first")

	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first round meets connections that broke, the second has to make new ones
		for name, call := range calls(ctx, db) {
			expectUnavailable(t, name+" while the server is down", short, call)
		}
	}
	if _, err := store.Open(ctx, store.Config{URL: server.URL(), Timeout: short}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("opening while the server is down: %v", err)
	}

	if err := server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	works("after the restart")
	await(t, hints, "after the restart")

	wire.Silence()
	for name, call := range calls(ctx, db) {
		expectUnavailable(t, name+" while the server hangs", short, call)
	}
	start := time.Now()
	if err := db.Notify(ctx, "news"); err != nil || time.Since(start) > slack {
		t.Errorf("notifying while the server hangs: %v, %v", err, time.Since(start))
	}
	wire.Resume()
	works("after the hang")
}

func TestNoMoreConnectionsIsUnavailable(t *testing.T) {
	server, err := cluster.Start(t.Context(), cluster.Options{
		Settings: map[string]string{"max_connections": "5", "superuser_reserved_connections": "0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	db := reopen(t, server.URL(), time.Second)
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			err := db.Conn(t.Context()).NewRaw("SELECT pg_sleep(0.4)").Scan(t.Context(), new(string))
			if err != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v, want success or ErrUnavailable", err)
			}
		})
	}
	all.Wait()
	expectWorks(t, "afterwards", func() error { return db.Ping(t.Context()) })
}
