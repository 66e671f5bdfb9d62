package main

import (
	"os"
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
