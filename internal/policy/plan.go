package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// Plan is what one operation takes, compiled. It is immutable and safe for concurrent use.
type Plan struct {
	always    need    // what every caller has to meet
	sometimes []group // what @skip and @include make depend on the variables
	checks    []check // the same field by field, in document order, for the callers who are denied
	now       func() time.Time
}

// check is one selection of one field.
type check struct {
	path       *step
	coordinate string
	demands    []demand
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
	return e.plan(doc, op, false)
}

func (e *Engine) plan(doc *ast.QueryDocument, op *ast.OperationDefinition, explaining bool) *Plan {
	p := &planner{engine: e, doc: doc, op: op, plan: &Plan{now: e.now}, groups: map[string]int{}, explaining: explaining}
	if root := e.roots[op.Operation]; root != nil {
		p.selections(op.SelectionSet, scope{static: root, possible: []object{{root, always()}}}, nil, nil)
	}
	p.prune()
	return p.plan
}

// planner unfolds one operation.
type planner struct {
	engine     *Engine
	doc        *ast.QueryDocument
	op         *ast.OperationDefinition
	plan       *Plan
	groups     map[string]int      // key of a condition → index in plan.sometimes
	operands   map[string]*operand // by key
	inside     []string            // names of the fragments being unfolded: a circle is not followed
	explaining bool                // fields that take nothing are checks, too, and demands name all their sources
}

// scope is what is known of the object that fields are selected on: the type that the document names, and the objects it can
// still be at run time.
type scope struct {
	static   *typeRules
	possible []object  // by name, each type once
	owned    ownership // where nothing is possible: a document may combine fragments that no object is of
}

// object is one type of objects that can stand in one place, and when they are the caller's own there.
type object struct {
	*typeRules
	owned ownership
}

// objects returns what the rules are asked about. A type that the document names without any object that could be of it is
// asked itself; otherwise its rules are among those that its objects inherit.
func (s scope) objects() []object {
	if len(s.possible) == 0 {
		return []object{{s.static, s.owned}}
	}
	return s.possible
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

// field demands what the field takes on every type that can stand behind it, and goes on to what it returns there: of each
// object on its own, so that what is the caller's own through one type is not taken for their own through another.
func (p *planner) field(f *ast.Field, at scope, path *step, when condition) {
	c := check{path: path, when: when}
	if introspective(f.Name) {
		if f.Name == "__typename" { // tells which type it is, so it takes what the types take
			c.coordinate = at.static.name
			for _, o := range at.objects() {
				c.demands = p.demands(c.demands, o.self, f, nil, o.owned, o.owned)
			}
			p.demand(c)
		}
		return // __schema and __type tell about the schema, not about data
	}
	var next scope
	var settled []*typeRules // returned already as what is not the caller's own, which nothing changes any more
	for i, o := range at.objects() {
		rules := o.fields[f.Name]
		if rules == nil {
			continue
		}
		owned := p.owned(f, rules, o)
		c.demands = p.demands(c.demands, rules.sources, f, rules.paths, o.owned, owned)
		if rules.returns == nil {
			continue
		}
		if i == 0 {
			next.owned = owned
		}
		next.owned = next.owned.and(owned)
		if len(at.possible) == 0 || slices.Contains(settled, rules.returns) {
			continue
		}
		if len(owned) == 0 {
			settled = append(settled, rules.returns)
		}
		for _, t := range rules.returns.possible {
			one := object{t, owned}
			if t.root { // what a caller reaches from the root is the same wherever they come to it
				one.owned = always()
			}
			next.possible = merge(next.possible, one)
		}
	}
	c.coordinate = coordinate(at.static.name, f.Name)
	if own := at.static.fields[f.Name]; own != nil {
		c.coordinate, next.static = own.at, own.returns
	}
	p.demand(c)
	if next.static != nil {
		p.selections(f.SelectionSet, next, path, when)
	}
}

// owned returns when the field of o returns what is the caller's own: by @own on an owned object, or when every argument
// that has to be the caller's own id is.
func (p *planner) owned(f *ast.Field, rules *fieldRules, o object) ownership {
	var owned ownership
	if rules.own {
		owned = o.owned
	}
	if len(rules.paths) == 0 || rules.returns == nil {
		return owned
	}
	identity := always()
	for i := range rules.paths {
		identity = identity.and(p.identity(f, &rules.paths[i]))
	}
	return owned.or(identity)
}

// identity returns when the argument at the end of path is the caller's own id.
func (p *planner) identity(f *ast.Field, path *ownerPath) ownership {
	var given *ast.Value
	if argument := f.Arguments.ForName(path.argument.Name); argument != nil {
		given = argument.Value
	}
	o := newOperand(given, path.argument.DefaultValue, path.fields, p.op)
	if o == nil {
		return nil
	}
	if known, ok := p.operands[o.key]; ok {
		o = known
	} else {
		if p.operands == nil {
			p.operands = map[string]*operand{}
		}
		p.operands[o.key] = o
	}
	return ownership{{o}}
}

// demands adds what s demands: about the object that has the field, and about the one it returns.
func (p *planner) demands(all []demand, s sources, f *ast.Field, paths []ownerPath, has, returns ownership) []demand {
	for _, one := range s {
		d := demand{source: one}
		switch owner := one.requirement.owner; {
		case one.onResult():
			d.owned = returns
		case owner == ownParent:
			d.owned = has
		case owner != "":
			i := slices.IndexFunc(paths, func(path ownerPath) bool { return path.requirement == one.requirement })
			if i >= 0 {
				d.owned = p.identity(f, &paths[i])
			}
		}
		if p.explaining || !slices.ContainsFunc(all, d.equal) {
			all = append(all, d)
		}
	}
	return all
}

// merge adds an object to those of other types, in order. One that is there already is the caller's own only if both are.
func merge(objects []object, o object) []object {
	i, known := slices.BinarySearchFunc(objects, o.name, func(other object, name string) int {
		return strings.Compare(other.name, name)
	})
	if known {
		objects[i].owned = objects[i].owned.and(o.owned)
		return objects
	}
	return slices.Insert(objects, i, o)
}

// narrow returns the scope inside a fragment on the named type; without a name it is the scope outside.
func (p *planner) narrow(at scope, typeName string) scope {
	condition, known := p.engine.types[typeName]
	if !known || condition == at.static {
		return at
	}
	inside := scope{static: condition, owned: at.owned}
	for _, o := range at.possible {
		if slices.Contains(condition.possible, o.typeRules) {
			inside.possible = append(inside.possible, o)
		}
	}
	return inside
}

// demand adds a check to the plan.
func (p *planner) demand(c check) {
	if len(c.demands) == 0 && !p.explaining {
		return
	}
	p.plan.checks = append(p.plan.checks, c)
	n := &p.plan.always
	if len(c.when) > 0 {
		key := c.when.key()
		i, known := p.groups[key]
		if !known {
			i = len(p.plan.sometimes)
			p.groups[key] = i
			p.plan.sometimes = append(p.plan.sometimes, group{when: c.when})
		}
		n = &p.plan.sometimes[i].need
	}
	for _, d := range c.demands {
		n.add(d)
	}
}

// prune drops the groups that can deny nobody whom the unconditional rules let pass.
func (p *planner) prune() {
	p.plan.sometimes = slices.DeleteFunc(p.plan.sometimes, func(g group) bool { return p.plan.always.implies(&g.need) })
}
