package examples_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// document returns docs/tokens.md.
func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "tokens.md"))
	must(t, err)
	return string(text)
}

// snippet is a fenced block that says which file it is from: the language, the file, the content.
var snippet = regexp.MustCompile("(?ms)^```[a-z]+ ([^\n ]+)\n(.*?\n)```$")

// TestDocumentShowsTheFiles holds docs/tokens.md to the code that runs. A line with … alone stands for what is left out.
func TestDocumentShowsTheFiles(t *testing.T) {
	t.Parallel()
	whole := map[string]bool{}
	for _, found := range snippet.FindAllStringSubmatch(document(t), -1) {
		content, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(found[1])))
		must(t, err)
		whole[found[1]] = string(content) == found[2]
		rest := "\n" + string(content)
		for part := range strings.SplitSeq(found[2], "…\n") {
			_, after, ok := strings.Cut(rest, "\n"+part)
			if !ok {
				t.Errorf("%s does not have, or not in this order:\n%s", found[1], part)
				break
			}
			rest = "\n" + after
		}
	}
	for _, file := range []string{"examples/flask/gatehouse.py", "examples/node/gatehouse.js", "examples/go/gatehouse.go"} {
		if !whole[file] {
			t.Errorf("docs/tokens.md does not show the whole of %s as it is", file)
		}
	}
}

// TestPythonServicesShareTheirVerifier: each folder can be copied by itself, and there is one file to review.
func TestPythonServicesShareTheirVerifier(t *testing.T) {
	t.Parallel()
	one, err := os.ReadFile("flask/gatehouse.py")
	must(t, err)
	other, err := os.ReadFile("fastapi/gatehouse.py")
	must(t, err)
	if !bytes.Equal(one, other) {
		t.Error("flask/gatehouse.py and fastapi/gatehouse.py differ: copy the one that is right over the other")
	}
}

// TestLockFileNamesNoRegistry: whoever installs from it uses their own.
func TestLockFileNamesNoRegistry(t *testing.T) {
	t.Parallel()
	locks, err := filepath.Glob("*/package-lock.json")
	must(t, err)
	for _, name := range locks {
		lock, err := os.ReadFile(name)
		must(t, err)
		if strings.Contains(string(lock), `"resolved"`) {
			t.Errorf("%s names addresses to download from: make it anew beside an .npmrc like node/.npmrc", name)
		}
	}
}

// TestDocumentedJSON: the configuration for Hasura goes into an environment variable, where a comma too many costs an hour.
func TestDocumentedJSON(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?ms)^```json\n(.*?\n)```$").FindAllStringSubmatch(document(t), -1)
	for _, block := range blocks {
		if !json.Valid([]byte(block[1])) {
			t.Errorf("no JSON:\n%s", block[1])
		}
	}
	if len(blocks) == 0 {
		t.Error("docs/tokens.md shows no JSON")
	}
}

// documented returns the names in the first column of the table whose first cell is heading.
func documented(t *testing.T, heading string) []string {
	t.Helper()
	_, table, found := strings.Cut(document(t), "\n| "+heading+" | |\n|---|---|\n")
	if !found {
		t.Fatalf("docs/tokens.md has no table of each %s", heading)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var names []string
	for line := range strings.Lines(table) {
		names = append(names, strings.Split(line, "`")[1])
	}
	return names
}
