package tools_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// goMod parses a go.mod of the repository.
func goMod(t *testing.T, name string) *modfile.File {
	t.Helper()
	file, err := modfile.Parse(name, read(t, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// goVersion is the Go version that the server is built with.
func goVersion(t *testing.T) string {
	t.Helper()
	return goMod(t, "go.mod").Go.Version
}

// TestDependenciesAreExplained holds docs/dependencies.md to its promise: a line for each direct dependency, and no line for
// one that is gone.
func TestDependenciesAreExplained(t *testing.T) {
	const document = "docs/dependencies.md"
	direct := map[string]bool{}
	for _, name := range []string{"go.mod", "tools/go.mod"} {
		file := goMod(t, name)
		for _, require := range file.Require {
			runs := func(tool *modfile.Tool) bool { return strings.HasPrefix(tool.Path+"/", require.Mod.Path+"/") }
			if !require.Indirect || slices.ContainsFunc(file.Tool, runs) {
				direct[require.Mod.Path] = true
			}
		}
	}
	for _, name := range packages(t) {
		direct[name] = true
	}
	explained := map[string]bool{}
	for line := range strings.Lines(string(read(t, document))) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		module := strings.Trim(cells[1], " `")
		explained[module] = true
		if !direct[module] {
			t.Errorf("%s explains %s, which nothing requires directly", document, module)
		}
		if strings.TrimSpace(cells[2]) == "" || strings.TrimSpace(cells[3]) == "" {
			t.Errorf("%s says too little of %s: why it, and what instead", document, module)
		}
	}
	for module := range direct {
		if !explained[module] {
			t.Errorf("%s does not explain %s", document, module)
		}
	}
}

// TestModulesAgree keeps all modules on one Go version, so that the linters understand what the server is written in, and one
// toolchain builds everything.
func TestModulesAgree(t *testing.T) {
	for _, name := range []string{"tools/go.mod", "examples/go/go.mod"} {
		if version := goMod(t, name).Go.Version; version != goVersion(t) {
			t.Errorf("%s says go %s, go.mod says go %s", name, version, goVersion(t))
		}
	}
}

// packages are what the Node projects of the repository require directly.
func packages(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.Name() == "node_modules":
			return fs.SkipDir
		case entry.Name() != "package.json":
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var project struct{ Dependencies, DevDependencies map[string]string }
		if err := json.Unmarshal(content, &project); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		names = slices.AppendSeq(names, maps.Keys(project.Dependencies))
		names = slices.AppendSeq(names, maps.Keys(project.DevDependencies))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Error("there is no package.json")
	}
	return names
}
