package policy

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Plan is what one operation takes, compiled. It is immutable and safe for concurrent use.
type Plan struct {
	always    need    // what every caller has to meet
	sometimes []group // what @skip and @include make depend on the variables
	checks    []check // the same field by field, in document order, for the callers who are denied
}

// check is one selection of one field.
type check struct {
	path       *step
	coordinate string
	rule       rule
	when       condition
}

// step is a response path, from its last field backwards, so that the paths of one operation share their beginnings.
type step struct {
	parent *step
	name   string // the alias, or the name where there is none
}

// path returns the names from the root on.
func (s *step) path() []any {
	var path []any
	for ; s != nil; s = s.parent {
		path = append(path, s.name)
	}
	slices.Reverse(path)
	return path
}

// Plan compiles the operation op of doc. Both must have passed validation against the engine's schema, and unfolding the
// fragments of op must be affordable: the work is in proportion to the fields it comes to.
func (e *Engine) Plan(doc *ast.QueryDocument, op *ast.OperationDefinition) *Plan {
	p := &planner{engine: e, doc: doc, op: op, plan: &Plan{}, groups: map[string]int{}}
	if root := e.roots[op.Operation]; root != nil {
		p.selections(op.SelectionSet, scope{static: root, possible: root.possible}, nil, nil)
	}
	p.prune()
	return p.plan
}

// planner unfolds one operation.
type planner struct {
	engine *Engine
	doc    *ast.QueryDocument
	op     *ast.OperationDefinition
	plan   *Plan
	groups map[string]int // key of a condition → index in plan.sometimes
	inside []string       // names of the fragments being unfolded: a circle is not followed
}

// scope is what is known of the object that fields are selected on: the type that the document names, and the object types
// it can still be at run time.
type scope struct {
	static   *typeRules
	possible []*typeRules
}

func (p *planner) selections(set ast.SelectionSet, at scope, path *step, when condition) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if within, reached := when.under(s.Directives, p.op); reached {
				p.field(s, at, &step{path, s.Alias}, within)
			}
		case *ast.InlineFragment:
			if within, reached := when.under(s.Directives, p.op); reached {
				p.selections(s.SelectionSet, p.narrow(at, s.TypeCondition), path, within)
			}
		case *ast.FragmentSpread:
			fragment := p.doc.Fragments.ForName(s.Name)
			within, reached := when.under(s.Directives, p.op)
			if fragment == nil || !reached || slices.Contains(p.inside, s.Name) {
				continue
			}
			p.inside = append(p.inside, s.Name)
			p.selections(fragment.SelectionSet, p.narrow(at, fragment.TypeCondition), path, within)
			p.inside = p.inside[:len(p.inside)-1]
		}
	}
}

// field demands what the field takes on the type it is selected on and on every type that can stand behind it, and goes on
// to what it returns there.
func (p *planner) field(f *ast.Field, at scope, path *step, when condition) {
	if introspective(f.Name) {
		if f.Name == "__typename" { // tells which type it is, so it takes what the types take
			demanded := at.static.self
			for _, t := range at.possible {
				demanded = demanded.and(t.self)
			}
			p.demand(check{path: path, coordinate: at.static.name, rule: demanded, when: when})
		}
		return // __schema and __type tell about the schema, not about data
	}
	demanded, next := rule(nil), scope{}
	if own, ok := at.static.fields[f.Name]; ok {
		demanded, next = own.rule, scope{static: own.returns}
	}
	for _, t := range at.possible {
		implementation := t.fields[f.Name]
		demanded = demanded.and(implementation.rule)
		if implementation.returns != nil {
			next.possible = append(next.possible, implementation.returns.possible...)
		}
	}
	p.demand(check{path: path, coordinate: coordinate(at.static.name, f.Name), rule: demanded, when: when})
	if next.static != nil {
		next.possible = sortedUnique(next.possible)
		p.selections(f.SelectionSet, next, path, when)
	}
}

// narrow returns the scope inside a fragment on the named type; without a name it is the scope outside.
func (p *planner) narrow(at scope, typeName string) scope {
	condition, known := p.engine.types[typeName]
	if !known || condition == at.static {
		return at
	}
	inside := scope{static: condition}
	for _, t := range at.possible {
		if slices.Contains(condition.possible, t) {
			inside.possible = append(inside.possible, t)
		}
	}
	return inside
}

// demand adds a check to the plan.
func (p *planner) demand(c check) {
	if len(c.rule) == 0 {
		return
	}
	p.plan.checks = append(p.plan.checks, c)
	if len(c.when) == 0 {
		p.plan.always.add(c.rule)
		return
	}
	key := c.when.key()
	i, known := p.groups[key]
	if !known {
		i = len(p.plan.sometimes)
		p.groups[key] = i
		p.plan.sometimes = append(p.plan.sometimes, group{when: c.when})
	}
	p.plan.sometimes[i].need.add(c.rule)
}

// prune drops the groups that can deny nobody whom the unconditional rules let pass.
func (p *planner) prune() {
	p.plan.sometimes = slices.DeleteFunc(p.plan.sometimes, func(g group) bool { return p.plan.always.implies(&g.need) })
}

// condition is what has to hold of the variables for a field to be reached: the @skip and @include around it, all of them.
type condition []variable

// variable asks for one value of a Boolean variable.
type variable struct {
	name     string
	wanted   bool
	fallback *bool // the default of its definition; nil where it has none
}

// under returns the condition inside a node with the given directives, and false when nothing can reach it. Defaults are
// looked up in op, not in the tree: operations share the nodes of a fragment, and each defines the variables in it anew.
func (c condition) under(directives ast.DirectiveList, op *ast.OperationDefinition) (condition, bool) {
	for _, d := range directives {
		if d.Name != "skip" && d.Name != "include" {
			continue
		}
		value, wanted := argumentValue(d, "if"), d.Name == "include"
		switch {
		case value == nil:
			continue
		case value.Kind == ast.BooleanValue:
			if (value.Raw == "true") != wanted {
				return nil, false
			}
		case value.Kind == ast.Variable:
			asked := variable{name: value.Raw, wanted: wanted}
			def := op.VariableDefinitions.ForName(value.Raw)
			if def != nil && def.DefaultValue != nil && def.DefaultValue.Kind == ast.BooleanValue {
				byDefault := def.DefaultValue.Raw == "true"
				asked.fallback = &byDefault
			}
			if !slices.ContainsFunc(c, func(v variable) bool { return v.name == asked.name && v.wanted == wanted }) {
				c = append(slices.Clip(c), asked)
			}
		}
	}
	return c, true
}

// holds reports whether the variables let the field be reached. One that is no Boolean, or is missing without a default, counts
// as the one that does: asking for a rule in vain does less harm than forgetting one.
func (c condition) holds(variables map[string]any) bool {
	for i := range c {
		given, present := variables[c[i].name]
		value, ok := given.(bool)
		if !ok {
			if present || c[i].fallback == nil {
				continue
			}
			value = *c[i].fallback
		}
		if value != c[i].wanted {
			return false
		}
	}
	return true
}

// key returns what equal conditions share.
func (c condition) key() string {
	names := make([]string, len(c))
	for i, v := range c {
		names[i] = v.name
		if !v.wanted {
			names[i] = "!" + v.name
		}
	}
	slices.Sort(names)
	return strings.Join(names, "&")
}
