package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// eachPair runs test with a DB to notify on and the one that hears it: another one on the same database with PostgreSQL, the
// same one with SQLite.
func eachPair(t *testing.T, test func(t *testing.T, here, there *store.DB)) {
	t.Helper()
	t.Run(storetest.SQLite, func(t *testing.T) {
		t.Parallel()
		db := reopen(t, storetest.URL(t, storetest.SQLite), patience)
		test(t, db, db)
	})
	t.Run(storetest.Postgres, func(t *testing.T) {
		t.Parallel()
		url := storetest.URL(t, storetest.Postgres)
		test(t, reopen(t, url, patience), reopen(t, url, patience))
	})
}

// await takes one hint.
func await(t *testing.T, hints <-chan struct{}, what string) {
	t.Helper()
	select {
	case _, open := <-hints:
		if !open {
			t.Fatalf("%s: closed", what)
		}
	case <-time.After(patience):
		t.Fatalf("%s: no hint", what)
	}
}

// fence waits until there has heard all that here has notified so far: hints arrive in the order of commits.
func fence(t *testing.T, here, there *store.DB) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hints := there.Listen(ctx, "fence")
	await(t, hints, "beginning to listen")
	if err := here.Notify(ctx, "fence"); err != nil {
		t.Fatal(err)
	}
	await(t, hints, "the fence")
}

func hinted(hints <-chan struct{}) bool {
	select {
	case <-hints:
		return true
	default:
		return false
	}
}

func TestHintComesWithTheCommit(t *testing.T) {
	t.Parallel()
	eachPair(t, func(t *testing.T, here, there *store.DB) {
		ctx := t.Context()
		news, other := there.Listen(ctx, "news"), there.Listen(ctx, "other")
		await(t, news, "beginning to listen")
		await(t, other, "beginning to listen")

		err := here.Atomically(ctx, func(ctx context.Context) error {
			if err := here.Notify(ctx, "news"); err != nil {
				return err
			}
			fence(t, here, there) // outside the transaction
			if hinted(news) {
				t.Error("a hint before the commit")
			}
			return here.Atomically(ctx, func(ctx context.Context) error { return here.Notify(ctx, "news") })
		})
		if err != nil {
			t.Fatal(err)
		}
		await(t, news, "after the commit")

		err = here.Atomically(ctx, func(ctx context.Context) error {
			if err := here.Notify(ctx, "news"); err != nil {
				return err
			}
			return errStop
		})
		if !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		fence(t, here, there)
		if hinted(news) {
			t.Error("a hint after a rollback")
		}

		if err := here.Notify(ctx, "news"); err != nil {
			t.Fatal(err)
		}
		await(t, news, "outside a transaction")
		if hinted(other) {
			t.Error("a hint on another channel")
		}
	})
}

func TestHintsAreCoalesced(t *testing.T) {
	t.Parallel()
	eachPair(t, func(t *testing.T, here, there *store.DB) {
		news := there.Listen(t.Context(), "news")
		await(t, news, "beginning to listen")
		for range 50 {
			if err := here.Notify(t.Context(), "news"); err != nil {
				t.Fatal(err)
			}
		}
		fence(t, here, there)
		await(t, news, "after fifty")
		if hinted(news) {
			t.Error("a second hint for one burst")
		}
	})
}

func TestListenersComeAndGo(t *testing.T) {
	t.Parallel()
	eachPair(t, func(t *testing.T, here, there *store.DB) {
		stay := there.Listen(t.Context(), "news")
		await(t, stay, "beginning to listen")
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for range 20 {
					ctx, cancel := context.WithCancel(t.Context())
					hints := there.Listen(ctx, "news")
					await(t, hints, "a new listener")
					cancel()
					for range hints { // ends when it is closed
					}
				}
			})
		}
		for range 50 {
			if err := here.Notify(t.Context(), "news"); err != nil {
				t.Error(err)
			}
		}
		all.Wait()
		await(t, stay, "whoever stayed")
	})
}

func TestListenerIsToldOfAFailure(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t, storetest.Postgres)
	here, there := reopen(t, url, patience), reopen(t, url, patience)
	ctx := t.Context()
	news := there.Listen(ctx, "news")
	await(t, news, "beginning to listen")
	for range 3 {
		var ended int
		err := here.Conn(ctx).NewRaw(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND query = 'LISTEN gatehouse'`).Scan(ctx, &ended)
		if err != nil || ended != 1 {
			t.Fatalf("ended %d connections that listened: %v", ended, err)
		}
		await(t, news, "after the failure")
		if err := here.Notify(ctx, "news"); err != nil {
			t.Fatal(err)
		}
		await(t, news, "listening again")
	}
}

// A command that ends right after its transaction is heard all the same.
func TestCloseSendsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t, storetest.Postgres)
	there := reopen(t, url, patience)
	news := there.Listen(t.Context(), "news")
	await(t, news, "beginning to listen")
	here, err := store.Open(t.Context(), store.Config{URL: url, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	err = here.Atomically(t.Context(), func(ctx context.Context) error { return here.Notify(ctx, "news") })
	if err != nil {
		t.Fatal(err)
	}
	if err := here.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, news, "after the command")
	if err := here.Notify(t.Context(), "news"); err != nil {
		t.Errorf("after closing: %v", err)
	}
}

func TestChannelsHaveSimpleNames(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	for _, name := range []string{"", "News", "a b", "a'b", "a\x00", "überall", "a23456789_123456789_123456789_123"} {
		if err := db.Notify(t.Context(), name); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
	if err := db.Notify(t.Context(), "news_of_the_day"); err != nil {
		t.Error(err)
	}
}
