package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPlayground builds the page and the binary, and drives both in headless Chromium. See web/playground/test.
func TestPlayground(t *testing.T) {
	needChromium(t)
	output(t.Context(), t, root, "make", "--no-print-directory", "playground")
	binary := filepath.Join(t.TempDir(), "gatehouse")
	output(t.Context(), t, root, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, ".")

	folder := filepath.Join(root, "web", "playground")
	install(t, "browser")
	t.Parallel() // much of the time passes in waiting for tokens to end
	cmd := exec.CommandContext(t.Context(), "npm", "test", "--silent")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GATEHOUSE="+binary, "TMPDIR="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm test: %v\n%s", err, out)
	}
}

// needChromium installs Debian's Chromium where it is missing and can be: as root on Debian.
func needChromium(t *testing.T) {
	t.Helper()
	const chromium = "/usr/bin/chromium"
	if _, err := os.Stat(chromium); err == nil {
		return
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		t.Fatalf("%s is missing: install the package chromium", chromium)
	}
	for _, arguments := range []string{"update", "install -y --no-install-recommends chromium"} {
		cmd := exec.CommandContext(t.Context(), "apt-get", strings.Fields("-qq "+arguments)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("apt-get %s: %v\n%s", arguments, err, out)
		}
	}
}

// TestMakeBuildsWithoutNPM takes npm off the PATH, and makes the playground look older than its sources where it was built.
func TestMakeBuildsWithoutNPM(t *testing.T) {
	page := filepath.Join(root, "internal", "web", "playground", "index.html.gz")
	if info, err := os.Stat(page); err == nil {
		if err := os.Chtimes(page, time.Time{}, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.Chtimes(page, time.Time{}, info.ModTime()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Setenv("PATH", without(t, "npm"))
	cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "build")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "npm is missing") || !strings.Contains(string(out), "install Node.js") {
		t.Errorf("make build: %v\n%s", err, out)
	}
}

// without returns a PATH on which everything is found but one command.
func without(t *testing.T, command string) string {
	t.Helper()
	folders := filepath.SplitList(os.Getenv("PATH"))
	for i, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, command)); err != nil {
			continue
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		folders[i] = t.TempDir()
		for _, entry := range entries {
			if entry.Name() == command {
				continue
			}
			if err := os.Symlink(filepath.Join(folder, entry.Name()), filepath.Join(folders[i], entry.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	return strings.Join(folders, string(filepath.ListSeparator))
}
