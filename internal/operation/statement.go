package operation

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/fault"
	"gatehouse/internal/introspection"
)

// statement is an operation as the engine is given it: printed anew from the tree, names and nothing else, so that no second
// parser can see what policy did not. Whatever a client can write between names (strings, numbers, comments, descriptions) is
// either gone or has become a variable. What the operation asks about the schema is left out of it.
//
// Fragments are printed where they are used, for each type that they apply to there, because the engine does not understand all
// of those that name an interface or a union: within an object a condition holds or does not, and none is printed; elsewhere it
// is an object, and only a fragment on an interface that selects nothing but leaves does for all of them.
//
// Nor does the engine merge a field of an interface with that of an object of it: what is selected of the one it would ask the
// other's resolver for, by the number of a method that is another one there. A field that is selected both ways is printed for
// each object.
type statement struct {
	text       string // empty where nothing is left for the engine
	slots      []slot
	selections int // fields and fragments in text
}

// slot is a variable of a statement: the value of one argument.
type slot struct {
	name     string
	declared string     // the type that the statement declares it with
	typ      *ast.Type  // the argument's type
	value    *ast.Value // what the client wrote
	constant any        // the coerced value, where value contains no variables
	fallback any        // the argument's default, for a value that is an absent variable
	fixed    bool       // constant is set
}

// printer writes a statement.
type printer struct {
	coercer     coercer
	op          *ast.OperationDefinition
	document    ast.FragmentDefinitionList
	most        int // selections that may be printed
	selected    int // those that are
	out         strings.Builder
	slots       []slot
	byKey       map[string]string // what equal arguments share → the name of their slot
	ways        map[string]string // response name of a field with subfields → the types on the way to it from the field above
	crossed     map[string]bool   // those with several ways
	introspects bool              // op asks about the schema
	problems    []problem
}

// state prints op, unless it comes to more than most selections. It also reports whether op asks for introspection.
func state(c coercer, doc *ast.QueryDocument, op *ast.OperationDefinition, most int) (*statement, bool, []problem) {
	p := &printer{
		coercer: c, op: op, document: doc.Fragments, most: most, byKey: map[string]string{}, ways: map[string]string{},
		crossed: map[string]bool{},
	}
	for f := range fields(op.SelectionSet, doc.Fragments) {
		p.introspects = p.introspects || introspection.Is(f.Name)
	}
	if !p.forEngine(op.SelectionSet) {
		return &statement{}, p.introspects, nil
	}
	root := rootOf(c.schema, op)
	p.cross(op.SelectionSet, root.Name)
	p.selections(op.SelectionSet, root)
	if p.selected > p.most {
		return &statement{}, p.introspects, []problem{reject(fault.ValidationFailed,
			"The document selects too many fields, fragments unfolded for each type that they apply to.", op.Position)}
	}
	head := string(op.Operation)
	if len(p.slots) > 0 {
		definitions := make([]string, len(p.slots))
		for i, s := range p.slots {
			definitions[i] = "$" + s.name + ":" + s.declared
		}
		head += "(" + strings.Join(definitions, ",") + ")"
	}
	return &statement{head + p.out.String(), p.slots, p.selected}, p.introspects, p.problems
}

// rootOf returns the type that op starts from.
func rootOf(schema *ast.Schema, op *ast.OperationDefinition) *ast.Definition {
	switch op.Operation {
	case ast.Mutation:
		return schema.Mutation
	case ast.Subscription:
		return schema.Subscription
	default:
		return schema.Query
	}
}

// cross finds the response names of fields with subfields that are not all reached in one way: from the field above them through
// fragments on the same types in the same order. Fields of one name and one way are printed alike wherever they can be merged. It
// does not look at where they stand in the response, so it finds more than have to be merged.
func (p *printer) cross(set ast.SelectionSet, way string) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if len(s.SelectionSet) == 0 {
				continue
			}
			if other, known := p.ways[s.Alias]; known && other != way {
				p.crossed[s.Alias] = true
			}
			p.ways[s.Alias] = way
			p.cross(s.SelectionSet, s.Definition.Type.Name())
		case *ast.InlineFragment:
			p.cross(s.SelectionSet, strings.TrimSuffix(way+" "+s.TypeCondition, " "))
		case *ast.FragmentSpread:
			fragment := p.document.ForName(s.Name)
			p.cross(fragment.SelectionSet, way+" "+fragment.TypeCondition)
		}
	}
}

