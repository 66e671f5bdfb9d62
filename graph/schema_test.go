package graph_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/graph"
	"gatehouse/internal/audit"
	"gatehouse/internal/operation"
	"gatehouse/internal/page"
	"gatehouse/internal/policy"
	"gatehouse/internal/role"
)

func compile(t *testing.T, sdl string) (*policy.Engine, error) {
	t.Helper()
	schema, err := operation.LoadSchema("schema.graphqls", sdl)
	must(t, err)
	registry, err := role.Default()
	must(t, err)
	return policy.Compile(schema, registry.Vocabulary(), time.Now)
}

// TestAccessLock holds access.lock to the schema, so that whoever changes a rule shows it in review.
func TestAccessLock(t *testing.T) {
	t.Parallel()
	rules, err := compile(t, readSchema(t))
	must(t, err)
	if *update {
		must(t, os.WriteFile("access.lock", rules.Lock(), 0o600))
	}
	want, err := os.ReadFile("access.lock")
	must(t, err)
	if diff := cmp.Diff(string(want), string(rules.Lock())); diff != "" {
		t.Errorf("access.lock is not what the schema says (-lock +schema); go test ./graph -update accepts it:\n%s", diff)
	}
}

// TestSchemaIsACopy holds the copy that other programs embed to the file that people edit.
func TestSchemaIsACopy(t *testing.T) {
	t.Parallel()
	if graph.Schema != readSchema(t) {
		t.Error("graph/schema.graphqls is not the schema.graphqls at the root: make update copies it")
	}
}

// TestSchemaDescribesEverything holds the schema to its promise that nothing in it needs guessing.
func TestSchemaDescribesEverything(t *testing.T) {
	t.Parallel()
	schema, err := operation.LoadSchema("schema.graphqls", readSchema(t))
	must(t, err)
	described := func(description string, at ...string) {
		if !strings.HasSuffix(strings.TrimSpace(description), ".") {
			t.Errorf("%s: the description %q is no sentence", strings.Join(at, "."), description)
		}
	}
	for name, definition := range schema.Types {
		if definition.BuiltIn {
			continue
		}
		described(definition.Description, name)
		for _, field := range definition.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			described(field.Description, name, field.Name)
			for _, argument := range field.Arguments {
				described(argument.Description, name, field.Name, argument.Name)
			}
		}
		for _, value := range definition.EnumValues {
			described(value.Description, name, value.Name)
		}
		if definition.Kind == "SCALAR" && definition.Directives.ForName("specifiedBy") == nil {
			t.Errorf("scalar %s: no @specifiedBy", name)
		}
	}
	for name, directive := range schema.Directives {
		if directive.Position.Src.BuiltIn {
			continue
		}
		described(directive.Description, "@"+name)
		for _, argument := range directive.Arguments {
			described(argument.Description, "@"+name, argument.Name)
		}
	}
}

// TestSchemaHidesSecrets: a struct's fields resolve by their names, so what is not in the schema is what keeps a hash inside.
func TestSchemaHidesSecrets(t *testing.T) {
	t.Parallel()
	schema, err := operation.LoadSchema("schema.graphqls", readSchema(t))
	must(t, err)
	for name, definition := range schema.Types {
		if definition.Kind == "INPUT_OBJECT" || definition == schema.Mutation {
			continue
		}
		for _, field := range definition.Fields {
			for _, secret := range []string{"password", "hash", "key", "secret"} {
				if strings.Contains(strings.ToLower(field.Name), secret) {
					t.Errorf("%s.%s can be selected", name, field.Name)
				}
			}
		}
	}
}

// TestSchemaDefaults holds what the schema says of page sizes, wherever it does, to what package page does.
func TestSchemaDefaults(t *testing.T) {
	t.Parallel()
	schema, err := operation.LoadSchema("schema.graphqls", readSchema(t))
	must(t, err)
	connections := 0
	for name, definition := range schema.Types {
		for _, field := range definition.Fields {
			first := field.Arguments.ForName("first")
			if first == nil {
				continue
			}
			connections++
			if got := first.DefaultValue.Raw; got != strconv.Itoa(page.DefaultSize) {
				t.Errorf("%s.%s(first:) is %s by default, package page says %d", name, field.Name, got, page.DefaultSize)
			}
			if !strings.Contains(first.Description, "1 to "+strconv.Itoa(page.MaxSize)) {
				t.Errorf("%s.%s(first:) is described as %q, package page says at most %d",
					name, field.Name, first.Description, page.MaxSize)
			}
		}
	}
	if connections == 0 {
		t.Error("the schema has no connections")
	}
}

// TestAuditEvents holds the enum AuditEvent to the events of package audit, in their order.
func TestAuditEvents(t *testing.T) {
	t.Parallel()
	schema, err := operation.LoadSchema("schema.graphqls", readSchema(t))
	must(t, err)
	var inSchema []audit.Event
	for _, value := range schema.Types["AuditEvent"].EnumValues {
		inSchema = append(inSchema, audit.Event(value.Name))
	}
	if diff := cmp.Diff(audit.Events(), inSchema); diff != "" {
		t.Errorf("AuditEvent is not what package audit has (-audit +schema):\n%s", diff)
	}
}

// TestErrorCodes holds the enum ErrorCode to the user errors of package fault, and every code and reason there is to some
// conversation that reaches it.
func TestErrorCodes(t *testing.T) {
	t.Parallel()
	top, user, reasons := declared(t)
	schema, err := operation.LoadSchema("schema.graphqls", readSchema(t))
	must(t, err)
	var inSchema []string
	for _, value := range schema.Types["ErrorCode"].EnumValues {
		inSchema = append(inSchema, value.Name)
	}
	if diff := cmp.Diff(user, inSchema); diff != "" {
		t.Errorf("ErrorCode is not what package fault has (-fault +schema):\n%s", diff)
	}

	files, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	must(t, err)
	stricter, err := filepath.Glob(filepath.Join("testdata", "*", "*.txtar"))
	must(t, err)
	var responses []byte
	for _, file := range slices.Concat(files, stricter) {
		text, err := os.ReadFile(file)
		must(t, err)
		responses = append(responses, text...)
	}
	for member, names := range map[string][]string{"code": append(top, user...), "reason": reasons} {
		for _, name := range names {
			if !bytes.Contains(responses, []byte(`"`+member+`": "`+name+`"`)) {
				t.Errorf("no conversation reaches %s %s", member, name)
			}
		}
	}
}

// declared returns the values of the constants of package fault: the codes of top-level errors, those of user errors, and the
// reasons. It reads the source, so that nobody can add one and forget to list it.
func declared(t *testing.T) (top, user, reasons []string) {
	t.Helper()
	source := filepath.Join("..", "internal", "fault", "fault.go")
	file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments)
	must(t, err)
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			constant, ok := spec.(*ast.ValueSpec)
			if !ok || constant.Type == nil {
				continue
			}
			literal, ok := constant.Values[0].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s is no literal", constant.Names[0])
			}
			value, err := strconv.Unquote(literal.Value)
			must(t, err)
			switch kind, _ := constant.Type.(*ast.Ident); {
			case kind.Name == "Reason":
				reasons = append(reasons, value)
			case strings.Contains(group.Doc.Text(), "user errors"):
				user = append(user, value)
			default:
				top = append(top, value)
			}
		}
	}
	if len(top) == 0 || len(user) == 0 || len(reasons) == 0 {
		t.Fatalf("found %d codes of top-level errors, %d of user errors and %d reasons", len(top), len(user), len(reasons))
	}
	return top, user, reasons
}
