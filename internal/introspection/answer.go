package introspection

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/ast"
)

// writer writes an answer. It writes nothing for a selection that is empty, so that its work is in proportion to what it writes.
type writer struct {
	*Schema
	out   []byte
	limit int
}

// full reports whether the answer is larger than it may be: there is no use in writing on.
func (w *writer) full() bool { return len(w.out) > w.limit }

// object writes an object of the introspection type typeName; value writes the value of each of its fields.
func (w *writer) object(typeName string, fields []Field, value func(Field)) {
	w.out = append(w.out, '{')
	for i := range fields {
		if w.full() {
			return
		}
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.name(fields[i].Key)
		w.out = append(w.out, ':')
		if fields[i].Name == "__typename" {
			w.name(typeName)
			continue
		}
		value(fields[i])
	}
	w.out = append(w.out, '}')
}

// list writes a list; value writes each of its elements.
func list[T any](w *writer, elements []T, value func(T)) {
	w.out = append(w.out, '[')
	for i, element := range elements {
		if w.full() {
			return
		}
		if i > 0 {
			w.out = append(w.out, ',')
		}
		value(element)
	}
	w.out = append(w.out, ']')
}

// listUnless writes a list without the elements that are deprecated, if f does not ask for them.
func listUnless[T any](w *writer, f Field, elements []T, directives func(T) ast.DirectiveList, value func(T)) {
	if include, _ := f.Arguments["includeDeprecated"].(bool); !include {
		current := make([]T, 0, len(elements))
		for _, element := range elements {
			if deprecation(directives(element)) == nil {
				current = append(current, element)
			}
		}
		elements = current
	}
	list(w, elements, value)
}

// name writes what has no character that JSON would escape: GraphQL's names.
func (w *writer) name(text string) {
	w.out = append(w.out, '"')
	w.out = append(w.out, text...)
	w.out = append(w.out, '"')
}

func (w *writer) text(text string) {
	w.out, _ = jsontext.AppendQuote(w.out, strings.ToValidUTF8(text, "\uFFFD")) // it fails on malformed text alone
}

// textOrNull writes null for the empty text: gqlparser does not tell an empty description from none.
func (w *writer) textOrNull(text string) {
	if text == "" {
		w.null()
		return
	}
	w.text(text)
}

func (w *writer) truth(value bool) {
	if value {
		w.out = append(w.out, "true"...)
	} else {
		w.out = append(w.out, "false"...)
	}
}

func (w *writer) null() { w.out = append(w.out, "null"...) }

// about writes a __Schema.
func (w *writer) about(fields []Field) {
	w.object("__Schema", fields, func(f Field) {
		switch f.Name {
		case "description":
			w.textOrNull(w.schema.Description)
		case "types":
			list(w, w.types, func(def *ast.Definition) { w.definition(def, f.Fields) })
		case "queryType":
			w.definition(w.schema.Query, f.Fields)
		case "mutationType":
			w.definition(w.schema.Mutation, f.Fields)
		case "subscriptionType":
			w.definition(w.schema.Subscription, f.Fields)
		case "directives":
			listUnless(w, f, w.directives, func(d *ast.DirectiveDefinition) ast.DirectiveList { return d.Directives },
				func(d *ast.DirectiveDefinition) { w.directive(d, f.Fields) })
		default:
			w.null()
		}
	})
}

// definition writes a __Type that has a name, or null for none.
func (w *writer) definition(def *ast.Definition, fields []Field) {
	if def == nil {
		w.null()
		return
	}
	w.object("__Type", fields, func(f Field) {
		switch f.Name {
		case "kind":
			w.name(string(def.Kind))
		case "name":
			w.name(def.Name)
		case "description":
			w.textOrNull(def.Description)
		case "specifiedByURL":
			w.textOrNull(argument(def.Directives.ForName("specifiedBy"), "url"))
		case "isOneOf":
			if def.Kind != ast.InputObject {
				w.null()
				return
			}
			w.truth(def.Directives.ForName("oneOf") != nil)
		default:
			w.parts(def, f)
		}
	})
}

// parts writes what a type is made of: null where its kind has none of that.
func (w *writer) parts(def *ast.Definition, f Field) {
	hasFields := def.Kind == ast.Object || def.Kind == ast.Interface
	ofField := func(field *ast.FieldDefinition) ast.DirectiveList { return field.Directives }
	switch {
	case f.Name == "fields" && hasFields:
		public := slices.DeleteFunc(slices.Clone(def.Fields), func(field *ast.FieldDefinition) bool {
			return internal(field.Name)
		})
		listUnless(w, f, public, ofField, func(field *ast.FieldDefinition) { w.field(field, f.Fields) })
	case f.Name == "inputFields" && def.Kind == ast.InputObject:
		listUnless(w, f, def.Fields, ofField, func(field *ast.FieldDefinition) {
			w.input(input{
				field.Name, field.Description, field.Type, field.DefaultValue, field.Directives,
			}, f.Fields)
		})
	case f.Name == "interfaces" && hasFields:
		list(w, def.Interfaces, func(name string) { w.definition(w.schema.Types[name], f.Fields) })
	case f.Name == "possibleTypes" && def.IsAbstractType():
		list(w, w.possible(def), func(object *ast.Definition) { w.definition(object, f.Fields) })
	case f.Name == "enumValues" && def.Kind == ast.Enum:
		listUnless(w, f, def.EnumValues, func(value *ast.EnumValueDefinition) ast.DirectiveList { return value.Directives },
			func(value *ast.EnumValueDefinition) { w.enumValue(value, f.Fields) })
	default:
		w.null()
	}
}