// selections prints what is selected of an object of the type on, or of the objects that can be behind it.
func (p *printer) selections(set ast.SelectionSet, on *ast.Definition) {
	p.out.WriteString("{")
	p.each(set, on)
	if p.begins() { // no fragment applies, but something has to stand here
		p.out.WriteString("__typename@skip(if:true)")
	}
	p.out.WriteString("}")
}

// each prints selections without what stands around them.
func (p *printer) each(set ast.SelectionSet, on *ast.Definition) {
	for _, selection := range set {
		if p.selected > p.most {
			return
		}
		if !p.concernsEngine(selection) {
			continue
		}
		p.selected++
		switch s := selection.(type) {
		case *ast.Field:
			p.field(s, on)
		case *ast.InlineFragment:
			p.fragment(s.TypeCondition, s.Directives, s.SelectionSet, on)
		case *ast.FragmentSpread:
			fragment := p.document.ForName(s.Name)
			p.fragment(fragment.TypeCondition, s.Directives, fragment.SelectionSet, on)
		}
	}
}

// begins reports whether nothing is printed yet of a selection set.
func (p *printer) begins() bool { return strings.HasSuffix(p.out.String(), "{") }

// separate prints what stands between selections.
func (p *printer) separate() {
	if !p.begins() {
		p.out.WriteString(" ")
	}
}

// fragment prints a fragment, for each type that it has to be printed for; where it makes no difference, as what it selects.
func (p *printer) fragment(condition string, directives ast.DirectiveList, set ast.SelectionSet, on *ast.Definition) {
	for _, target := range p.targets(condition, set, on) {
		if target == on && len(directives) == 0 {
			p.each(set, on)
			continue
		}
		p.separate()
		p.out.WriteString("...")
		if target != on {
			p.out.WriteString("on " + target.Name)
		}
		p.directives(directives)
		p.selections(set, target)
	}
}

// targets returns what a fragment is printed for where a type stands: that type itself, where there is no other condition; the
// interface in the condition, where the engine understands it; else those objects of the type that the condition is met by.
func (p *printer) targets(condition string, set ast.SelectionSet, on *ast.Definition) []*ast.Definition {
	if condition == "" || condition == on.Name {
		return []*ast.Definition{on}
	}
	if def := p.coercer.schema.Types[condition]; on.IsAbstractType() && def.Kind == ast.Interface && leavesOnly(set) {
		return []*ast.Definition{def}
	}
	those := p.objects(condition)
	return slices.DeleteFunc(p.objects(on.Name), func(object *ast.Definition) bool { return !slices.Contains(those, object) })
}

// leavesOnly reports whether nothing in set has subfields or a type of its own.
func leavesOnly(set ast.SelectionSet) bool {
	return !slices.ContainsFunc(set, func(selection ast.Selection) bool {
		f, ok := selection.(*ast.Field)
		return !ok || len(f.SelectionSet) > 0
	})
}

// objects returns the objects that can be behind a type.
func (p *printer) objects(name string) []*ast.Definition {
	return slices.DeleteFunc(slices.Clone(p.coercer.schema.PossibleTypes[name]), func(def *ast.Definition) bool {
		return def.Kind != ast.Object // an interface that implements it
	})
}

// forEngine reports whether anything in set is the engine's to answer.
func (p *printer) forEngine(set ast.SelectionSet) bool {
	return slices.ContainsFunc(set, p.concernsEngine)
}

func (p *printer) concernsEngine(selection ast.Selection) bool {
	if !p.introspects {
		return true
	}
	switch s := selection.(type) {
	case *ast.Field:
		return !introspection.Is(s.Name)
	case *ast.InlineFragment:
		return p.forEngine(s.SelectionSet)
	case *ast.FragmentSpread:
		return p.forEngine(p.document.ForName(s.Name).SelectionSet)
	}
	return true
}

// field prints a field, for each object behind an interface where it has to be merged with theirs.
func (p *printer) field(f *ast.Field, on *ast.Definition) {
	if on.Kind != ast.Interface || !p.crossed[f.Alias] {
		p.separate()
		p.fieldOf(f, on)
		return
	}
	for _, object := range p.objects(on.Name) {
		p.separate()
		p.out.WriteString("...on " + object.Name + "{")
		p.fieldOf(f, object)
		p.out.WriteString("}")
	}
}

