package introspection_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/introspection"
)

const web = `
type Query { always: Int a: A b: B i: I u: U j: J only: Only input(x: In, y: Colour): Stamp }
type Mutation { change(in: In2): A }
type Subscription { changes: B }
type A implements I & J { id: ID! i: I b: B self: A! }
type B implements I & M { id: ID! i: A c: [C!] m: Int }
type C implements K { k: K u: U }
type Only { deeper: Deeper }
type Deeper implements L & M { l: L value: Ratio m: Int }
interface I { id: ID! i: I }
interface J implements I { id: ID! i: I b: B }
interface K { k: K }
interface L { l: L }
interface M { m: Int }
union U = A | B | C
union Lost = A | B
input In { colour: Colour = RED nested: In }
input In2 { at: Stamp }
enum Colour { RED }
scalar Stamp
scalar Ratio
directive @tag(in: In2) on FIELD_DEFINITION
`

func load(t testing.TB, sdl string) *ast.Schema {
	t.Helper()
	document, err := gqlparser.LoadSchema(&ast.Source{Name: "test.graphqls", Input: sdl})
	if err != nil {
		t.Fatalf("%v\n%s", err, sdl)
	}
	return document
}

// types returns the names of the types that a schema defines, and of the built-in scalars that it uses.
func types(schema *ast.Schema) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(schema.Types)), func(name string) bool {
		return strings.HasPrefix(name, "__")
	})
}

// hiding returns the predicate by which all but the given coordinates are visible.
func hiding(coordinates ...string) func(string) bool {
	return func(at string) bool { return !slices.Contains(coordinates, at) }
}

func TestFilter(t *testing.T) {
	schema := load(t, web)
	all := types(introspection.Filter(schema, hiding()))
	for name, test := range map[string]struct {
		hidden []string
		types  []string // that are gone
		fields []string // that are gone, of types that are not
	}{
		"nothing": {},
		"a leaf":  {hidden: []string{"A.self"}, fields: []string{"A.self"}},
		"the only way to some types": {
			hidden: []string{"Query.only"}, types: []string{"Deeper", "L", "Only", "Ratio"}, fields: []string{"Query.only"},
		},
		"a root type":               {hidden: []string{"Mutation"}, types: []string{"Mutation"}},
		"all fields of a root type": {hidden: []string{"Subscription.changes"}, types: []string{"Subscription"}},
		"arguments": {
			hidden: []string{"Query.input"}, types: []string{"Colour", "In"}, fields: []string{"Query.input"},
		},
		"a type": {
			hidden: []string{"B"}, types: []string{"B", "Subscription"},
			fields: []string{"Query.b", "A.b", "J.b"},
		},
		"what an implementer lost": {hidden: []string{"A.i"}, fields: []string{"A.i", "I.i", "J.i"}},
		"an interface":             {hidden: []string{"I"}, types: []string{"I"}, fields: []string{"Query.i", "A.i", "J.i"}},
		"a union by its members": {
			hidden: []string{"A", "B", "C"}, types: []string{"A", "B", "C", "K", "Lost", "Mutation", "Subscription", "U"},
			fields: []string{"Query.a", "Query.b", "Query.u", "J.b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			left := introspection.Filter(schema, hiding(test.hidden...))
			var gone, fields []string
			for _, typ := range all {
				if left.Types[typ] == nil {
					gone = append(gone, typ)
					continue
				}
				for _, field := range schema.Types[typ].Fields {
					if left.Types[typ].Fields.ForName(field.Name) == nil {
						fields = append(fields, typ+"."+field.Name)
					}
				}
			}
			if diff := cmp.Diff(test.types, gone); diff != "" {
				t.Error(diff)
			}
			slices.Sort(test.fields)
			if diff := cmp.Diff(test.fields, fields); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever is hidden, what is left is a valid schema: its text can be loaded, says the same, and names nothing that is hidden.
func TestFilterLeavesAValidSchema(t *testing.T) {
	schema := load(t, web)
	var coordinates []string
	for _, name := range types(schema) {
		if def := schema.Types[name]; def.IsCompositeType() {
			coordinates = append(coordinates, name)
			for _, field := range def.Fields {
				coordinates = append(coordinates, name+"."+field.Name)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]bool{}
	for range 5_000 {
		var hidden []string
		share := random.Float64() / 2
		for _, at := range coordinates {
			if at != "Query.always" && random.Float64() < share {
				hidden = append(hidden, at)
			}
		}
		left := introspection.Filter(schema, hiding(hidden...))
		text := introspection.New(left).String()
		shapes[text] = true
		again := load(t, text)
		if twice := introspection.New(introspection.Filter(again, hiding())).String(); twice != text {
			t.Fatalf("got\n%s\nand then\n%s", text, twice)
		}
		for _, at := range hidden {
			typeName, fieldName, isField := strings.Cut(at, ".")
			def := again.Types[typeName]
			if def != nil && typeName != "Query" && (!isField || def.Fields.ForName(fieldName) != nil) {
				t.Fatalf("%s is hidden, and stands in\n%s", at, text)
			}
		}
		for name, possible := range left.PossibleTypes {
			for _, def := range possible {
				if left.Types[name] == nil || left.Types[def.Name] != def {
					t.Fatalf("%s can be %s, which is not there", name, def.Name)
				}
			}
		}
	}
	if len(shapes) < 100 {
		t.Errorf("only %d schemas were met", len(shapes))
	}
	if before := introspection.New(load(t, web)).String(); before != introspection.New(schema).String() {
		t.Error("the schema was changed by filtering it")
	}
}
