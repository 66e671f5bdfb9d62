package policy_test

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// naive is a second opinion on who may do what: it walks the document again for every caller, asks every directive anew,
// knows scopes by name, and follows each possible object on its own. It shares no code with the engine and is as slow as it
// looks.
type naive struct {
	schema    *ast.Schema
	doc       *ast.QueryDocument
	op        *ast.OperationDefinition
	signedIn  bool
	holds     []string
	variables map[string]any
	denied    map[string]bool // "path coordinate"
}

// decide returns what is denied.
func (n *naive) decide() map[string]bool {
	n.denied = map[string]bool{}
	root := map[ast.Operation]*ast.Definition{
		ast.Query: n.schema.Query, ast.Mutation: n.schema.Mutation, ast.Subscription: n.schema.Subscription,
	}[n.op.Operation]
	n.visit(root, root, n.op.SelectionSet, nil)
	return n.denied
}

// visit judges a selection set that the document writes on the type written, for an object that turns out to be actual; nil
// stands for an object that can be none.
func (n *naive) visit(written, actual *ast.Definition, set ast.SelectionSet, path []string) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if n.skipped(s.Directives) || s.Name == "__schema" || s.Name == "__type" {
				continue
			}
			at := append(slices.Clone(path), s.Alias)
			coordinate := written.Name
			if s.Name != "__typename" {
				coordinate += "." + s.Name
			}
			if !n.mayHave(written, s.Name) || actual != nil && !n.mayHave(actual, s.Name) {
				n.denied[strings.Join(at, ".")+" "+coordinate] = true
			}
			n.descend(written, actual, s, at)
		case *ast.InlineFragment:
			if !n.skipped(s.Directives) {
				n.fragment(written, actual, s.TypeCondition, s.SelectionSet, path)
			}
		case *ast.FragmentSpread:
			if !n.skipped(s.Directives) {
				f := n.doc.Fragments.ForName(s.Name)
				n.fragment(written, actual, f.TypeCondition, f.SelectionSet, path)
			}
		}
	}
}

// descend visits what a field returns: as everything that it can be.
func (n *naive) descend(written, actual *ast.Definition, s *ast.Field, path []string) {
	declared := written.Fields.ForName(s.Name)
	if s.Name == "__typename" || declared == nil {
		return
	}
	returns := n.schema.Types[declared.Type.Name()]
	n.visit(returns, nil, s.SelectionSet, path)
	if actual == nil {
		return
	}
	narrower := n.schema.Types[actual.Fields.ForName(s.Name).Type.Name()]
	for _, candidate := range n.schema.Types {
		if candidate.Kind == ast.Object && n.is(candidate, narrower) {
			n.visit(returns, candidate, s.SelectionSet, path)
		}
	}
}

func (n *naive) fragment(written, actual *ast.Definition, condition string, set ast.SelectionSet, path []string) {
	if condition == "" {
		n.visit(written, actual, set, path)
		return
	}
	on := n.schema.Types[condition]
	if actual != nil && !n.is(actual, on) {
		actual = nil
	}
	n.visit(on, actual, set, path)
}

// is reports whether every object of type a is one of type b.
func (n *naive) is(a, b *ast.Definition) bool {
	return a.Name == b.Name || slices.Contains(a.Interfaces, b.Name) || slices.Contains(b.Types, a.Name)
}

// mayHave reports whether the caller may have the field of the type.
func (n *naive) mayHave(t *ast.Definition, field string) bool {
	if !n.mayHaveType(t) {
		return false
	}
	def := t.Fields.ForName(field)
	if field == "__typename" || def == nil {
		return true
	}
	if !n.meets(def.Directives) || !n.mayHaveType(n.schema.Types[def.Type.Name()]) {
		return false
	}
	for _, name := range t.Interfaces {
		if inherited := n.schema.Types[name].Fields.ForName(field); inherited != nil && !n.meets(inherited.Directives) {
			return false
		}
	}
	return true
}

func (n *naive) mayHaveType(t *ast.Definition) bool {
	for _, name := range t.Interfaces {
		if !n.meets(n.schema.Types[name].Directives) {
			return false
		}
	}
	return n.meets(t.Directives)
}

func (n *naive) meets(directives ast.DirectiveList) bool {
	for _, d := range directives {
		if d.Name == "auth" && !n.meetsOne(d) {
			return false
		}
	}
	return true
}

func (n *naive) meetsOne(d *ast.Directive) bool {
	if !n.signedIn {
		return false
	}
	scopes := d.Arguments.ForName("scopes")
	if scopes == nil {
		return true
	}
	for _, alternative := range scopes.Value.Children {
		all := true
		for _, scope := range alternative.Value.Children {
			all = all && slices.Contains(n.holds, scope.Value.Raw)
		}
		if all {
			return true
		}
	}
	return false
}

func (n *naive) skipped(directives ast.DirectiveList) bool {
	return n.says(directives.ForName("skip"), true) || n.says(directives.ForName("include"), false)
}

// says reports whether the directive is there and its condition has that value.
func (n *naive) says(d *ast.Directive, value bool) bool {
	if d == nil {
		return false
	}
	condition := d.Arguments.ForName("if").Value
	if condition.Kind != ast.Variable {
		return condition.Raw == "true" == value
	}
	given, ok := n.variables[condition.Raw]
	if !ok {
		given = n.op.VariableDefinitions.ForName(condition.Raw).DefaultValue.Raw == "true"
	}
	return given == value
}
