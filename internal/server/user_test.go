package server

import (
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/audit"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// TestCommandLineIsRecorded does what the user commands can do, on a machine whose clock is an hour ahead.
func TestCommandLineIsRecorded(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := storetest.MigratedURL(t, kind)
			run := func(args ...string) string {
				t.Helper()
				var stdout strings.Builder
				code := gatehouse.Run(t.Context(), Process{
					Args: append(args, "--database-url="+url), Lookup: noEnvironment, Stdin: strings.NewReader(goodPassword),
					Stdout: &stdout, Stderr: io.Discard, Now: func() time.Time { return time.Now().Add(time.Hour) },
				})
				if code != 0 {
					t.Fatalf("%v: exit code %d", args, code)
				}
				return strings.TrimSpace(stdout.String())
			}
			began := time.Now()
			ann, err := id.Parse(run("user", "create", "--email=ann@example.com"))
			if err != nil {
				t.Fatal(err)
			}
			bob, err := id.Parse(run("user", "create", "--email=bob@example.com", "--role=ADMIN", "--role=USER"))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				run("user", "grant", "--email=ann@example.com", "--role=ADMIN")
			}
			run("user", "disable", "--email=ann@example.com")

			db, err := store.Open(t.Context(), store.Config{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			p, err := audit.New(db, time.Now).List(t.Context(), nil, page.Request{First: 10})
			if err != nil {
				t.Fatal(err)
			}
			type entry struct {
				event   audit.Event
				account id.ID
				detail  string
			}
			// In no order: each command has measured the database's clock for itself, which two may do a little differently.
			want := map[entry]int{
				{audit.AccountRegistered, ann, ""}: 1, {audit.AccountRegistered, bob, ""}: 1, {audit.RoleGranted, bob, "ADMIN"}: 1,
				{audit.RoleGranted, ann, "ADMIN"}: 1, {audit.AccountDisabled, ann, ""}: 1,
			}
			got := map[entry]int{}
			for i, e := range p.Nodes {
				if e.AccountID == nil {
					t.Fatalf("entry %d is of no account: %+v", i, *e)
				}
				got[entry{e.Event, *e.AccountID, e.Detail}]++
				if e.ActorID != nil || e.SessionID != nil || e.IPAddress+e.UserAgent+e.RequestID != "" {
					t.Errorf("entry %d names somebody: %+v", i, *e)
				}
				if ahead := e.CreatedAt.Sub(began) > 30*time.Minute; ahead != (kind == storetest.SQLite) {
					t.Errorf("entry %d is from %v", i, e.CreatedAt)
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}
