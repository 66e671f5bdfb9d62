package soak

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"gatehouse/internal/store/storetest"
)

// TestManyStartAtOnce starts ten processes at once on a database that has yet to be migrated.
func TestManyStartAtOnce(t *testing.T) {
	const processes = 10
	older := buildOlder(t)
	for name, prepare := range map[string]func(t *testing.T, f *fleet){
		"empty": func(*testing.T, *fleet) {},
		"older": func(t *testing.T, f *fleet) {
			t.Helper()
			migrate := exec.CommandContext(t.Context(), older, "migrate")
			migrate.Env = f.environment
			if out, err := migrate.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			rounds := times(1, 50)
			for range rounds {
				url := storetest.URL(t, storetest.Postgres)
				f := newFleet(t, url, processes)
				prepare(t, f)
				var starting errgroup.Group
				for _, r := range f.replicas {
					starting.Go(r.start)
				}
				if err := starting.Wait(); err != nil {
					t.Fatal(err)
				}
				f.replicas[0].expectOneOfEach(t, url)
				for _, r := range f.replicas {
					if err := r.stop(); err != nil {
						t.Error(err)
					}
				}
			}
			proved(t, fmt.Sprintf("Ten processes started at once on an %s PostgreSQL database, %d times", name, rounds),
				"one migrated it, all served, one signing key")
		})
	}
}

// expectOneOfEach fails the test when a migration was recorded twice, or when the processes did not agree on a signing key.
func (r *replica) expectOneOfEach(t *testing.T, databaseURL string) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	var migrations, distinct, keys int
	err = db.QueryRow(t.Context(),
		`SELECT count(*), count(DISTINCT name), (SELECT count(*) FROM signing_keys) FROM schema_migrations`,
	).Scan(&migrations, &distinct, &keys)
	if err != nil {
		t.Fatal(err)
	}
	if migrations != distinct || migrations == 0 || keys != 1 {
		t.Errorf("%d records of %d migrations, and %d signing keys", migrations, distinct, keys)
	}
	if _, err := r.register(t.Context(), newPerson()); err != nil {
		t.Error(err)
	}
}

// buildOlder builds the binary as it was before its last migrations, for the schema of then. It returns the binary's path.
func buildOlder(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("..", "internal", "store", "migrations"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	// To the build, a file that is replaced by nothing does not exist.
	overlay := map[string]map[string]string{"Replace": {}}
	for _, file := range files {
		if filepath.Base(file) >= "0006" {
			overlay["Replace"][file] = ""
		}
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	overlayPath, binary := filepath.Join(t.TempDir(), "overlay.json"), filepath.Join(t.TempDir(), "older")
	if err := os.WriteFile(overlayPath, text, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay="+overlayPath, "-o", binary, "gatehouse")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the older binary: %v\n%s", err, out)
	}
	return binary
}
