package store_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestOpenSaysWhatToDo(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	// A port that nobody listens on: this one was free a moment ago.
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	postgres := func(change func(u *url.URL)) string {
		u, err := url.Parse(storetest.URL(t, storetest.Postgres))
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	tests := []struct{ name, url, want string }{
		{"empty", "", "must start with sqlite:// or postgres://"},
		{"no scheme", canary, "must start with sqlite:// or postgres://"},
		{"unknown scheme", "mysql://root:" + canary + "@localhost/db", "must start with sqlite:// or postgres://, not with mysql://"},
		{"password first", canary + " 2://localhost/db", "must start with sqlite:// or postgres://"},
		{"bad port", "postgres://u:" + canary + "@localhost:port/db", "must look like postgres://USER:PASSWORD@HOST:5432/DATABASE"},
		{"bad escape", "postgres://u:" + canary + "%zz@localhost/db", "must look like postgres://USER:PASSWORD@HOST:5432/DATABASE"},
		{"nobody listens", "postgres://u:" + canary + "@" + closed + "/db", "does not answer at " + closed + ": start it"},
		{"no such host", "postgres://u:" + canary + "@host.invalid/db", "does not answer at host.invalid:5432: start it"},
		{"no such user", postgres(func(u *url.URL) { u.User = url.UserPassword("nobody", canary) }), `does not let user "nobody" in`},
		{"no such database", postgres(func(u *url.URL) { u.Path = "/nowhere" }), `has no database "nowhere": create it`},
		{"no file", "sqlite://", "must name a file"},
		{"in memory", "sqlite://:memory:", "must name a file"},
		{"parameters", "sqlite://x.db?_pragma=" + canary, "must name a file"},
		{"no folder", "sqlite://" + folder + "/none/x.db", "the folder of " + folder + "/none/x.db does not exist: create it"},
		{"a folder", "sqlite://" + folder, folder + " cannot be opened for reading and writing"},
		{"in a file", "sqlite://" + text + "/x.db", "cannot be opened for reading and writing"},
		{"no database", "sqlite://" + text, text + " is not a SQLite database: name another file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			db, err := store.Open(t.Context(), store.Config{URL: test.url})
			if err == nil {
				t.Fatal("opened", db.Close())
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %q\nwant … %q", err, test.want)
			}
			if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "\n") {
				t.Errorf("not one sentence without secrets: %q", err)
			}
		})
	}
}

func TestFileIsItsOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	db := reopen(t, "sqlite://"+path, time.Second)
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", entry.Name(), info.Mode())
		}
		names = append(names, entry.Name())
	}
	if got := fmt.Sprint(names); got != "[gatehouse.db gatehouse.db-shm gatehouse.db-wal]" {
		t.Errorf("files: %s", got)
	}
}

func TestSQLiteIsDurableAndStrict(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite)
	ctx := t.Context()
	want := map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "18000", "query_only": "0",
	}
	for pragma, want := range want {
		var got string
		if err := db.Conn(ctx).NewRaw("PRAGMA "+pragma).Scan(ctx, &got); err != nil || got != want {
			t.Errorf("the writer's %s = %q (%v), want %q", pragma, got, err, want)
		}
	}
	var readOnly int
	if err := db.QueryRow(ctx, "SELECT query_only FROM pragma_query_only").Scan(&readOnly); err != nil || readOnly != 1 {
		t.Errorf("the readers' query_only = %d (%v), want 1", readOnly, err)
	}
}

func TestPostgresSessionIsPrepared(t *testing.T) {
	db := storetest.Open(t, storetest.Postgres)
	want := map[string]string{
		"standard_conforming_strings": "on", "client_encoding": "UTF8", "TimeZone": "UTC", "application_name": "gatehouse",
		"statement_timeout": "18s", "idle_in_transaction_session_timeout": "40s",
	}
	for name, want := range want {
		var got string
		if err := db.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q (%v), want %q", name, got, err, want)
		}
	}
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			url := storetest.MigratedURL(t, kind)
			before := goleak.IgnoreCurrent()
			defer func() {
				var left error
				for range 40 { // each looks for half a second
					if left = goleak.Find(before); left == nil {
						return
					}
				}
				t.Error(left)
			}()
			db, err := store.Open(t.Context(), store.Config{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			for name, call := range calls(t.Context(), db) {
				if err := call(); err != nil && (name == "Ping" || name == "Check") {
					t.Errorf("%s: %v", name, err)
				}
			}
			await(t, db.Listen(t.Context(), "news"), "beginning to listen")
			for range 2 { // whoever closes it again, in a deferred call say, must not wait for ever
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
