package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

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
		if s := e.field(at).sources; len(s) > 0 && len(r.declared[at]) == 0 {
			r.mistakes.add(at, p.position, "is @public, but inherits a rule: "+s.text(),
				"Take @public away, or the rule from its type, its interface or the type it returns.")
		}
	}
}

// checkOwners refuses owners that nobody can ever be, and @own that makes nobody an owner or everybody.
func (r *reader) checkOwners(e *Engine) {
	ownable := e.ownable()
	for at, rule := range r.declared {
		if !slices.ContainsFunc(rule, func(q *requirement) bool { return q.owner == ownParent }) {
			continue
		}
		typeName, fieldName, isField := strings.Cut(at, ".")
		possible := e.types[typeName].possible
		switch {
		case slices.ContainsFunc(possible, func(t *typeRules) bool { return t.root }):
			r.mistakes.add(at, r.positions[at], `has the owner parent, but a root field has no parent that could be anybody's`,
				`Name the argument that is the caller's own id, as in owner: "args.id", or mark what it returns with @own.`)
		case !slices.ContainsFunc(possible, func(t *typeRules) bool { return ownable[t] }):
			what := typeName
			if !isField {
				what = "it"
			}
			r.mistakes.add(at, r.positions[at], "has the owner parent, but no path makes "+what+" anybody's own",
				"Mark the fields that return the caller's own "+typeName+" with @own, or "+fieldOr(fieldName, typeName)+
					" with scopes alone.")
		}
	}
	for at, position := range r.own {
		f := e.field(at)
		switch {
		case f.returns == nil:
			r.mistakes.add(at, position, "is marked @own, but returns no object", "Take @own away.")
		case slices.ContainsFunc(f.paths, func(p ownerPath) bool { return p.requirement.orScopes != nil }):
			r.mistakes.add(at, position, "is marked @own, but its orScopes let others pass, who would own what it returns",
				"Take @own away: where the owner's argument is the caller's own id, what it returns is their own anyway.")
		}
	}
}

// checkDefaults refuses an owner's argument that has one default in an object and another in an interface of it. Through the
// interface the field would be decided by the object's, as GraphQL has it, and may run with the interface's.
func (r *reader) checkDefaults(e *Engine) {
	for _, def := range r.composites {
		for _, name := range def.Interfaces {
			for _, field := range r.schema.Types[name].Fields {
				for _, path := range e.types[def.Name].fields[field.Name].paths {
					r.checkDefault(coordinate(def.Name, field.Name), coordinate(name, field.Name), path.argument,
						field.Arguments.ForName(path.argument.Name))
				}
			}
		}
	}
}

func (r *reader) checkDefault(at, inherited string, own, other *ast.ArgumentDefinition) {
	switch {
	case other == nil && own.DefaultValue != nil:
		r.mistakes.add(at, own.Position, "has a default for "+own.Name+", which says whose it is, but "+inherited+
			", which it implements, has no such argument: through it the default may not count",
			"Take the default away, or give "+inherited+" the argument with the same.")
	case other != nil && own.DefaultValue.String() != other.DefaultValue.String():
		r.mistakes.add(at, own.Position, "has another default for "+own.Name+", which says whose it is, than "+inherited+
			", which it implements: which one counts would depend on the way there", "Give both the same default, or none.")
	}
}

func fieldOr(fieldName, typeName string) string {
	if fieldName == "" {
		return "protect " + typeName
	}
	return "protect " + fieldName
}

// ownable returns the object types that some path makes the caller's own.
func (e *Engine) ownable() map[*typeRules]bool {
	ownable := map[*typeRules]bool{}
	for _, root := range e.roots {
		ownable[root] = true
	}
	for grown := true; grown; {
		grown = false
		for _, t := range e.types {
			if !slices.Contains(t.possible, t) {
				continue // what a field of an interface returns is for the objects' own fields to say
			}
			for _, f := range t.fields {
				if f.returns == nil {
					continue
				}
				for _, result := range f.returns.possible {
					if !ownable[result] && (len(f.paths) > 0 || f.own && ownable[t]) {
						ownable[result], grown = true, true
					}
				}
			}
		}
	}
	return ownable
}

// checkHidden refuses hidden places that leave somebody an invalid schema, or a denial that tells of them: whatever a caller
// sees, they have to see what GraphQL demands beside it, and whatever can stand behind it. What hides is taken as it is written,
// so that no combination of callers has to be tried.
func (r *reader) checkHidden(e *Engine) {
	if len(e.veils) > maxVeils {
		r.mistakes.add("@"+authDirective+"("+hiddenArgument+":)", r.schema.Directives[authDirective].Position,
			"hides by more rules than can be told apart", "Hide by at most "+strconv.Itoa(maxVeils)+" different rules.")
	}
	for _, def := range r.composites {
		t := e.types[def.Name]
		hides := e.veil(def.Name)
		if len(hides) > 0 && e.roots[ast.Query] == t {
			r.mistakes.add(def.Name, def.Position, "is hidden, but every schema has a query type", "Hide its fields instead.")
		}
		if def.Kind == ast.Union {
			continue
		}
		visible := false
		for _, f := range t.fields {
			visible = visible || hides.lifts(e.veil(f.at))
			r.checkHiddenBehind(e, f)
		}
		if !visible {
			r.mistakes.add(def.Name, def.Position, "has no field left for some of those who see it",
				"Hide the type as well, by the same rule, or leave one of its fields visible.")
		}
		r.checkHiddenImplementation(e, def)
	}
}

// checkHiddenBehind refuses a field that returns an interface or a union of which an object is hidden from some who see the
// field. Whatever is selected there takes what that object takes, so that they would be denied what the schema, as they know it,
// gives them: by something that they should not know of.
func (r *reader) checkHiddenBehind(e *Engine, f *fieldRules) {
	if f.returns == nil {
		return
	}
	for _, object := range f.returns.possible {
		if e.veil(f.at).lifts(e.veil(object.name)) {
			continue
		}
		what := "the field"
		if r.schema.Types[f.returns.name].Kind == ast.Interface {
			what += " or " + f.returns.name
		}
		r.mistakes.add(f.at, r.positionOf(f.at), "returns "+f.returns.name+", which can be "+object.name+", and that is hidden "+
			"from some who see the field: being denied it would tell them",
			"Hide "+what+" as well, by the same rule, or leave "+object.name+" visible.")
	}
}

func (r *reader) checkHiddenImplementation(e *Engine, def *ast.Definition) {
	for _, name := range def.Interfaces {
		for _, field := range r.schema.Types[name].Fields {
			own, inherited := coordinate(def.Name, field.Name), coordinate(name, field.Name)
			seen := e.veil(def.Name).and(e.veil(name)).and(e.veil(inherited))
			if !introspective(field.Name) && !seen.lifts(e.veil(own)) {
				r.mistakes.add(own, r.positionOf(own), "is hidden from some who see "+inherited+", which it implements",
					"Hide "+inherited+" as well, by the same rule, or leave this one visible.")
			}
		}
	}
}

// positionOf returns where a coordinate's rule stands, or else where the coordinate does.
func (r *reader) positionOf(at string) *ast.Position {
	if position := r.positions[at]; position != nil {
		return position
	}
	typeName, fieldName, _ := strings.Cut(at, ".")
	def := r.schema.Types[typeName]
	if field := def.Fields.ForName(fieldName); field != nil {
		return field.Position
	}
	return def.Position
}