func (p *printer) fieldOf(f *ast.Field, on *ast.Definition) {
	if f.Alias != f.Name {
		p.out.WriteString(f.Alias + ":")
	}
	p.out.WriteString(f.Name)
	p.arguments(f.Definition.Arguments, f.Arguments)
	p.directives(f.Directives)
	if len(f.SelectionSet) > 0 {
		// An object may say more exactly what a field of its interface returns.
		p.selections(f.SelectionSet, p.coercer.schema.Types[on.Fields.ForName(f.Name).Type.Name()])
	}
}

// directives prints @skip and @include. No other directive stands in a document: the schema would have to declare it.
func (p *printer) directives(list ast.DirectiveList) {
	for _, d := range list {
		if d.Name == "skip" || d.Name == "include" {
			p.out.WriteString("@" + d.Name)
			p.arguments(d.Definition.Arguments, d.Arguments)
		}
	}
}

// arguments prints those arguments that the client gave; the engine knows the defaults of the others.
func (p *printer) arguments(definitions ast.ArgumentDefinitionList, given ast.ArgumentList) {
	if len(given) == 0 {
		return
	}
	printed := make([]string, len(given))
	for i, argument := range given {
		printed[i] = argument.Name + ":$" + p.slot(definitions.ForName(argument.Name), argument)
	}
	p.out.WriteString("(" + strings.Join(printed, ",") + ")")
}

// slot returns the name of the variable that stands for an argument's value. Equal values share one, so that fields that can be
// merged still can.
func (p *printer) slot(def *ast.ArgumentDefinition, argument *ast.Argument) string {
	key := def.Type.String() + "=" + def.DefaultValue.String() + "=" + ordered(argument.Value)
	if name, ok := p.byKey[key]; ok {
		return name
	}
	s := slot{name: "a" + strconv.Itoa(len(p.slots)), declared: def.Type.String(), typ: def.Type, value: argument.Value}
	if !def.Type.NonNull && p.neverNull(argument.Value) {
		s.declared += "!" // fits wherever the argument's type does, and also where an engine's introspection wants no null
	}
	var err error
	if def.DefaultValue != nil {
		s.fallback, _, err = p.coercer.literal(def.Type, def.DefaultValue, nil)
	}
	if err == nil && !hasVariable(argument.Value) {
		s.constant, _, err = p.coercer.literal(def.Type, argument.Value, nil)
		s.fixed = true
	}
	if err != nil {
		p.problems = append(p.problems, misfit(fault.ValidationFailed, "An argument", err, s.value.Position))
	}
	p.byKey[key] = s.name
	p.slots = append(p.slots, s)
	return s.name
}

// neverNull reports whether the value cannot be null, whatever the client sends. Variables are looked up in the operation, not in
// the tree: operations share the nodes of a fragment, and each defines the variables in it anew.
func (p *printer) neverNull(value *ast.Value) bool {
	if value.Kind == ast.Variable {
		return p.op.VariableDefinitions.ForName(value.Raw).Type.NonNull
	}
	return value.Kind != ast.NullValue
}

// bind returns the values of the slots for the given variables of the client.
func (s *statement) bind(c coercer, variables map[string]any) (map[string]any, []problem) {
	if len(s.slots) == 0 {
		return nil, nil
	}
	bound := make(map[string]any, len(s.slots))
	var problems []problem
	for i := range s.slots {
		a := &s.slots[i]
		if a.fixed {
			bound[a.name] = a.constant
			continue
		}
		value, present, err := c.literal(a.typ, a.value, variables)
		if err != nil {
			problems = append(problems, misfit(fault.BadUserInput, "An argument", err, a.value.Position))
			continue
		}
		if !present {
			value = a.fallback
		}
		bound[a.name] = value
	}
	return bound, problems
}

// hasVariable reports whether a variable is part of the value.
func hasVariable(value *ast.Value) bool {
	return value.Kind == ast.Variable ||
		slices.ContainsFunc(value.Children, func(child *ast.ChildValue) bool { return hasVariable(child.Value) })
}

// ordered returns the value's text with the fields of objects in the order of their names: validation holds {a: 1, b: 2} and
// {b: 2, a: 1} to be the same.
func ordered(value *ast.Value) string {
	if len(value.Children) == 0 {
		return strconv.Itoa(int(value.Kind)) + value.String()
	}
	parts := make([]string, len(value.Children))
	for i, child := range value.Children {
		parts[i] = child.Name + ":" + ordered(child.Value)
	}
	if value.Kind == ast.ObjectValue {
		slices.Sort(parts)
	}
	return strconv.Itoa(int(value.Kind)) + "(" + strings.Join(parts, ",") + ")"
}
