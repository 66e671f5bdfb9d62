package graph_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"golang.org/x/tools/txtar"
)

// operations is the folder of the operations that documents, examples and tests share.
var operations = filepath.Join("..", "operations")

func operationNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(operations, "*.graphql"))
	must(t, err)
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(filepath.Base(file), ".graphql")
	}
	return names
}

func readOperation(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(operations, name+".graphql"))
	must(t, err)
	return string(text)
}

// parseOperation returns the one operation of a document. That it fits the schema, the server says that trusts it.
func parseOperation(t *testing.T, text string) *ast.OperationDefinition {
	t.Helper()
	document, err := parser.ParseQuery(&ast.Source{Input: text})
	must(t, err)
	if len(document.Operations) != 1 || len(document.Fragments) > 0 {
		t.Fatalf("it is not one operation:\n%s", text)
	}
	return document.Operations[0]
}

// TestOperationsAreUsed: an operation has the name of its file, and a conversation has it run. A subscription has no answer that
// a conversation could show.
func TestOperationsAreUsed(t *testing.T) {
	t.Parallel()
	conversation, err := txtar.ParseFile(filepath.Join("testdata", "trusted", "operations.txtar"))
	must(t, err)
	used := map[string]bool{}
	for _, file := range conversation.Files {
		if strings.HasSuffix(file.Name, ".operation") {
			used[strings.TrimSpace(string(file.Data))] = true
		}
	}
	for _, name := range operationNames(t) {
		operation := parseOperation(t, readOperation(t, name))
		if operation.Name != name {
			t.Errorf("operations/%s.graphql has the operation %q", name, operation.Name)
		}
		if !used[name] && operation.Operation != ast.Subscription {
			t.Errorf("operations/%s.graphql: no step of testdata/trusted/operations.txtar sends it", name)
		}
	}
}

// TestEveryFieldHasAnOperation: whoever looks for how to use a field of the root finds a file that does.
func TestEveryFieldHasAnOperation(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, name := range operationNames(t) {
		shown[rootField(t, parseOperation(t, readOperation(t, name)))] = true
	}
	schema, _ := plan(t).Compile(t, nil)
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		for _, field := range root.Fields {
			if !strings.HasPrefix(field.Name, "__") && !shown[field.Name] {
				t.Errorf("no file in operations asks for %s.%s", root.Name, field.Name)
			}
		}
	}
}

func rootField(t *testing.T, operation *ast.OperationDefinition) string {
	t.Helper()
	field, ok := operation.SelectionSet[0].(*ast.Field)
	if !ok || len(operation.SelectionSet) != 1 {
		t.Fatalf("%s asks for more than one field", operation.Name)
	}
	return field.Name
}

// inBody finds the documents in the JSON bodies that the README sends.
var inBody = regexp.MustCompile(`"query": ("(?:[^"\\]|\\.)*")`)

// TestReadmeAgreesWithOperations: the README's shorter documents ask for nothing that the file for the same field does not.
func TestReadmeAgreesWithOperations(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	must(t, err)
	found := inBody.FindAllSubmatch(readme, -1)
	if len(found) == 0 {
		t.Fatal("README.md sends no documents")
	}
	for _, match := range found {
		var text string
		must(t, json.Unmarshal(match[1], &text))
		short := parseOperation(t, text)
		if !slices.ContainsFunc(operationNames(t), func(name string) bool {
			whole := parseOperation(t, readOperation(t, name))
			return whole.Operation == short.Operation && covers(whole.SelectionSet, short.SelectionSet)
		}) {
			t.Errorf("no file in operations asks for all of this:\n%s", text)
		}
	}
}

// covers reports whether whole has every field of part.
func covers(whole, part ast.SelectionSet) bool {
	return !slices.ContainsFunc(part, func(wanted ast.Selection) bool {
		field, ok := wanted.(*ast.Field)
		return !ok || !slices.ContainsFunc(whole, func(selection ast.Selection) bool {
			has, ok := selection.(*ast.Field)
			return ok && has.Name == field.Name && covers(has.SelectionSet, field.SelectionSet)
		})
	})
}
