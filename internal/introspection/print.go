package introspection

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
)

// String returns the schema in the schema definition language: descriptions and directives as they were written, in the order
// in which they were, without comments and what is built in.
func (s *Schema) String() string {
	var parts []string
	format := func(write func(formatter.Formatter)) {
		var out strings.Builder
		write(formatter.NewFormatter(&out, formatter.WithIndent("  ")))
		if text := strings.TrimSpace(out.String()); text != "" {
			parts = append(parts, text)
		}
	}
	if root := s.root(); root != nil {
		format(func(f formatter.Formatter) {
			f.FormatSchemaDocument(&ast.SchemaDocument{Schema: ast.SchemaDefinitionList{root}})
		})
	}
	for _, def := range s.types {
		format(func(f formatter.Formatter) {
			f.FormatSchemaDocument(&ast.SchemaDocument{Definitions: ast.DefinitionList{def}})
		})
	}
	for _, d := range s.directives {
		format(func(f formatter.Formatter) {
			f.FormatSchemaDocument(&ast.SchemaDocument{Directives: ast.DirectiveDefinitionList{d}})
		})
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// root returns the schema's own definition; nil where all of it goes without saying.
func (s *Schema) root() *ast.SchemaDefinition {
	def := &ast.SchemaDefinition{Description: s.schema.Description, Directives: s.schema.SchemaDirectives}
	said := def.Description != "" || len(def.Directives) > 0
	for _, root := range []struct {
		operation ast.Operation
		usually   string
		typ       *ast.Definition
	}{
		{ast.Query, "Query", s.schema.Query},
		{ast.Mutation, "Mutation", s.schema.Mutation},
		{ast.Subscription, "Subscription", s.schema.Subscription},
	} {
		switch {
		case root.typ != nil:
			said = said || root.typ.Name != root.usually
			def.OperationTypes = append(def.OperationTypes, &ast.OperationTypeDefinition{
				Operation: root.operation, Type: root.typ.Name,
			})
		case s.schema.Types[root.usually] != nil:
			said = true // the type has the name of a root, and is none
		}
	}
	if !said {
		return nil
	}
	return def
}

// literal returns a value as the specification's own documents write it.
func literal(value *ast.Value) string {
	if value.Kind != ast.ListValue && value.Kind != ast.ObjectValue {
		return value.String()
	}
	parts := make([]string, len(value.Children))
	for i, child := range value.Children {
		parts[i] = literal(child.Value)
		if value.Kind == ast.ObjectValue {
			parts[i] = child.Name + ": " + parts[i]
		}
	}
	if value.Kind == ast.ListValue {
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
