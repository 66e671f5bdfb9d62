package operation

import (
	"fmt"
	"maps"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"gatehouse/internal/introspection"
)

// LoadSchema parses and validates a schema in the schema definition language. name is the file it came from; the error says
// where in it the mistake is.
func LoadSchema(name, sdl string) (*ast.Schema, error) {
	return LoadSchemas(&ast.Source{Name: name, Input: sdl})
}

// LoadSchemas is [LoadSchema] for a schema in several files, at least one.
func LoadSchemas(files ...*ast.Source) (*ast.Schema, error) {
	document, err := parser.ParseSchemas(append([]*ast.Source{validator.Prelude}, files...)...)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	// The prelude declares @defer, which is no part of GraphQL yet and which nothing here would honour.
	declared := document.Directives[:0]
	for _, directive := range document.Directives {
		if directive.Name != "defer" || !directive.Position.Src.BuiltIn {
			declared = append(declared, directive)
		}
	}
	document.Directives = declared
	introspection.Complete(document)
	schema, err := validator.ValidateSchemaDocument(document)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if schema.Query == nil {
		return nil, fmt.Errorf("schema: %s defines no query type", files[0].Name)
	}
	if err := checkDirectives(schema); err != nil {
		return nil, err
	}
	return schema, nil
}

// checkDirectives refuses directives for documents other than @skip and @include: a client could write them, and nothing
// would heed them.
func checkDirectives(schema *ast.Schema) error {
	inDocuments := []ast.DirectiveLocation{
		ast.LocationQuery, ast.LocationMutation, ast.LocationSubscription, ast.LocationField, ast.LocationFragmentDefinition,
		ast.LocationFragmentSpread, ast.LocationInlineFragment, ast.LocationVariableDefinition,
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Directives)) {
		for _, location := range schema.Directives[name].Locations {
			if name != "skip" && name != "include" && slices.Contains(inDocuments, location) {
				return fmt.Errorf("schema: @%s is declared on %s, where nothing heeds it", name, location)
			}
		}
	}
	return nil
}
