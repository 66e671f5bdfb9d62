package examples_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestGeneratedTypes makes the types as examples/codegen/README.md says, and runs the program that uses them.
func TestGeneratedTypes(t *testing.T) {
	t.Parallel()
	must(t, codegen())
	inCodegen(t, nil, "npm", "run", "--silent", "build")
	g := newSettings(t).start(t)
	said := regexp.MustCompile(`^PASSWORD_TOO_SHORT: Another password, please: .+
signed in as ada-.+@example\.com
.+, since 20.+Z, this one
sessions ended: 1
and signed out
$`)
	if got := inCodegen(t, []string{"GATEHOUSE_URL=" + g.url}, "npm", "run", "--silent", "start"); !said.MatchString(got) {
		t.Errorf("npm start said\n%s", got)
	}

	// In production nothing runs but what the list has, which the server is given.
	manifest, err := os.ReadFile(filepath.Join("codegen", "src", "gql", "persisted-documents.json"))
	must(t, err)
	folder := t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "codegen.json"), manifest, 0o600))
	strict := newSettings(t).start(t, "--mode=production", "--issuer=https://auth.example.com", "--trusted-documents="+folder)
	got := inCodegen(t, []string{"GATEHOUSE_URL=" + strict.url}, "npm", "run", "--silent", "start", "--", "--by-hash")
	if !said.MatchString(got) {
		t.Errorf("npm start -- --by-hash said\n%s", got)
	}
}

// TestRelayCompiles makes what Relay needs of the documents in examples/codegen/relay.
func TestRelayCompiles(t *testing.T) {
	t.Parallel()
	must(t, codegen())
	inCodegen(t, nil, "npm", "run", "--silent", "relay")
	for _, name := range []string{"SessionsQuery", "SessionsPageQuery", "Sessions_query", "SessionsRevokeMutation"} {
		if _, err := os.Stat(filepath.Join("codegen", "relay", "__generated__", name+".graphql.ts")); err != nil {
			t.Error(err)
		}
	}
}

// setUpCodegen installs what the lock file of examples/codegen says.
func setUpCodegen() error {
	if _, err := node(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), installing)
	defer cancel()
	return install(ctx, "codegen")
}

// inCodegen runs a command in examples/codegen and returns what it printed.
func inCodegen(t *testing.T, environment []string, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir, command.Env = "codegen", append(os.Environ(), environment...)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, output)
	}
	return string(output)
}
