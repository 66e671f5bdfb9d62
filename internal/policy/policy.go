// Package policy owns authorization: it reads @auth, @public and @own from the schema, refuses a schema that leaves a question
// open, and decides a whole operation before any of it runs.
//
// Rules are compiled twice. [Compile] turns the directives of a schema into what binds each coordinate, inheritance included;
// [Engine.Plan] turns an operation into the rules it touches, each with the path and the @skip and @include it stands under,
// and with what makes the object behind it the caller's own. What is left for [Plan.Check] is a few ANDs on a caller's scopes
// and a few comparisons of ids.
//
// It must never loosen a rule on the way down, and it must never reveal what a caller holds: a denial says what is required.
package policy

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
)

// Engine is the rules of one schema, compiled. It is immutable and safe for concurrent use.
type Engine struct {
	types       map[string]*typeRules // objects, interfaces and unions
	roots       map[ast.Operation]*typeRules
	public      map[string]string // coordinate → why it is open
	coordinates []string          // of all types and fields, sorted
	veils       []rule            // what hides: each distinct one
	veiled      map[string]int    // coordinate that is hidden → which veil is before it
	starts      []*typeRules      // what is there to be seen without being met
	vocabulary  *auth.Vocabulary
	warnings    []string
	now         func() time.Time
}

// typeRules is what it takes to see a type and its fields, inheritance included.
type typeRules struct {
	name       string
	root       bool    // its objects are nobody's, so that they are as much the caller's own as anything
	self       sources // on the type: binds every field that returns it, all its fields, and __typename
	fields     map[string]*fieldRules
	interfaces []*typeRules // those that it implements
	behind     []*typeRules // what it can be, interfaces included, by name; for an object itself alone
	possible   []*typeRules // the objects among these
}

// fieldRules is what it takes to select a field of one type.
type fieldRules struct {
	at      string  // coordinate
	sources sources // self of its type and of what it returns included
	own     bool    // @own: of an owned object it returns owned objects
	paths   []ownerPath
	returns *typeRules // nil for scalars and enums
}

// Compile compiles the rules of schema; now is the clock by which a caller's last sign-in is too long ago. Its error lists
// every mistake in the schema, a line each, with the coordinate, the line in the schema, what is wrong and how to mend it.
func Compile(schema *ast.Schema, vocabulary *auth.Vocabulary, now func() time.Time) (*Engine, error) {
	r := newReader(schema, vocabulary)
	r.readDefinitions()
	r.readTypes()
	e := r.build()
	e.now = now
	r.checkRoots()
	r.checkPublic(e)
	r.checkOwners(e)
	r.checkDefaults(e)
	r.checkHidden(e)
	if err := r.mistakes.asError(); err != nil {
		return nil, err
	}
	e.warnings = r.warn(e)
	return e, nil
}

// build derives what binds a coordinate from what is declared: a type answers for the interfaces it implements, a field for its
// type, for the interface fields it implements and for what it returns.
func (r *reader) build() *Engine {
	e := &Engine{
		types:      make(map[string]*typeRules, len(r.composites)),
		roots:      make(map[ast.Operation]*typeRules, len(r.roots)),
		public:     make(map[string]string, len(r.public)),
		veiled:     map[string]int{},
		vocabulary: r.vocabulary,
	}
	for _, def := range r.composites {
		t := &typeRules{name: def.Name, fields: make(map[string]*fieldRules, len(def.Fields))}
		t.self = from(r.declared[def.Name], OnType, def.Name)
		for _, name := range def.Interfaces {
			t.self = append(t.self, from(r.declared[name], OnInterface, name)...)
		}
		e.types[def.Name] = t
	}
	for _, def := range r.composites {
		t := e.types[def.Name]
		for _, name := range def.Interfaces {
			t.interfaces = append(t.interfaces, e.types[name])
		}
		t.behind = e.behind(r.schema, def)
		t.possible = slices.DeleteFunc(slices.Clone(t.behind), func(one *typeRules) bool {
			return r.schema.Types[one.name].Kind != ast.Object
		})
		e.coordinates = append(e.coordinates, def.Name)
		for _, field := range def.Fields {
			if !introspective(field.Name) {
				f := r.buildField(e, def, field)
				t.fields[field.Name] = f
				e.coordinates = append(e.coordinates, f.at)
			}
		}
	}
	slices.Sort(e.coordinates)
	for operation, def := range r.roots {
		e.roots[operation] = e.types[def.Name]
		e.types[def.Name].root = true
	}
	for at, p := range r.public {
		e.public[at] = p.reason
	}
	e.hide()
	e.find()
	return e
}

func (r *reader) buildField(e *Engine, def *ast.Definition, field *ast.FieldDefinition) *fieldRules {
	at := coordinate(def.Name, field.Name)
	f := &fieldRules{at: at, own: r.own[at] != nil, returns: e.types[field.Type.Name()]}
	f.sources = from(r.declared[at], OnField, at)
	for _, name := range def.Interfaces {
		inherited := coordinate(name, field.Name)
		f.sources = append(f.sources, from(r.declared[inherited], OnInterface, inherited)...)
	}
	for _, s := range f.sources {
		known := slices.ContainsFunc(f.paths, func(p ownerPath) bool { return p.requirement == s.requirement })
		if strings.HasPrefix(s.requirement.owner, ownArguments) && !known {
			// A path that leads nowhere is a mistake, reported where it is declared.
			if path, err := r.ownerPath(field, s.requirement); err == nil {
				f.paths = append(f.paths, path)
			}
		}
	}
	f.sources = append(f.sources, e.types[def.Name].self...)
	if f.returns != nil {
		f.sources = append(f.sources, f.returns.self.as(OnReturn)...)
	}
	return f
}

// behind returns what def can be, by name. gqlparser counts the interfaces that implement def among that.
func (e *Engine) behind(schema *ast.Schema, def *ast.Definition) []*typeRules {
	found := map[string]*typeRules{}
	for _, candidate := range schema.GetPossibleTypes(def) {
		found[candidate.Name] = e.types[candidate.Name]
	}
	sorted := make([]*typeRules, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		sorted = append(sorted, found[name])
	}
	return sorted
}

// takes returns what binds a field of t, or t itself for no name, where it can be one of the given objects: through an interface
// or a union, what binds them all.
func (t *typeRules) takes(field string, possible []*typeRules) sources {
	var all sources
	for _, one := range append([]*typeRules{t}, possible...) {
		if field == "" {
			all = append(all, one.self...)
		} else if f := one.fields[field]; f != nil {
			all = append(all, f.sources...)
		}
	}
	return all
}

// coordinate returns the schema coordinate of a field.
func coordinate(typeName, fieldName string) string { return typeName + "." + fieldName }

// introspective reports whether a name belongs to GraphQL's introspection, which answers to no rule of the schema.
func introspective(name string) bool { return strings.HasPrefix(name, "__") }

// field returns the field at a coordinate, nil where there is none.
func (e *Engine) field(at string) *fieldRules {
	typeName, fieldName, _ := strings.Cut(at, ".")
	if t := e.types[typeName]; t != nil {
		return t.fields[fieldName]
	}
	return nil
}

// sourcesOf returns what binds a coordinate of the schema.
func (e *Engine) sourcesOf(at string) sources {
	typeName, fieldName, _ := strings.Cut(at, ".")
	t := e.types[typeName]
	return t.takes(fieldName, t.possible)
}
