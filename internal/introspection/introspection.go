// Package introspection owns what a schema tells about itself: the schema as one kind of viewer may see it, its answers to
// __schema and __type, and its text in the schema definition language.
//
// It must never know who asks, nor why a coordinate is hidden: it is told which ones are visible. It answers from the schema that
// it is given alone, so that what was cut out of that schema cannot show.
package introspection

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Schema is a schema that is ready to be asked about itself. It is immutable and safe for concurrent use.
type Schema struct {
	schema     *ast.Schema
	types      []*ast.Definition          // in the order of the text they were read from, the built-in ones last
	directives []*ast.DirectiveDefinition // likewise
}

// New returns the schema, ready to be asked. It must have been completed by [Complete] when it was loaded.
func New(schema *ast.Schema) *Schema {
	s := &Schema{
		schema:     schema,
		types:      slices.Collect(maps.Values(schema.Types)),
		directives: slices.Collect(maps.Values(schema.Directives)),
	}
	slices.SortFunc(s.types, func(a, b *ast.Definition) int {
		return cmp.Or(asWritten(a.Position, b.Position), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(s.directives, func(a, b *ast.DirectiveDefinition) int {
		return cmp.Or(asWritten(a.Position, b.Position), cmp.Compare(a.Name, b.Name))
	})
	return s
}

// asWritten compares the places of two definitions.
func asWritten(a, b *ast.Position) int {
	if a == nil || b == nil || a.Src == nil || b.Src == nil {
		return 0
	}
	if a.Src.BuiltIn != b.Src.BuiltIn {
		if a.Src.BuiltIn {
			return 1
		}
		return -1
	}
	return cmp.Or(strings.Compare(a.Src.Name, b.Src.Name), cmp.Compare(a.Start, b.Start))
}

// Field is one field that is selected on an object of introspection: fragments are unfolded, fields of one response name merged,
// and what @skip and @include take away is gone.
type Field struct {
	Key       string         // response name
	Name      string         // of the field in the schema
	Arguments map[string]any // coerced, defaults filled in
	Fields    []Field        // selected on what it returns
}

// Is reports whether a field of the query type is one that this package answers.
func Is(name string) bool { return name == "__schema" || name == "__type" }

// ErrTooLarge is what Answer fails with when the answer would be larger than it may be.
var ErrTooLarge = errors.New("introspection: the answer is too large")

// Answer returns the value of f, for which [Is] holds, as JSON of at most limit bytes. Time and memory are in proportion to
// these.
func (s *Schema) Answer(f Field, limit int) ([]byte, error) {
	w := &writer{Schema: s, limit: limit}
	if f.Name == "__schema" {
		w.about(f.Fields)
	} else {
		name, _ := f.Arguments["name"].(string)
		w.definition(s.schema.Types[name], f.Fields)
	}
	if w.full() {
		return nil, ErrTooLarge
	}
	return w.out, nil
}

// Complete adds to the introspection types of a schema that was parsed, but is not validated yet, what gqlparser's lack of
// graphql-js 16: directives that are deprecated.
func Complete(document *ast.SchemaDocument) {
	for _, def := range document.Definitions {
		switch def.Name {
		case "__Schema":
			if directives := def.Fields.ForName("directives"); directives != nil && directives.Arguments == nil {
				directives.Arguments = ast.ArgumentDefinitionList{{
					Name:         "includeDeprecated",
					Type:         ast.NonNullNamedType("Boolean", def.Position),
					DefaultValue: &ast.Value{Kind: ast.BooleanValue, Raw: "false", Position: def.Position},
					Position:     def.Position,
				}}
			}
		case "__Directive":
			if def.Fields.ForName("isDeprecated") == nil {
				def.Fields = append(
					def.Fields,
					&ast.FieldDefinition{
						Name: "isDeprecated", Type: ast.NonNullNamedType("Boolean", def.Position), Position: def.Position,
					},
					&ast.FieldDefinition{
						Name: "deprecationReason", Type: ast.NamedType("String", def.Position), Position: def.Position,
					},
				)
			}
		}
	}
}

// internal reports whether a name is reserved for introspection.
func internal(name string) bool { return strings.HasPrefix(name, "__") }
