package tools_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floorLine is a floor in the picture of docs/architecture.md: "5  session    what it owns", packages before two spaces or more.
var floorLine = regexp.MustCompile(`(?m)^ *(\d+) {2}((?:[a-z]+ ?)+?)(?: {2}.*)?$`)

// words are the floor 0 packages that the others on floor 0 may import too.
var words = []string{"fault", "id", "origin", "request"}

// floors reads who stands where from docs/architecture.md.
func floors(t *testing.T) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, match := range floorLine.FindAllStringSubmatch(string(read(t, "docs/architecture.md")), -1) {
		number, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		for name := range strings.FieldsSeq(match[2]) {
			found[name] = number
		}
	}
	return found
}

// importPath is where a package of the picture is.
func importPath(name string) string {
	if name == "graph" {
		return "gatehouse/graph"
	}
	return "gatehouse/internal/" + name
}

// TestEveryPackageHasAFloor compares the picture with the folders.
func TestEveryPackageHasAFloor(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join(root, "internal"))
	if err != nil {
		t.Fatal(err)
	}
	packages := []string{"graph"}
	for _, entry := range entries {
		if entry.IsDir() {
			packages = append(packages, entry.Name())
		}
	}
	slices.Sort(packages)
	if drawn := slices.Sorted(maps.Keys(floors(t))); !slices.Equal(drawn, packages) {
		t.Errorf("docs/architecture.md draws %v,\nthe folders are        %v", drawn, packages)
	}
}

// Who stands above all floors: the main at the root, and the program of a team that adds to Gatehouse.
const (
	atRoot = "root"
	byTeam = "team"
)

// owners are the packages that alone may import what is named. Tests have more freedom; these are the rules of the binary.
var owners = map[string][]string{
	"database/sql":                             {"store"},
	"gatehouse/internal/nowhere":               {}, // a package without a floor
	"gatehouse/graph/graphtest":                {},
	"gatehouse/internal/store/storetest":       {},
	"github.com/alecthomas/kong":               {"server", "settings"},
	"github.com/golang-jwt/jwt/v5":             {"keyring", "token"},
	"github.com/graph-gophers/graphql-go":      {"graph"},
	"github.com/jackc/pgx/v5/pgxpool":          {"store"},
	"github.com/uptrace/bun":                   {"account", "audit", "keyring", "role", "session", "store", byTeam},
	"github.com/uptrace/bun/dialect/pgdialect": {"store"},
	"github.com/vektah/gqlparser/v2/ast":       {"introspection", "operation", "policy", "server"},
	"golang.org/x/crypto/argon2":               {"password"},
	"math/rand":                                {},
	"modernc.org/sqlite":                       {"store"},
	"net/http":                                 {"auth", "gqlhttp", "server", "web"},
	"testing":                                  {},
}

// TestLinterHoldsTheFloors lays a house out of empty packages in which everybody imports everything, and compares what the
// linter refuses with the floors as they are drawn and the owners as they are listed.
func TestLinterHoldsTheFloors(t *testing.T) {
	levels := floors(t)
	names := slices.Sorted(maps.Keys(levels))
	targets := slices.Collect(maps.Keys(owners))
	for _, name := range names {
		targets = append(targets, importPath(name))
	}
	slices.Sort(targets)

	house := t.TempDir()
	lay := func(name, content string) {
		t.Helper()
		file := filepath.Join(house, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lay(".golangci.yml", string(read(t, ".golangci.yml")))
	module := "module gatehouse\n\ngo " + goVersion(t) + "\n"
	for _, target := range targets {
		if inside, ok := strings.CutPrefix(target, "gatehouse/"); ok {
			lay(inside+"/empty.go", "package empty\n")
		} else if strings.Contains(target, ".") {
			lay("modules/"+target+"/empty.go", "package empty\n")
			lay("modules/"+target+"/go.mod", "module "+target+"\n")
			version := "v1.0.0"
			if major := filepath.Base(target); strings.HasPrefix(major, "v") && len(major) == 2 {
				version = major + ".0.0"
			}
			module += fmt.Sprintf("require %s %s\nreplace %s => ./modules/%s\n", target, version, target, target)
		}
	}
	lay("go.mod", module)
	importers := map[string]string{"main.go": atRoot, "examples/team/main.go": byTeam}
	for _, name := range names {
		// In a folder below the package, so that no circle keeps the Go tool from loading it.
		importers[strings.TrimPrefix(importPath(name), "gatehouse/")+"/below/below.go"] = name
	}
	for file := range importers {
		var source strings.Builder
		source.WriteString("package main\n\nimport (\n")
		for _, target := range targets {
			fmt.Fprintf(&source, "\t_ %q\n", target)
		}
		source.WriteString(")\n\nfunc main() {}\n")
		lay(file, source.String())
	}

	refused := lint(t, house)
	for file, importer := range importers {
		for _, target := range targets {
			want := mayImport(levels, importer, target)
			if got := !refused[file+" "+target]; got != want {
				t.Errorf("%s may import %s: the linter says %t, the floors say %t", file, target, got, want)
			}
		}
	}
}

// mayImport says whether the rules let importer import target.
func mayImport(levels map[string]int, importer, target string) bool {
	if owner, owned := owners[target]; owned {
		return slices.Contains(owner, importer)
	}
	name := strings.TrimPrefix(strings.TrimPrefix(target, "gatehouse/"), "internal/")
	level := levels[name]
	switch {
	case importer == atRoot || importer == byTeam || level == 0 && slices.Contains(words, name):
		return true
	case importer == name:
		return level > 0 // on floor 0 a package's own tests alone may name it
	default:
		return level < levels[importer]
	}
}

// lint runs depguard over the house and returns the imports that it refuses, as "file import".
func lint(t *testing.T, house string) map[string]bool {
	t.Helper()
	binary := strings.TrimSpace(output(t.Context(), t, ".", "go", "tool", "-n", "golangci-lint"))
	cmd := exec.CommandContext(t.Context(), binary, "run", "--enable-only=depguard", "--show-stats=false",
		"--output.text.path=stderr", "--output.json.path=stdout", "./...")
	cmd.Dir = house
	stdout, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Fatalf("golangci-lint: %v, want the exit code of findings\n%s", err, stdout)
	}
	var report struct {
		Issues []struct {
			Text string
			Pos  struct{ Filename string }
		}
	}
	if err := json.Unmarshal(stdout, &report); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	refused := map[string]bool{}
	for _, issue := range report.Issues {
		_, rest, _ := strings.Cut(issue.Text, "import '")
		target, _, ok := strings.Cut(rest, "'")
		if !ok {
			t.Fatalf("not a finding of depguard: %q", issue.Text)
		}
		refused[issue.Pos.Filename+" "+target] = true
	}
	return refused
}
