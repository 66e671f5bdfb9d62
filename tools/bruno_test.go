package tools_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestBrunoCollection runs the collection as a team's pipeline does, against a running server.
func TestBrunoCollection(t *testing.T) {
	install(t, "bruno")
	bru, err := filepath.Abs(filepath.Join("bruno", "node_modules", ".bin", "bru"))
	if err != nil {
		t.Fatal(err)
	}
	server, report := start(t, build(t)), filepath.Join(t.TempDir(), "report.json")
	printed := output(t.Context(), t, filepath.Join(root, "bruno"), bru, "run", "--env", "local", "--env-var", "url="+server,
		"--reporter-json", report)
	content, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var iterations []struct {
		Summary struct{ TotalRequests, PassedRequests, TotalAssertions, PassedAssertions int }
	}
	if err := json.Unmarshal(content, &iterations); err != nil {
		t.Fatal(err)
	}
	ran, requests := iterations[0].Summary, len(collection(t))
	if ran.PassedRequests != requests || ran.PassedAssertions != ran.TotalAssertions || ran.TotalAssertions <= requests {
		t.Errorf("%d requests, of which ran %+v:\n%s", requests, ran, printed)
	}
}

// document is the GraphQL document of a request in the collection, indented by two.
var document = regexp.MustCompile(`(?s)\nbody:graphql \{\n(.*?)\n\}\n`)

// collection returns the documents of the requests in the collection, by the names of their files.
func collection(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "bruno", "[0-9]*.bru"))
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string]string{}
	for _, file := range files {
		name := filepath.Base(file)
		found := document.FindSubmatch(read(t, filepath.Join("bruno", name)))
		if found == nil {
			t.Fatalf("bruno/%s has no document", name)
		}
		documents[name] = strings.TrimPrefix(strings.ReplaceAll("\n"+string(found[1]), "\n  ", "\n"), "\n")
	}
	return documents
}

// TestBrunoCollectionHasTheOperations: the collection sends the documents of the folder operations, and all of them that one
// answer is enough for.
func TestBrunoCollectionHasTheOperations(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "operations", "*.graphql"))
	if err != nil {
		t.Fatal(err)
	}
	operations := map[string]string{}
	for _, file := range files {
		_, text, _ := strings.Cut(string(read(t, filepath.Join("operations", filepath.Base(file)))), "\n") // behind the comment
		operations[strings.TrimSpace(text)] = filepath.Base(file)
	}
	missing := map[string]bool{}
	for document, file := range operations {
		missing[file] = !strings.HasPrefix(document, "subscription")
	}
	for name, document := range collection(t) {
		if operations[document] == "" {
			t.Errorf("bruno/%s sends what is no file of operations:\n%s", name, document)
		}
		delete(missing, operations[document])
	}
	for file, wanted := range missing {
		if wanted {
			t.Errorf("bruno has no request that sends operations/%s", file)
		}
	}
}