// possible returns the objects that def can be, in the order of the text. gqlparser counts interfaces among them.
func (w *writer) possible(def *ast.Definition) []*ast.Definition {
	return slices.DeleteFunc(slices.Clone(w.schema.PossibleTypes[def.Name]), func(possible *ast.Definition) bool {
		return possible.Kind != ast.Object
	})
}

// reference writes the __Type that t is. inner says that its NonNull is written already.
func (w *writer) reference(t *ast.Type, inner bool, fields []Field) {
	switch {
	case t.NonNull && !inner:
		w.wrapper("NON_NULL", fields, func(of []Field) { w.reference(t, true, of) })
	case t.Elem != nil:
		w.wrapper("LIST", fields, func(of []Field) { w.reference(t.Elem, false, of) })
	default:
		w.definition(w.schema.Types[t.NamedType], fields)
	}
}

// wrapper writes a __Type that has no name but another type inside.
func (w *writer) wrapper(kind string, fields []Field, of func([]Field)) {
	w.object("__Type", fields, func(f Field) {
		switch f.Name {
		case "kind":
			w.name(kind)
		case "ofType":
			of(f.Fields)
		default:
			w.null()
		}
	})
}

// field writes a __Field.
func (w *writer) field(def *ast.FieldDefinition, fields []Field) {
	w.object("__Field", fields, func(f Field) {
		switch f.Name {
		case "args":
			w.arguments(def.Arguments, f)
		case "type":
			w.reference(def.Type, false, f.Fields)
		default:
			w.described(def.Name, def.Description, def.Directives, f)
		}
	})
}

// input is an argument or the field of an input object.
type input struct {
	name        string
	description string
	typ         *ast.Type
	fallback    *ast.Value
	directives  ast.DirectiveList
}

func (w *writer) arguments(definitions ast.ArgumentDefinitionList, f Field) {
	listUnless(w, f, definitions, func(a *ast.ArgumentDefinition) ast.DirectiveList { return a.Directives },
		func(a *ast.ArgumentDefinition) {
			w.input(input{a.Name, a.Description, a.Type, a.DefaultValue, a.Directives}, f.Fields)
		})
}

// input writes an __InputValue.
func (w *writer) input(in input, fields []Field) {
	w.object("__InputValue", fields, func(f Field) {
		switch f.Name {
		case "type":
			w.reference(in.typ, false, f.Fields)
		case "defaultValue":
			if in.fallback == nil {
				w.null()
				return
			}
			w.text(literal(in.fallback))
		default:
			w.described(in.name, in.description, in.directives, f)
		}
	})
}

// enumValue writes an __EnumValue.
func (w *writer) enumValue(value *ast.EnumValueDefinition, fields []Field) {
	w.object("__EnumValue", fields, func(f Field) { w.described(value.Name, value.Description, value.Directives, f) })
}

// directive writes a __Directive.
func (w *writer) directive(d *ast.DirectiveDefinition, fields []Field) {
	w.object("__Directive", fields, func(f Field) {
		switch f.Name {
		case "isRepeatable":
			w.truth(d.IsRepeatable)
		case "locations":
			list(w, d.Locations, func(location ast.DirectiveLocation) { w.name(string(location)) })
		case "args":
			w.arguments(d.Arguments, f)
		default:
			w.described(d.Name, d.Description, d.Directives, f)
		}
	})
}

// described writes what everything has that has a name within another.
func (w *writer) described(name, description string, directives ast.DirectiveList, f Field) {
	switch f.Name {
	case "name":
		w.name(name)
	case "description":
		w.textOrNull(description)
	case "isDeprecated":
		w.truth(deprecation(directives) != nil)
	case "deprecationReason":
		reason := deprecation(directives)
		if reason == nil {
			w.null()
			return
		}
		w.text(*reason)
	default:
		w.null()
	}
}

// deprecation returns why something is deprecated, nil where it is not.
func deprecation(directives ast.DirectiveList) *string {
	deprecated := directives.ForName("deprecated")
	if deprecated == nil {
		return nil
	}
	reason := "No longer supported" // the default of the specification (section 3.13.3)
	if given := argument(deprecated, "reason"); given != "" {
		reason = given
	}
	return &reason
}

// argument returns the text that a directive gives for an argument, "" where it gives none.
func argument(directive *ast.Directive, name string) string {
	if directive == nil {
		return ""
	}
	given := directive.Arguments.ForName(name)
	if given == nil || given.Value.Kind == ast.NullValue {
		return ""
	}
	return given.Value.Raw
}
