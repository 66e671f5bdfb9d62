package operation_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"pgregory.net/rapid"

	"gatehouse/internal/auth"
	"gatehouse/internal/id"
	"gatehouse/internal/operation"
)

// The ids in documents and variables: the caller's own and somebody else's.
const mine, theirs = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c073980"

// ownable is a schema of owners at the end of every kind of path.
const ownable = `
directive @auth(owner: String, orScopes: [[String!]!]) repeatable on OBJECT | INTERFACE | FIELD_DEFINITION
interface Doors {
  byInterface(id: ID = "` + mine + `", input: In): String
}
type Query implements Doors {
  byInterface(id: ID = "` + mine + `", input: In): String @auth(owner: "args.id", orScopes: [["all"]])
  plain(id: ID): String @auth(owner: "args.id", orScopes: [["all"]])
  required(id: ID!): String @auth(owner: "args.id", orScopes: [["all"]])
  byDefault(id: ID = "` + mine + `"): String @auth(owner: "args.id", orScopes: [["all"]])
  requiredByDefault(id: ID! = "` + mine + `"): String @auth(owner: "args.id", orScopes: [["all"]])
  text(id: String = "` + theirs + `"): String @auth(owner: "args.id", orScopes: [["all"]])
  input(input: In): String @auth(owner: "args.input.id", orScopes: [["all"]])
  inputByDefault(input: In = {id: "` + mine + `"}): String @auth(owner: "args.input.id", orScopes: [["all"]])
  emptyByDefault(input: In! = {}): String @auth(owner: "args.input.by.id", orScopes: [["all"]])
  deep(input: In!): String @auth(owner: "args.input.by.by.id", orScopes: [["all"]])
  strict(input: Strict = {}): String @auth(owner: "args.input.id", orScopes: [["all"]])
  strictBy(input: Strict): String @auth(owner: "args.input.by.id", orScopes: [["all"]])
}
input In { id: ID by: By ids: [ID!] }
input By { id: ID = "` + mine + `" by: By = {by: null} }
input Strict { id: ID! = "` + mine + `" by: By! = {id: "` + theirs + `"} }
`

// variable is one that a generated document may use.
type variable struct{ name, typ, byDefault string }

func ownableVariables() []variable {
	return []variable{
		{"i", "ID", ""},
		{"j", "ID", `"` + mine + `"`},
		{"n", "ID!", ""},
		{"m", "ID!", `"` + mine + `"`},
		{"o", "ID!", `"` + theirs + `"`},
		{"s", "String", `"` + mine + `"`},
		{"in", "In", ""},
		{"jn", "In", `{by: {by: {}}}`},
		{"kn", "In!", `{id: "` + mine + `"}`},
		{"by", "By", ""},
		{"mby", "By!", "{}"},
		{"strict", "Strict", ""},
		{"mstrict", "Strict!", "{by: {}}"},
	}
}

// genOwned draws values for ownable: literals, and JSON for its variables.
type genOwned struct{ t *rapid.T }

func (g genOwned) pick(from ...string) string { return rapid.SampledFrom(from).Draw(g.t, "value") }

func (g genOwned) maybe() bool { return rapid.Bool().Draw(g.t, "given") }

