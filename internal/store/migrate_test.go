package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/migrations"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/store/storetest/cluster"
)

// eachEmpty runs test for an empty database of either kind.
func eachEmpty(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) { test(t, storetest.URL(t, kind)) })
	}
}

func TestReplicasRaceToMigrate(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		var ready, all sync.WaitGroup
		start := make(chan struct{})
		for range 10 {
			ready.Add(1)
			all.Go(func() {
				ready.Done()
				<-start
				db, err := store.Open(t.Context(), store.Config{URL: url, Timeout: 20 * time.Second})
				if err != nil {
					t.Error(err)
					return
				}
				err = errors.Join(db.Migrate(t.Context()), db.Check(t.Context()), db.Close())
				if err != nil {
					t.Error(err)
				}
			})
		}
		ready.Wait()
		close(start)
		all.Wait()

		db := reopen(t, url, 20*time.Second)
		var applied, distinct int
		if err := db.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT name) FROM schema_migrations").
			Scan(&applied, &distinct); err != nil {
			t.Fatal(err)
		}
		if applied == 0 || applied != distinct {
			t.Errorf("%d migrations recorded, %d of them distinct", applied, distinct)
		}
	})
}

func TestSchemaHasTheTables(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, table := range []string{"accounts", "account_roles", "sessions", "signing_keys"} {
			if err := db.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(new(int)); err != nil {
				t.Errorf("%s: %v", table, err)
			}
		}
	})
}

// extended returns the program's migrations and one more.
func extended(t *testing.T, sql string) fs.FS {
	t.Helper()
	files := fstest.MapFS{"9000_more.up.sql": {Data: []byte(sql)}}
	names, err := fs.Glob(migrations.Files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(migrations.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: content}
	}
	return files
}

func TestCheckTellsOlderFromNewer(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		ctx := t.Context()
		today := reopen(t, url, 20*time.Second)
		tomorrow := reopen(t, url, 20*time.Second)
		tomorrow.SetMigrations(extended(t, "CREATE TABLE more (id INTEGER)"))

		steps := []struct {
			name            string
			migrate         *store.DB
			today, tomorrow error
		}{
			{"empty", nil, store.ErrSchemaOlder, store.ErrSchemaOlder},
			{"today's", today, nil, store.ErrSchemaOlder},
			{"today's again", today, nil, store.ErrSchemaOlder},
			{"tomorrow's", tomorrow, store.ErrSchemaNewer, nil},
		}
		for _, step := range steps {
			if step.migrate != nil {
				if err := step.migrate.Migrate(ctx); err != nil {
					t.Fatalf("%s: migrate: %v", step.name, err)
				}
			}
			if err := today.Check(ctx); !errors.Is(err, step.today) {
				t.Errorf("%s: today's program: got %v, want %v", step.name, err, step.today)
			}
			if err := tomorrow.Check(ctx); !errors.Is(err, step.tomorrow) {
				t.Errorf("%s: tomorrow's program: got %v, want %v", step.name, err, step.tomorrow)
			}
		}
		if err := today.Migrate(ctx); !errors.Is(err, store.ErrSchemaNewer) {
			t.Errorf("migrating a newer database: got %v, want ErrSchemaNewer", err)
		}
	})
}

func TestMigrationIsNeverHalfApplied(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		ctx := t.Context()
		db := reopen(t, url, 20*time.Second)
		db.SetMigrations(extended(t, "CREATE TABLE first (id INTEGER);\nCREATE TABLE accounts ('"+canary+"');"))
		err := db.Migrate(ctx)
		if err == nil {
			t.Fatal("a wrong migration was applied")
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("the error quotes the statement: %v", err)
		}
		for _, table := range []string{"first", "accounts", "schema_migrations"} {
			if err := db.QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(new(int)); err == nil {
				t.Errorf("table %s was left behind", table)
			}
		}
		db.SetMigrations(migrations.Files)
		if err := db.Migrate(ctx); err != nil {
			t.Errorf("the corrected migration: %v", err)
		}
	})
}

