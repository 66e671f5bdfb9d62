package examples_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// What the tests set up once, where it is not there.
var (
	python  = sync.OnceValues(setUpPython)
	node    = sync.OnceValues(setUpNode)
	codegen = sync.OnceValue(setUpCodegen)
)

// installing bounds a download, on a slow line too.
const installing = 10 * time.Minute

// debianPackages are what the Python services run on. Debian 12 is the oldest that has them all.
const debianPackages = "python3-flask python3-fastapi uvicorn python3-jwt python3-cryptography"

// setUpPython returns an interpreter that has what the Python services import. Where none has and this is root on Debian, it
// installs the packages. The error says what to install.
func setUpPython() (interpreter string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), installing)
	defer cancel()
	if found := findPython(ctx); found != "" {
		return found, nil
	}
	if _, err := os.Stat("/etc/debian_version"); err == nil && os.Geteuid() == 0 {
		fmt.Fprintln(os.Stderr, "installing what the Python services run on: apt-get install", debianPackages)
		install := append([]string{"install", "--yes", "--no-install-recommends"}, strings.Fields(debianPackages)...)
		for _, args := range [][]string{{"update"}, install} {
			// Another test may be installing something else at this moment.
			command := exec.CommandContext(ctx, "apt-get", append([]string{"--quiet=2", "-o", "DPkg::Lock::Timeout=300"}, args...)...)
			command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
			if output, err := command.CombinedOutput(); err != nil {
				return "", fmt.Errorf("apt-get %s: %w\n%s", args[0], err, output)
			}
		}
		if found := findPython(ctx); found != "" {
			return found, nil
		}
	}
	return "", errors.New("no python3 has what examples/flask and examples/fastapi import: install it, on Debian with\n" +
		"\tapt-get install " + debianPackages + "\nand elsewhere with\n" +
		"\tpython3 -m pip install -r examples/flask/requirements.txt -r examples/fastapi/requirements.txt")
}

// findPython returns the first interpreter that has it all, or nothing; Debian's own comes first.
func findPython(ctx context.Context) string {
	for _, candidate := range []string{"/usr/bin/python3", "python3"} {
		// Isolated (-I), or the folders that are called flask and fastapi here would pass for the packages.
		const imports = "import flask, fastapi, uvicorn, cryptography; from jwt import PyJWKClient"
		if exec.CommandContext(ctx, candidate, "-I", "-c", imports).Run() == nil {
			return candidate
		}
	}
	return ""
}

// setUpNode returns a Node.js that is new enough for jose, having installed what the lock file of examples/node says.
func setUpNode() (interpreter string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), installing)
	defer cancel()
	const recent = "const [a, b] = process.versions.node.split('.'); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)"
	if err := exec.CommandContext(ctx, "node", "-e", recent).Run(); err != nil {
		return "", fmt.Errorf("examples/node needs Node.js 20.19 or newer with npm (https://nodejs.org): install it: %w", err)
	}
	if err := install(ctx, "node"); err != nil {
		return "", err
	}
	return "node", nil
}

// install installs what the lock file in the folder says, unless it is there already.
func install(ctx context.Context, folder string) error {
	installed, err := os.Stat(filepath.Join(folder, "node_modules", ".package-lock.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	locked, err := os.Stat(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		return err
	}
	if installed == nil || installed.ModTime().Before(locked.ModTime()) {
		if output, err := exec.CommandContext(ctx, "npm", "--prefix", folder, "ci", "--silent").CombinedOutput(); err != nil {
			return fmt.Errorf("examples/%s: npm ci: %w\n%s", folder, err, output)
		}
	}
	return nil
}

// build compiles examples/go and returns the binary.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "reports")
	if output, err := exec.CommandContext(t.Context(), "go", "-C", "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	return binary
}
