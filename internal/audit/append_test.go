package audit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/audit"
)

// change is a statement that changes a row, in SQL or as Bun spells it.
var change = regexp.MustCompile(`\b(NewUpdate|NewMerge|NewTruncateTable|UPDATE|CONFLICT|REPLACE|MERGE|TRUNCATE)\b`)

// TestAppendOnly looks for a way to change an entry: in what the package offers, in its statements, and in any other's.
func TestAppendOnly(t *testing.T) {
	t.Parallel()
	var methods []string
	for method := range reflect.TypeFor[*audit.Log]().Methods() {
		methods = append(methods, method.Name)
	}
	slices.Sort(methods)
	if want := []string{"List", "Prune", "Record"}; !slices.Equal(methods, want) {
		t.Errorf("a log can %v, want %v", methods, want)
	}
	var own int
	for _, pattern := range []string{"*.go", "*/*.go", "*/*/*.go", "*/*/*/*.go", "*/*/*/*.up.sql"} {
		files, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case filepath.Base(filepath.Dir(file)) == "audit":
				own++
				if found := change.Find(source); found != nil {
					t.Errorf("%s: %s", file, found)
				}
			case strings.Contains(string(source), "audit_entries") && !strings.HasSuffix(file, "0007_audit.up.sql"):
				t.Errorf("%s reaches for the table itself", file)
			}
		}
	}
	if own == 0 {
		t.Error("looked at nothing")
	}
}

func TestEventsListsThemAll(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []audit.Event
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for _, value := range spec.Values {
			literal, ok := value.(*ast.BasicLit)
			if !ok {
				t.Fatalf("%T is no literal", value)
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, audit.Event(text))
		}
		return true
	})
	if !slices.Equal(audit.Events(), declared) {
		t.Errorf("Events returns %v,\ndeclared are   %v", audit.Events(), declared)
	}
}