func TestWaitForAnotherMigrationIsBounded(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		ctx := t.Context()
		slow, db := reopen(t, url, 20*time.Second), reopen(t, url, 20*time.Second)
		locked, done := make(chan struct{}), make(chan error)
		release := make(chan struct{})
		go func() {
			done <- slow.HoldSchema(ctx, func() {
				close(locked)
				<-release
			})
		}()
		<-locked
		db.SetLockWait(short)
		expectUnavailable(t, "migrate", short, func() error {
			err := db.Migrate(ctx)
			if err != nil && !strings.Contains(err.Error(), "another process holds the schema: wait for it") {
				t.Errorf("the message does not help: %v", err)
			}
			return err
		})
		close(release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(ctx); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestMigrationWithoutTheRightSaysWhatToDo(t *testing.T) {
	server, err := cluster.Start(t.Context(), cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	owner := reopen(t, server.URL(), 20*time.Second)
	_, err = owner.Conn(t.Context()).ExecContext(t.Context(),
		"CREATE ROLE guest LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	if err != nil {
		t.Fatal(err)
	}
	guest := reopen(t, strings.Replace(server.URL(), "postgres@", "guest@", 1), 20*time.Second)
	err = guest.Migrate(t.Context())
	if err == nil || !strings.Contains(err.Error(), "GRANT CREATE ON SCHEMA public") {
		t.Errorf("got %v", err)
	}
}

// team returns migrations of a team's, as many as there are statements.
func team(name string, statements ...string) store.Migrations {
	files := fstest.MapFS{}
	for i, statement := range statements {
		files[fmt.Sprintf("sql/%04d_team.up.sql", i+1)] = &fstest.MapFile{Data: []byte(statement)}
	}
	return store.Migrations{Name: name, Files: files}
}

// TestMigrationsBeside: a team's migrations have numbers of their own, and one part of the schema does not make the other look
// older or newer than it is.
func TestMigrationsBeside(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		ctx := t.Context()
		const first, second = "CREATE TABLE shelves (id INTEGER)", "CREATE TABLE books (id INTEGER)"
		alone := reopen(t, url, 20*time.Second)
		today := reopen(t, url, 20*time.Second, team("library", first))
		tomorrow := reopen(t, url, 20*time.Second, team("library", first, second))
		wrong := reopen(t, url, 20*time.Second, team("garden", "CREATE TABLE beds (id INTEGER)", "CREATE TABLE accounts (id INTEGER)"))

		steps := []struct {
			name                   string
			migrate                *store.DB
			alone, today, tomorrow error
		}{
			{"empty", nil, store.ErrSchemaOlder, store.ErrSchemaOlder, store.ErrSchemaOlder},
			{"ours", alone, nil, store.ErrSchemaOlder, store.ErrSchemaOlder},
			{"with today's library", today, nil, nil, store.ErrSchemaOlder},
			{"with tomorrow's library", tomorrow, nil, store.ErrSchemaNewer, nil},
		}
		for _, step := range steps {
			if step.migrate != nil {
				if err := step.migrate.Migrate(ctx); err != nil {
					t.Fatalf("%s: migrate: %v", step.name, err)
				}
			}
			for name, c := range map[string]struct {
				db   *store.DB
				want error
			}{"alone": {alone, step.alone}, "today": {today, step.today}, "tomorrow": {tomorrow, step.tomorrow}} {
				if err := c.db.Check(ctx); !errors.Is(err, c.want) {
					t.Errorf("%s: %s: got %v, want %v", step.name, name, err, c.want)
				}
			}
		}
		if err := wrong.Migrate(ctx); err == nil {
			t.Error("a team could make our table anew")
		}
		if err := wrong.QueryRow(ctx, "SELECT count(*) FROM beds").Scan(new(int)); err == nil {
			t.Error("half of a team's migrations were left behind")
		}
	})
}

func TestMigrationsBesideNeedAName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Notes", "1st", "a b", `x"; DROP TABLE accounts; --`, strings.Repeat("x", 33)} {
		db, err := store.Open(t.Context(), store.Config{
			URL: storetest.URL(t, storetest.SQLite), Beside: []store.Migrations{team(name, "SELECT 1")},
		})
		if err == nil {
			t.Errorf("the name %q was accepted", name)
			_ = db.Close()
		}
	}
}
