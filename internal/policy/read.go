package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
)

// The directives of the schema and the one argument that @auth has.
const (
	authDirective   = "auth"
	publicDirective = "public"
	scopesArgument  = "scopes"
	scopesType      = "[[String!]!]"
)

// reader collects the rules that a schema declares, and the mistakes it makes in declaring them.
type reader struct {
	schema     *ast.Schema
	vocabulary *auth.Vocabulary
	composites []*ast.Definition // objects, interfaces and unions of the schema, by name
	roots      map[ast.Operation]*ast.Definition

	declared     map[string]rule // coordinate of a type or a field → what stands on it, nothing inherited
	public       map[string]public
	requirements map[string]*requirement // by key
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
		public:       map[string]public{},
		requirements: map[string]*requirement{},
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

// readDefinitions checks that the directives are declared as they are enforced: a place or an argument beyond that would be
// accepted by the schema and then bind nobody.
func (r *reader) readDefinitions() {
	enforced := map[string]struct {
		locations []ast.DirectiveLocation
		arguments map[string]string
	}{
		authDirective: {
			[]ast.DirectiveLocation{ast.LocationObject, ast.LocationInterface, ast.LocationFieldDefinition},
			map[string]string{scopesArgument: scopesType},
		},
		publicDirective: {
			[]ast.DirectiveLocation{ast.LocationFieldDefinition},
			map[string]string{"reason": "String!"},
		},
	}
	for name, want := range enforced {
		def := r.schema.Directives[name]
		if def == nil {
			continue // nothing carries it, and the root fields that should are reported
		}
		at := "@" + name
		for _, location := range def.Locations {
			if !slices.Contains(want.locations, location) {
				r.mistakes.add(at, def.Position, "is declared on "+string(location)+", where nothing enforces it",
					"Take the location out of the directive's definition.")
			}
		}
		for _, argument := range def.Arguments {
			switch typ, ok := want.arguments[argument.Name]; {
			case !ok:
				r.mistakes.add(at+"("+argument.Name+":)", argument.Position, "declares an argument that nothing enforces",
					"Take the argument out of the directive's definition.")
			case argument.Type.String() != typ || argument.DefaultValue != nil:
				r.mistakes.add(at+"("+argument.Name+":)", argument.Position, "is declared otherwise than it is enforced",
					"Declare it as "+typ+", without a default.")
			}
		}
	}
}

// readTypes reads what stands on every type and every field.
func (r *reader) readTypes() {
	for _, def := range r.composites {
		r.declared[def.Name] = r.readRule(def.Name, def.Directives)
		for _, field := range def.Fields {
			at := coordinate(def.Name, field.Name)
			r.declared[at] = r.readRule(at, field.Directives)
			directive := field.Directives.ForName(publicDirective)
			if directive == nil {
				continue
			}
			reason := ""
			if value := argumentValue(directive, "reason"); value != nil {
				reason = strings.Join(strings.Fields(value.Raw), " ")
			}
			if reason == "" {
				r.mistakes.add(at, directive.Position, "is @public for no reason", "Say in reason why it is safe.")
			}
			if field.Directives.ForName(authDirective) != nil {
				r.mistakes.add(at, directive.Position, "carries both @public and @auth",
					"Keep @auth if a caller has to sign in, @public if not.")
			}
			r.public[at] = public{reason: reason, position: directive.Position}
		}
	}
}

// readRule reads the @auth directives at one coordinate. A directive with a mistake counts as bare @auth: what else is
// reported then does not depend on it, and it never becomes a rule.
func (r *reader) readRule(at string, directives ast.DirectiveList) rule {
	var declared rule
	for _, directive := range directives.ForNames(authDirective) {
		for _, argument := range directive.Arguments {
			if argument.Name != scopesArgument {
				r.mistakes.add(at, argument.Position, "has an @auth with the argument "+argument.Name+", which nothing enforces",
					"Take the argument out.")
			}
		}
		var scopes [][]string
		if value := argumentValue(directive, scopesArgument); value != nil {
			scopes = r.readScopes(at, directive.Position, value)
		}
		declared = declared.and(rule{r.intern(newRequirement(scopes, r.vocabulary))})
	}
	return declared
}

// readScopes reads a list of lists of scopes. gqlparser does not check it against the argument's type.
func (r *reader) readScopes(at string, position *ast.Position, value *ast.Value) [][]string {
	const mend = `Write a list of lists: [["users:read"]] for one scope, [["a", "b"]] for both, [["a"], ["b"]] for either.`
	if value.Kind != ast.ListValue {
		r.mistakes.add(at, position, "has scopes that are not a list of lists", mend)
		return nil
	}
	if len(value.Children) == 0 {
		r.mistakes.add(at, position, "has scopes: [], which nobody could meet",
			"Leave scopes out where being signed in is enough, or name the scopes.")
		return nil
	}
	var scopes [][]string
	for _, alternative := range value.Children {
		if alternative.Value.Kind != ast.ListValue {
			r.mistakes.add(at, position, "has scopes that are not a list of lists", mend)
			return nil
		}
		if len(alternative.Value.Children) == 0 {
			r.mistakes.add(at, position, "has an empty list in scopes, which everybody would meet",
				"Leave scopes out where being signed in is enough, or name the scopes.")
			return nil
		}
		var all []string
		for _, child := range alternative.Value.Children {
			if child.Value.Kind != ast.StringValue && child.Value.Kind != ast.BlockValue {
				r.mistakes.add(at, position, "has scopes that are not strings", mend)
				return nil
			}
			scope := child.Value.Raw
			if !r.vocabulary.Knows(scope) {
				r.mistakes.add(at, position, "requires the scope "+scope+", which this server does not know",
					"Register it, or use one that is: "+strings.Join(r.vocabulary.Names(), ", ")+".")
			}
			all = append(all, scope)
		}
		scopes = append(scopes, all)
	}
	return scopes
}

// intern returns the requirement that stands for all equal to q.
func (r *reader) intern(q *requirement) *requirement {
	if known, ok := r.requirements[q.key]; ok {
		return known
	}
	r.requirements[q.key] = q
	return q
}

// checkRoots refuses root fields that say nothing: whoever adds one has to decide who may use it.
func (r *reader) checkRoots() {
	for _, def := range r.roots {
		for _, field := range def.Fields {
			if introspective(field.Name) {
				continue
			}
			at := coordinate(def.Name, field.Name)
			if _, open := r.public[at]; !open && len(r.declared[at]) == 0 {
				r.mistakes.add(at, field.Position, "says nothing about who may use it",
					`Add @auth, @auth(scopes: [["…"]]) or @public(reason: "…").`)
			}
		}
	}
}

// checkPublic refuses @public where an inherited rule holds all the same: the word would deceive whoever reads it.
func (r *reader) checkPublic(e *Engine) {
	for at, p := range r.public {
		typeName, fieldName, _ := strings.Cut(at, ".")
		if rule := e.types[typeName].fields[fieldName].rule; len(rule) > 0 && len(r.declared[at]) == 0 {
			r.mistakes.add(at, p.position, "is @public, but inherits a rule: "+rule.text(),
				"Take @public away, or the rule from its type, its interface or the type it returns.")
		}
	}
}

// argumentValue returns the value of a directive's argument, nil where it is left out.
func argumentValue(directive *ast.Directive, name string) *ast.Value {
	if argument := directive.Arguments.ForName(name); argument != nil {
		return argument.Value
	}
	return nil
}
