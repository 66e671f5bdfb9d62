package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
)

// ownership says when an object is the caller's own: when in one of the ways all operands are the caller's own id. No way
// means never, and a way that asks for nothing means always. Ways are sorted, and none includes another.
type ownership [][]*operand

// maxWays bounds an ownership. Ways beyond it are forgotten, which can only deny.
const maxWays = 8

func always() ownership { return ownership{nil} }

func (o ownership) isAlways() bool { return len(o) == 1 && len(o[0]) == 0 }

// or returns the ownership that holds where either does.
func (o ownership) or(other ownership) ownership {
	switch {
	case len(o) == 0 || other.isAlways():
		return other
	case len(other) == 0 || o.isAlways():
		return o
	}
	return shortest(slices.Concat(o, other))
}

// and returns the ownership that holds where both do.
func (o ownership) and(other ownership) ownership {
	switch {
	case len(o) == 0 || other.isAlways():
		return o
	case len(other) == 0 || o.isAlways():
		return other
	}
	both := make(ownership, 0, len(o)*len(other))
	for _, a := range o {
		for _, b := range other {
			way := slices.Concat(a, b)
			slices.SortFunc(way, (*operand).compare)
			both = append(both, slices.Compact(way))
		}
	}
	return shortest(both)
}

// shortest sorts ways, leaves out those that include another, and keeps at most maxWays.
func shortest(ways ownership) ownership {
	slices.SortFunc(ways, func(a, b []*operand) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return slices.CompareFunc(a, b, (*operand).compare)
	})
	var kept ownership
	for _, way := range ways {
		includes := slices.ContainsFunc(kept, func(less []*operand) bool {
			return !slices.ContainsFunc(less, func(o *operand) bool { return !slices.Contains(way, o) })
		})
		if !includes && len(kept) < maxWays {
			kept = append(kept, way)
		}
	}
	return kept
}

// holds reports whether the object is the caller's own.
func (o ownership) holds(caller *auth.Caller, variables map[string]any) bool {
	for _, way := range o {
		all := true
		for _, operand := range way {
			if id, ok := operand.text(variables); !ok || !caller.Owns(id) {
				all = false
				break
			}
		}
		if all {
			return true
		}
	}
	return false
}

// key returns what equal ownerships share.
func (o ownership) key() string {
	var key strings.Builder
	for _, way := range o {
		for _, operand := range way {
			key.WriteString(operand.key)
			key.WriteByte('&')
		}
		key.WriteByte('|')
	}
	return key.String()
}

// ownerPath is the way from a field's arguments to the one that has to be the caller's own id.
type ownerPath struct {
	requirement *requirement
	argument    *ast.ArgumentDefinition
	fields      []*ast.FieldDefinition // through the argument's input objects
}

// operand is where the id in an argument comes from: the document itself, or a variable. Within a plan, equal ones are one.
type operand struct {
	constant string                 // the id, where variable is empty
	variable string                 // the variable that holds the id, or the input object around it
	fields   []*ast.FieldDefinition // from the variable's value to the id
	fallback *operand               // where the variable is absent; nil: there is no id then
	key      string
}

func (o *operand) compare(other *operand) int { return strings.Compare(o.key, other.key) }

// newOperand finds the id along fields, in a value that the document gives or in the default that stands in for it. It returns
// nil where there is none: what is absent or null is nobody's id.
func newOperand(given, byDefault *ast.Value, fields []*ast.FieldDefinition, op *ast.OperationDefinition) *operand {
	switch {
	case given == nil && byDefault == nil:
		return nil
	case given == nil:
		return newOperand(byDefault, nil, fields, op)
	}
	switch given.Kind {
	case ast.Variable:
		o := &operand{variable: given.Raw, fields: fields}
		// Looked up in op, not in the tree: operations share the nodes of a fragment.
		if def := op.VariableDefinitions.ForName(given.Raw); def != nil && def.DefaultValue != nil {
			o.fallback = newOperand(def.DefaultValue, nil, fields, op)
		} else {
			o.fallback = newOperand(nil, byDefault, fields, op)
		}
		return o.seal()
	case ast.ObjectValue:
		if len(fields) == 0 {
			return nil
		}
		return newOperand(given.Children.ForName(fields[0].Name), fields[0].DefaultValue, fields[1:], op)
	case ast.StringValue, ast.BlockValue:
		if len(fields) > 0 {
			return nil
		}
		return (&operand{constant: given.Raw}).seal()
	default: // null, or what is no id of ours
		return nil
	}
}

func (o *operand) seal() *operand {
	if o.variable == "" {
		o.key = strconv.Quote(o.constant)
		return o
	}
	var key strings.Builder
	key.WriteString("$" + o.variable)
	for _, field := range o.fields {
		key.WriteString("." + field.Name)
	}
	if o.fallback != nil {
		key.WriteString("=" + o.fallback.key)
	}
	o.key = key.String()
	return o
}

// text returns the id, and false where there is none. It allocates nothing for variables that were coerced.
func (o *operand) text(variables map[string]any) (string, bool) {
	if o.variable == "" {
		return o.constant, true
	}
	value, present := variables[o.variable]
	if !present {
		if o.fallback == nil {
			return "", false
		}
		return o.fallback.text(variables)
	}
	for i, field := range o.fields {
		object, ok := value.(map[string]any)
		if !ok {
			return "", false
		}
		if value, present = object[field.Name]; !present { // coercion would have put the default there
			byDefault := newOperand(field.DefaultValue, nil, o.fields[i+1:], nil)
			if byDefault == nil {
				return "", false
			}
			return byDefault.text(nil)
		}
	}
	id, ok := value.(string)
	return id, ok
}
