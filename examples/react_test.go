package examples_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestFrontendDocumentShowsTheFiles holds docs/frontend.md to the code that runs.
func TestFrontendDocumentShowsTheFiles(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "frontend.md"))
	must(t, err)
	var shown []string
	for _, found := range snippet.FindAllStringSubmatch(string(text), -1) {
		content, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(found[1])))
		must(t, err)
		if found[2] != string(content) {
			t.Errorf("docs/frontend.md does not show %s as it is", found[1])
		}
		shown = append(shown, found[1])
	}
	for _, file := range []string{
		"examples/react-apollo/src/session.ts", "examples/react-apollo/src/client.ts", "examples/react-urql/src/client.ts",
	} {
		if !slices.Contains(shown, file) {
			t.Errorf("docs/frontend.md does not show %s", file)
		}
	}
}

// TestReactAppsShareTheirFrame: each folder can be copied by itself, and they differ where their clients do.
func TestReactAppsShareTheirFrame(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		".npmrc", "codegen.ts", "tsconfig.json", "vite.config.ts", "src/app.css", "src/env.d.ts", "src/main.tsx", "src/session.ts",
	} {
		one, err := os.ReadFile(filepath.Join("react-apollo", name))
		must(t, err)
		other, err := os.ReadFile(filepath.Join("react-urql", name))
		must(t, err)
		if !bytes.Equal(one, other) {
			t.Errorf("react-apollo/%s and react-urql/%s differ: copy the one that is right over the other", name, name)
		}
	}
}
