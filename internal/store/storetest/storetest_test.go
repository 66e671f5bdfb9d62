package storetest_test

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/store/storetest/cluster"
)

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	for range 3 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				ctx := t.Context()
				if err := db.Check(ctx); err != nil {
					t.Errorf("not migrated: %v", err)
				}
				if _, err := db.Conn(ctx).ExecContext(ctx, "CREATE TABLE mine (id INTEGER)"); err != nil {
					t.Errorf("another test was here: %v", err)
				}
			})
		})
	}
}

func TestURLIsThatOfAnEmptyDatabase(t *testing.T) {
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		db, err := store.Open(t.Context(), store.Config{URL: storetest.URL(t, kind)})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Check(t.Context()); !errors.Is(err, store.ErrSchemaOlder) {
			t.Errorf("%s: %v", kind, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Several test processes may meet on one server and make the template at once.
func TestProcessesShareAServer(t *testing.T) {
	server, err := cluster.Start(t.Context(), cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEachTestHasADatabaseOfItsOwn$")
			process.Env = append(os.Environ(), cluster.EnvironmentVariable+"="+server.URL())
			if output, err := process.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
	all.Wait()
}

func TestMachineMovesTheWallAlone(t *testing.T) {
	t.Parallel()
	var machine storetest.Machine
	machine.Set(-time.Hour)
	before, after := time.Now(), machine.Now()
	if wall := after.Round(0).Sub(before.Round(0)) + time.Hour; wall.Abs() > time.Minute {
		t.Errorf("the wall is off by another %v", wall)
	}
	if monotonic := after.Sub(before); monotonic < 0 || monotonic > time.Minute {
		t.Errorf("the monotonic time moved by %v", monotonic)
	}
}
