// Package policy owns authorization: it reads @auth and @public from the schema, refuses a schema that leaves a question open,
// and decides a whole operation before any of it runs.
//
// Rules are compiled twice. [Compile] turns the directives of a schema into one rule per coordinate, inheritance included;
// [Engine.Plan] turns an operation into the rules it touches, each with the path and the @skip and @include it stands under.
// What is left for [Plan.Check] is a few ANDs on a caller's scopes.
//
// It must never loosen a rule on the way down, and it must never reveal what a caller holds: a denial says what is required.
package policy

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
)

// Engine is the rules of one schema, compiled. It is immutable and safe for concurrent use.
type Engine struct {
	types  map[string]*typeRules // objects, interfaces and unions
	roots  map[ast.Operation]*typeRules
	public map[string]string // coordinate → why it is open
}

// typeRules is what it takes to see a type and its fields, inheritance included.
type typeRules struct {
	name     string
	self     rule // on the type: binds every field that returns it, all its fields, and __typename
	fields   map[string]fieldRules
	possible []*typeRules // the objects it can be at run time, by name; for an object itself alone
}

// fieldRules is what it takes to select a field of one type.
type fieldRules struct {
	rule    rule
	returns *typeRules // nil for scalars and enums
}

// Compile compiles the rules of schema. Its error lists every mistake in the schema, a line each, with the coordinate, the line
// in the schema, what is wrong and how to mend it.
func Compile(schema *ast.Schema, vocabulary *auth.Vocabulary) (*Engine, error) {
	r := newReader(schema, vocabulary)
	r.readDefinitions()
	r.readTypes()
	e := r.build()
	r.checkRoots()
	r.checkPublic(e)
	if err := r.mistakes.asError(); err != nil {
		return nil, err
	}
	return e, nil
}

// build derives the effective rules from the declared ones: a type answers for the interfaces it implements, a field for its
// type, for the interface fields it implements and for what it returns.
func (r *reader) build() *Engine {
	e := &Engine{
		types:  make(map[string]*typeRules, len(r.composites)),
		roots:  make(map[ast.Operation]*typeRules, len(r.roots)),
		public: make(map[string]string, len(r.public)),
	}
	for _, def := range r.composites {
		t := &typeRules{name: def.Name, fields: make(map[string]fieldRules, len(def.Fields)), self: r.declared[def.Name]}
		for _, name := range def.Interfaces {
			t.self = t.self.and(r.declared[name])
		}
		e.types[def.Name] = t
	}
	for _, def := range r.composites {
		t := e.types[def.Name]
		t.possible = e.possible(r.schema, def)
		for _, field := range def.Fields {
			if introspective(field.Name) {
				continue
			}
			returns := e.types[field.Type.Name()]
			effective := t.self.and(r.declared[coordinate(def.Name, field.Name)])
			for _, name := range def.Interfaces {
				effective = effective.and(r.declared[coordinate(name, field.Name)])
			}
			if returns != nil {
				effective = effective.and(returns.self)
			}
			t.fields[field.Name] = fieldRules{rule: effective, returns: returns}
		}
	}
	for operation, def := range r.roots {
		e.roots[operation] = e.types[def.Name]
	}
	for at, p := range r.public {
		e.public[at] = p.reason
	}
	return e
}

// possible returns the object types that def can be, by name. gqlparser counts interfaces that implement def among them.
func (e *Engine) possible(schema *ast.Schema, def *ast.Definition) []*typeRules {
	var objects []*typeRules
	for _, candidate := range schema.GetPossibleTypes(def) {
		if candidate.Kind == ast.Object {
			objects = append(objects, e.types[candidate.Name])
		}
	}
	return sortedUnique(objects)
}

// coordinate returns the schema coordinate of a field.
func coordinate(typeName, fieldName string) string { return typeName + "." + fieldName }

// introspective reports whether a name belongs to GraphQL's introspection, which answers to no rule of the schema.
func introspective(name string) bool { return strings.HasPrefix(name, "__") }
