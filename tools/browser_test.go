package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestForeignPages has pages of other origins try all that a browser lets them do to somebody who is signed in with a cookie.
func TestForeignPages(t *testing.T) {
	needChromium(t)
	install(t, "browser")
	binary := build(t)
	t.Parallel() // from here on the machine has time for others
	inChromium(t, binary, "foreign.js")
}

// TestReactExamples drives the example apps as people use them: each built for a session in the page and for one in a cookie, and
// served from another port than the server's.
func TestReactExamples(t *testing.T) {
	t.Parallel()
	needChromium(t)
	install(t, "browser")
	binary := build(t)
	for _, app := range []string{"react-apollo", "react-urql"} {
		install(t, filepath.Join(root, "examples", app))
		t.Run(app, func(t *testing.T) {
			t.Parallel()
			inChromium(t, binary, "examples.js", "APP="+app)
		})
	}
}

// inChromium runs a script of tests in the folder browser against a binary, with more environment variables.
func inChromium(t *testing.T, binary, script string, settings ...string) {
	t.Helper()
	binary, err := filepath.Abs(binary)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-timeout=300000", script)
	cmd.Dir = "browser"
	cmd.Env = append(os.Environ(), "GATEHOUSE="+binary, "TMPDIR="+t.TempDir())
	cmd.Env = append(cmd.Env, settings...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("node --test %s: %v\n%s", script, err, out)
	}
}
