package introspection

import (
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// Filter returns the schema without what is not visible, and without what cannot be without it. schema is valid and stays as
// it is; visible is asked for every coordinate of an object, an interface and a union ("User") and of their fields
// ("User.email").
//
// What goes with a coordinate: fields that return a type that is gone; the field of an interface of which a type that is still
// there has lost its own; a type of which nothing is left; and at last every type that could be reached before, and now
// cannot. The query type stays whatever happens to its fields. Built-in scalars that nothing uses are left out, as the
// specification has it (section 3.5).
func Filter(schema *ast.Schema, visible func(coordinate string) bool) *ast.Schema {
	f := &filter{schema: schema, types: make(map[string]*ast.Definition, len(schema.Types))}
	for name, def := range schema.Types {
		if !def.IsCompositeType() || internal(name) {
			f.types[name] = def
		} else if visible(name) || def == schema.Query {
			f.types[name] = f.cut(def, visible)
		}
	}
	for f.settle() { // what goes may take others with it
	}
	return f.build(f.reachable(schema.Types))
}

// filter is a schema being cut.
type filter struct {
	schema *ast.Schema
	types  map[string]*ast.Definition // what is left; composite types are copies that can be changed
}

// cut returns a copy of def with the visible fields.
func (f *filter) cut(def *ast.Definition, visible func(string) bool) *ast.Definition {
	left := *def
	left.Interfaces, left.Types = slices.Clone(def.Interfaces), slices.Clone(def.Types)
	left.TypePositions = nil // parallel to Types, which may lose some
	left.Fields = make(ast.FieldList, 0, len(def.Fields))
	for _, field := range def.Fields {
		if internal(field.Name) || visible(def.Name+"."+field.Name) {
			left.Fields = append(left.Fields, field)
		}
	}
	return &left
}

// settle takes away what misses something that is gone. It reports whether it found anything.
func (f *filter) settle() bool {
	changed := false
	for name, def := range f.types {
		if !def.IsCompositeType() || internal(name) {
			continue
		}
		before := len(def.Fields) + len(def.Interfaces) + len(def.Types)
		def.Interfaces, def.Types = slices.DeleteFunc(def.Interfaces, f.gone), slices.DeleteFunc(def.Types, f.gone)
		def.Fields = slices.DeleteFunc(def.Fields, func(field *ast.FieldDefinition) bool {
			return f.gone(field.Type.Name()) || def.Kind == ast.Interface && f.lost(name, field.Name)
		})
		changed = changed || before != len(def.Fields)+len(def.Interfaces)+len(def.Types)
		if len(def.Fields)+len(def.Types) == 0 && name != f.schema.Query.Name {
			delete(f.types, name)
			changed = true
		}
	}
	return changed
}

func (f *filter) gone(name string) bool { return f.types[name] == nil }

// lost reports whether a type implements the interface without having its field.
func (f *filter) lost(interfaceName, field string) bool {
	for _, possible := range f.schema.PossibleTypes[interfaceName] {
		if left := f.types[possible.Name]; left != nil && left.Fields.ForName(field) == nil {
			return true
		}
	}
	return false
}

// reachable returns the names of the types that can be met in the schema that is left. A type that was out of reach in the whole
// schema is in nobody's way, and counts as met: leaving it out would make a difference between the file and what
// everybody may see of it.
func (f *filter) reachable(whole map[string]*ast.Definition) map[string]bool {
	left := f.walk(f.types)
	known := f.walk(whole)
	for name, def := range whole {
		if !known.met[name] && !def.BuiltIn {
			left.meet(name)
		}
	}
	return left.met
}

// walk goes through types from the roots on.
func (f *filter) walk(types map[string]*ast.Definition) *walk {
	w := &walk{
		types: types, implementers: f.schema.PossibleTypes,
		met: make(map[string]bool, len(types)), returned: map[string]bool{},
	}
	for _, root := range []*ast.Definition{f.schema.Query, f.schema.Mutation, f.schema.Subscription} {
		if root != nil {
			w.meet(root.Name)
		}
	}
	for _, directive := range f.schema.Directives {
		w.meetArguments(directive.Arguments)
	}
	return w
}

// walk is the types that were met on the way through a schema.
type walk struct {
	types        map[string]*ast.Definition
	implementers map[string][]*ast.Definition
	met          map[string]bool
	returned     map[string]bool // interfaces that a field returns, not just something implements
}

func (w *walk) meet(name string) {
	def := w.types[name]
	if def == nil || w.met[name] {
		return
	}
	w.met[name] = true
	for _, field := range def.Fields {
		w.meetReturned(field.Type.Name())
		w.meetArguments(field.Arguments)
	}
	for _, other := range def.Interfaces {
		w.meet(other)
	}
	for _, member := range def.Types {
		w.meet(member)
	}
}

// meetReturned meets a type and, if it is an interface, whatever implements it: an object behind it can be of any of them.
func (w *walk) meetReturned(name string) {
	w.meet(name)
	if def := w.types[name]; def == nil || def.Kind != ast.Interface || w.returned[name] {
		return
	}
	w.returned[name] = true
	for _, implementer := range w.implementers[name] {
		w.meet(implementer.Name)
	}
}

func (w *walk) meetArguments(arguments ast.ArgumentDefinitionList) {
	for _, argument := range arguments {
		w.meet(argument.Type.Name())
	}
}

// build returns the schema of the types that are left and met.
func (f *filter) build(met map[string]bool) *ast.Schema {
	built := *f.schema
	built.Types = make(map[string]*ast.Definition, len(met))
	for name := range met {
		built.Types[name] = f.types[name]
	}
	built.Query = built.Types[f.schema.Query.Name]
	for root, def := range map[**ast.Definition]*ast.Definition{
		&built.Mutation: f.schema.Mutation, &built.Subscription: f.schema.Subscription,
	} {
		if def != nil {
			*root = built.Types[def.Name]
		}
	}
	built.PossibleTypes = related(f.schema.PossibleTypes, built.Types)
	built.Implements = related(f.schema.Implements, built.Types)
	return &built
}

// related returns a relation between types with those types alone that are there.
func related(relation map[string][]*ast.Definition, types map[string]*ast.Definition) map[string][]*ast.Definition {
	left := make(map[string][]*ast.Definition, len(relation))
	for name, others := range relation {
		if types[name] == nil {
			continue
		}
		for _, other := range others {
			if def := types[other.Name]; def != nil {
				left[name] = append(left[name], def)
			}
		}
	}
	return left
}
