package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// snippet is a fenced block that says which file it is from: the language, the file, the content.
var snippet = regexp.MustCompile("(?ms)^```[a-z]+ ([^\n ]+)\n(.*?\n)```$")

// TestDocumentShowsTheFiles holds docs/extending.md to the files that it shows. A line with … alone stands for what is left out.
func TestDocumentShowsTheFiles(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	document, err := os.ReadFile(filepath.Join(root, "docs", "extending.md"))
	must(t, err)
	snippets := snippet.FindAllStringSubmatch(string(document), -1)
	if len(snippets) < 10 {
		t.Fatalf("docs/extending.md shows %d snippets of files", len(snippets))
	}
	for _, found := range snippets {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(found[1])))
		if err != nil {
			t.Error(err)
			continue
		}
		rest := "\n" + string(content)
		for _, part := range regexp.MustCompile(`(?m)^\s*…\n`).Split(found[2], -1) {
			_, after, ok := strings.Cut(rest, "\n"+part)
			if !ok {
				t.Errorf("%s does not have, or not in this order:\n%s", found[1], part)
				break
			}
			rest = "\n" + after
		}
	}
}

// TestDocumentSaysWhereItLives does what docs/extending.md says of a repository of one's own, in a folder above Gatehouse's.
// Instead of the last command, which would run the program, the Go tool is asked for all that the program and its tests are made
// of: it fails where one package may not import another.
func TestDocumentSaysWhereItLives(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	must(t, err)
	document, err := os.ReadFile(filepath.Join(root, "docs", "extending.md"))
	must(t, err)
	_, section, _ := strings.Cut(string(document), "## Where it lives\n")
	_, section, _ = strings.Cut(section, "\n```sh\n")
	commands, _, found := strings.Cut(section, "go run ./notes\n```")
	if !found {
		t.Fatal("docs/extending.md has lost its commands")
	}
	folder := t.TempDir()
	must(t, os.Symlink(root, filepath.Join(folder, "gatehouse")))
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands+"go list -deps -test ./notes >packages")
	shell.Dir = folder
	if said, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, said)
	}
	packages, err := os.ReadFile(filepath.Join(folder, "packages"))
	must(t, err)
	for _, want := range []string{"gatehouse/notes", "gatehouse/notes/note", "gatehouse/internal/server", "gatehouse/graph"} {
		if !strings.Contains("\n"+string(packages), "\n"+want+"\n") {
			t.Errorf("the program is not made of %s", want)
		}
	}
}

// TestDocumentShowsTheRefusal holds what docs/extending.md says of a forgotten rule to what the program says.
func TestDocumentShowsTheRefusal(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "extending.md"))
	must(t, err)
	shown := regexp.MustCompile(`(?m)^notes: .*$`).FindString(string(document))
	forgetful := program()
	forgetful.Extension.Schema = withoutRule(t)
	_, said := run(t.Context(), forgetful, "", "access")
	if beginning := strings.TrimSuffix(shown, "…"); shown == "" || !strings.HasPrefix(said, beginning) {
		t.Errorf("docs/extending.md shows\n%s\nthe program says\n%s", shown, said)
	}
}
