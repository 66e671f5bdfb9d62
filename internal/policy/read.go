package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
)

// The directives of the schema.
const (
	authDirective   = "auth"
	publicDirective = "public"
	ownDirective    = "own"
)

// The arguments of @auth.
const (
	scopesArgument   = "scopes"
	ownerArgument    = "owner"
	orScopesArgument = "orScopes"
	maxAgeArgument   = "maxAge"
	acrArgument      = "acr"
	hiddenArgument   = "hidden"
)

// reader collects the rules that a schema declares, and the mistakes it makes in declaring them.
type reader struct {
	schema     *ast.Schema
	vocabulary *auth.Vocabulary
	composites []*ast.Definition // objects, interfaces and unions of the schema, by name
	roots      map[ast.Operation]*ast.Definition

	declared     map[string]rule          // coordinate of a type or a field → what stands on it, nothing inherited
	positions    map[string]*ast.Position // where the first @auth of a coordinate stands
	repeated     []string                 // coordinates that carry one @auth twice
	public       map[string]public
	own          map[string]*ast.Position
	requirements map[string]*requirement  // by key
	choices      map[string]*alternatives // by what they read like
	mistakes     mistakes
}

// public is a @public directive.
type public struct {
	reason   string
	position *ast.Position
}

func newReader(schema *ast.Schema, vocabulary *auth.Vocabulary) *reader {
	r := &reader{
		schema:       schema,
		vocabulary:   vocabulary,
		roots:        map[ast.Operation]*ast.Definition{},
		declared:     map[string]rule{},
		positions:    map[string]*ast.Position{},
		public:       map[string]public{},
		own:          map[string]*ast.Position{},
		requirements: map[string]*requirement{},
		choices:      map[string]*alternatives{},
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Types)) {
		if def := schema.Types[name]; def.IsCompositeType() && !introspective(name) {
			r.composites = append(r.composites, def)
		}
	}
	for operation, def := range map[ast.Operation]*ast.Definition{
		ast.Query: schema.Query, ast.Mutation: schema.Mutation, ast.Subscription: schema.Subscription,
	} {
		if def != nil {
			r.roots[operation] = def
		}
	}
	return r
}

// enforced is a directive as it is enforced.
type enforced struct {
	name      string
	locations []ast.DirectiveLocation
	arguments map[string]string // with the type, and the default where there is one
}

func directives() []enforced {
	return []enforced{
		{
			authDirective,
			[]ast.DirectiveLocation{ast.LocationObject, ast.LocationInterface, ast.LocationFieldDefinition},
			map[string]string{
				scopesArgument: "[[String!]!]", ownerArgument: "String", orScopesArgument: "[[String!]!]", maxAgeArgument: "Int",
				acrArgument: "String", hiddenArgument: "Boolean = false",
			},
		},
		{publicDirective, []ast.DirectiveLocation{ast.LocationFieldDefinition}, map[string]string{"reason": "String!"}},
		{ownDirective, []ast.DirectiveLocation{ast.LocationFieldDefinition}, nil},
	}
}

// readDefinitions checks that the directives are declared as they are enforced: a place or an argument beyond that would be
// accepted by the schema and then bind nobody.
func (r *reader) readDefinitions() {
	for _, want := range directives() {
		def := r.schema.Directives[want.name]
		if def == nil {
			continue // nothing carries it, and the root fields that should are reported
		}
		at := "@" + want.name
		for _, location := range def.Locations {
			if !slices.Contains(want.locations, location) {
				r.mistakes.add(at, def.Position, "is declared on "+string(location)+", where nothing enforces it",
					"Take the location out of the directive's definition.")
			}
		}
		for _, argument := range def.Arguments {
			declared := argument.Type.String()
			if argument.DefaultValue != nil {
				declared += " = " + argument.DefaultValue.String()
			}
			switch typ, ok := want.arguments[argument.Name]; {
			case !ok:
				r.mistakes.add(at+"("+argument.Name+":)", argument.Position, "declares an argument that nothing enforces",
					"Take the argument out of the directive's definition.")
			case declared != typ:
				mend := "Declare it as " + typ + "."
				if !strings.Contains(typ, "=") {
					mend = "Declare it as " + typ + ", without a default."
				}
				r.mistakes.add(at+"("+argument.Name+":)", argument.Position, "is declared otherwise than it is enforced", mend)
			}
		}
	}
}

// readTypes reads what stands on every type and every field.
func (r *reader) readTypes() {
	for _, def := range r.composites {
		r.declared[def.Name] = r.readRule(def.Name, def.Directives, nil)
		for _, field := range def.Fields {
			at := coordinate(def.Name, field.Name)
			r.declared[at] = r.readRule(at, field.Directives, field)
			if own := field.Directives.ForName(ownDirective); own != nil {
				r.own[at] = own.Position
			}
			if directive := field.Directives.ForName(publicDirective); directive != nil {
				r.readPublic(at, directive, field.Directives.ForName(authDirective) != nil)
			}
		}
	}
}

func (r *reader) readPublic(at string, directive *ast.Directive, protected bool) {
	reason := ""
	if value := argumentValue(directive, "reason"); value != nil {
		reason = strings.Join(strings.Fields(value.Raw), " ")
	}
	if reason == "" {
		r.mistakes.add(at, directive.Position, "is @public for no reason", "Say in reason why it is safe.")
	}
	if protected {
		r.mistakes.add(at, directive.Position, "carries both @public and @auth",
			"Keep @auth if a caller has to sign in, @public if not.")
	}
	r.public[at] = public{reason: reason, position: directive.Position}
}

// argumentValue returns the value of a directive's argument, nil where it is left out.
func argumentValue(directive *ast.Directive, name string) *ast.Value {
	if argument := directive.Arguments.ForName(name); argument != nil {
		return argument.Value
	}
	return nil
}
