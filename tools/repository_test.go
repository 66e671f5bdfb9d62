package tools_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// root is the repository's folder, seen from this package.
const root = ".."

// read returns a file of the repository.
func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// output runs a command in dir and returns what it printed; a failure ends the test with what it complained of.
func output(ctx context.Context, t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			stderr = exit.Stderr
		}
		t.Fatalf("%s %q: %v\n%s", name, args, err, stderr)
	}
	return string(out)
}

// TestPlaygroundIsNotCommitted: what make builds into the binary comes from its sources, and never out of the repository.
func TestPlaygroundIsNotCommitted(t *testing.T) {
	rules := string(read(t, "internal/web/playground/.gitignore"))
	if !strings.HasSuffix(rules, "\n*\n!.gitignore\n") {
		t.Errorf("git does not ignore all of the playground's output, but goes by\n%s", rules)
	}
}

// install installs what the lock file in a folder beside this file says, unless it is there already.
func install(t *testing.T, folder string) {
	t.Helper()
	lock, err := os.Stat(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	installed, err := os.Stat(filepath.Join(folder, "node_modules", ".package-lock.json"))
	if err == nil && !installed.ModTime().Before(lock.ModTime()) {
		return
	}
	if _, err := exec.LookPath("npm"); err != nil {
		t.Fatalf("npm is missing: install Node.js 20.19 or newer with npm (https://nodejs.org): %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	output(ctx, t, folder, "npm", "ci", "--silent")
}
