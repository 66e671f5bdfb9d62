package policy

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

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