func (g genOwned) literal(kind string) string {
	values := []string{"null"}
	for _, v := range ownableVariables() {
		if strings.TrimSuffix(v.typ, "!") == kind {
			values = append(values, "$"+v.name)
		}
	}
	if kind == "ID" || kind == "String" {
		return g.pick(append(values, `"`+mine+`"`, `"`+mine+`"`, `"""`+mine+`"""`, `"`+theirs+`"`, "7")...)
	}
	if how := g.pick(append(values, "{}", "fields", "fields", "fields", "fields")...); how != "fields" {
		return how
	}
	var parts []string
	for _, field := range [][2]string{{"by", "By"}, {"id", "ID"}} {
		if g.maybe() {
			parts = append(parts, field[0]+": "+g.literal(field[1]))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (g genOwned) json(kind string) any {
	if kind == "ID" || kind == "String" {
		return rapid.SampledFrom([]any{mine, mine, theirs, nil, strings.ToUpper(mine), ""}).Draw(g.t, "JSON")
	}
	if g.pick("null", "object", "object", "object") == "null" {
		return nil
	}
	object := map[string]any{}
	for _, field := range [][2]string{{"by", "By"}, {"id", "ID"}} {
		if g.maybe() {
			object[field[0]] = g.json(field[1])
		}
	}
	return object
}

// request draws an operation on one field, and says which argument of it has to be whose, by its path.
func (g genOwned) request(schema *ast.Schema) (operation.Request, *ast.FieldDefinition, []string) {
	var own []*ast.FieldDefinition
	for _, field := range schema.Query.Fields {
		if field.Directives.ForName("auth") != nil {
			own = append(own, field)
		}
	}
	field := rapid.SampledFrom(own).Draw(g.t, "field")
	path := strings.Split(field.Directives.ForName("auth").Arguments.ForName("owner").Value.Raw, ".")[1:]
	selection := field.Name
	if argument := field.Arguments.ForName(path[0]); g.pick("given", "given", "left out") == "given" {
		selection += "(" + path[0] + ": " + g.literal(argument.Type.Name()) + ")"
	}
	if field.Name == "byInterface" {
		selection = "... on Doors { " + selection + " }"
		field = schema.Types["Doors"].Fields.ForName(field.Name)
	}
	var head []string
	sent := map[string]any{}
	for _, v := range ownableVariables() {
		if !regexp.MustCompile(`\$` + v.name + `\b`).MatchString(selection) {
			continue
		}
		definition := "$" + v.name + ": " + v.typ
		if v.byDefault != "" {
			definition += " = " + v.byDefault
		}
		head = append(head, definition)
		if g.maybe() {
			sent[v.name] = g.json(strings.TrimSuffix(v.typ, "!"))
		}
	}
	query := "query "
	if len(head) > 0 {
		query += "(" + strings.Join(head, ", ") + ") "
	}
	return operation.Request{Query: query + "{ " + selection + " }", Variables: sent}, field, path
}

// given returns what the engine is given at the end of path: the value of the variable that stands for the argument, or else
// the default of the argument on the type that the field is selected on, with the defaults of the fields that it leaves out.
func given(t *rapid.T, schema *ast.Schema, call operation.Request, field *ast.FieldDefinition, path []string) any {
	document, err := parser.ParseQuery(&ast.Source{Input: call.Query})
	if err != nil {
		t.Fatal(err)
	}
	set := document.Operations[0].SelectionSet
	if fragment, ok := set[0].(*ast.InlineFragment); ok {
		set = fragment.SelectionSet
	}
	if selected, ok := set[0].(*ast.Field); ok && selected.Arguments.ForName(path[0]) != nil {
		value := call.Variables[selected.Arguments.ForName(path[0]).Value.Raw]
		for _, name := range path[1:] {
			object, _ := value.(map[string]any)
			value = object[name]
		}
		return value
	}
	argument := field.Arguments.ForName(path[0])
	value, in := argument.DefaultValue, argument.Type
	for _, name := range path[1:] {
		if value == nil || value.Kind != ast.ObjectValue {
			return nil
		}
		next := schema.Types[in.Name()].Fields.ForName(name)
		if value, in = value.Children.ForName(name), next.Type; value == nil {
			value = next.DefaultValue
		}
	}
	if value == nil || value.Kind == ast.NullValue {
		return nil
	}
	return value.Raw
}

// TestWhatPolicyDecidesIsWhatRuns: an owner rule passes exactly when the argument that the engine is given is the caller's own
// id, wherever it comes from: literals, variables, and the defaults of arguments, of variables and of input fields.
func TestWhatPolicyDecidesIsWhatRuns(t *testing.T) {
	h := newHouseOf(t, ownable, []string{"all"})
	schema, err := operation.LoadSchema("ownable.graphqls", ownable)
	if err != nil {
		t.Fatal(err)
	}
	account, err := id.Parse(mine)
	if err != nil {
		t.Fatal(err)
	}
	owner := auth.NewContext(t.Context(), &auth.Caller{AccountID: account})
	anybody := auth.NewContext(t.Context(), &auth.Caller{Scopes: h.scopes.Set("all")})
	var passed, denied int
	rapid.Check(t, func(t *rapid.T) {
		req, field, path := genOwned{t}.request(schema)
		h.engine.calls = nil
		if r := h.Execute(anybody, req); r.Stage == operation.Refused {
			return // a value that does not fit
		}
		value := given(t, schema, h.engine.calls[0], field, path)
		stage, want := h.Execute(owner, req).Stage, operation.Denied
		if value == mine {
			want = operation.Executed
			passed++
		} else {
			denied++
		}
		if stage != want {
			t.Errorf("%s %v: %v, where the engine is given %v by %s", req.Query, req.Variables, stage, value, h.engine.calls[0].Query)
		}
	})
	if !t.Failed() && (passed < 10 || denied < 10) {
		t.Errorf("%d passed, %d denied", passed, denied)
	}
}
