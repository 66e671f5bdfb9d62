package operation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/fault"
	"gatehouse/internal/introspection"
)

// part is one field of a response's data.
type part struct {
	key    string
	answer json.RawMessage // nil where the engine has it
}

// introspect answers what the operation asks about the schema. It returns all fields of the response in their order, those that
// are the engine's to answer without an answer.
func (x *Executor) introspect(e *edition, op *prepared, variables map[string]any) ([]part, []problem) {
	i := &inquiry{edition: e, fragments: op.fragments, variables: variables}
	left := x.limits.IntrospectionBytes
	var parts []part
	for _, s := range i.collect(e.schema.Query.Name, op.definition.SelectionSet) {
		p := part{key: s.key}
		if introspection.Is(s.fields[0].Name) {
			asked := i.field(s)
			if len(i.problems) > 0 {
				break
			}
			answer, err := e.about.Answer(asked, left)
			if errors.Is(err, introspection.ErrTooLarge) {
				return nil, []problem{reject(fault.ValidationFailed, fmt.Sprintf(
					"What the document asks about the schema takes more than %d bytes to answer: ask for less.",
					x.limits.IntrospectionBytes), s.fields[0].Position)}
			}
			p.answer = answer
			left -= len(answer)
		}
		parts = append(parts, p)
	}
	return parts, i.problems
}

// complete executes what is left for the engine, if anything, and puts the parts around it.
func (x *Executor) complete(ctx context.Context, parts []part, statement Request) Result {
	result := Result{Data: json.RawMessage("{}")}
	if statement.Query != "" {
		result = x.engine.Execute(ctx, statement)
	}
	var err error
	if result.Data, err = merge(parts, result.Data); err != nil {
		result.Errors = append(result.Errors, ResolverError{Err: err})
	}
	return result
}

// merge returns parts as one JSON object, with the engine's part of it from data. Where the engine has nothing, a field that
// may not be null was, and so nothing is left of the whole.
func merge(parts []part, data json.RawMessage) (json.RawMessage, error) {
	if data == nil {
		return nil, nil
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(data, &given); err != nil {
		return nil, fmt.Errorf("operation: read what the engine answered: %w", err)
	}
	if given == nil {
		return nil, nil
	}
	size := len(data)
	for _, p := range parts {
		size += len(`"":,`) + len(p.key) + len(p.answer)
	}
	out := append(make([]byte, 0, size), '{')
	for _, p := range parts {
		value := p.answer
		if value == nil {
			value = given[p.key]
		}
		if value == nil {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = append(out, p.key...) // a name: nothing in it needs escaping
		out = append(out, `":`...)
		out = append(out, value...)
	}
	return append(out, '}'), nil
}

// inquiry reads selections as section 6.3.2 of the GraphQL specification (October 2021) has them read when they are executed.
type inquiry struct {
	*edition
	fragments ast.FragmentDefinitionList
	variables map[string]any
	problems  []problem
}

// selected is what is selected under one response name. Validation has made sure that the fields can be merged.
type selected struct {
	key    string
	fields []*ast.Field
}

// field returns what is selected under one response name with all that is below.
func (i *inquiry) field(s *selected) introspection.Field {
	first := s.fields[0]
	f := introspection.Field{Key: s.key, Name: first.Name, Arguments: i.arguments(first)}
	var sets []ast.SelectionSet
	for _, same := range s.fields {
		if len(same.SelectionSet) > 0 {
			sets = append(sets, same.SelectionSet)
		}
	}
	if sets != nil {
		for _, below := range i.collect(first.Definition.Type.Name(), sets...) {
			f.Fields = append(f.Fields, i.field(below))
		}
	}
	return f
}

// collect returns what is selected on an object of the type, in the order of the document.
func (i *inquiry) collect(object string, sets ...ast.SelectionSet) []*selected {
	c := &collection{inquiry: i, object: object, known: map[string]*selected{}, spread: map[string]bool{}}
	for _, set := range sets {
		c.add(set)
	}
	return c.list
}

// collection is the fields of one object, as far as they have been read.
type collection struct {
	*inquiry
	object string
	list   []*selected
	known  map[string]*selected
	spread map[string]bool // names of fragments: spreading one again adds nothing
}

func (c *collection) add(set ast.SelectionSet) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if !c.included(s.Directives) {
				continue
			}
			if c.known[s.Alias] == nil {
				c.known[s.Alias] = &selected{key: s.Alias}
				c.list = append(c.list, c.known[s.Alias])
			}
			c.known[s.Alias].fields = append(c.known[s.Alias].fields, s)
		case *ast.InlineFragment:
			if c.included(s.Directives) && c.applies(s.TypeCondition) {
				c.add(s.SelectionSet)
			}
		case *ast.FragmentSpread:
			if c.spread[s.Name] || !c.included(s.Directives) {
				continue
			}
			c.spread[s.Name] = true
			if fragment := c.fragments.ForName(s.Name); c.applies(fragment.TypeCondition) {
				c.add(fragment.SelectionSet)
			}
		}
	}
}

// applies reports whether a fragment on the named type is about the object.
func (c *collection) applies(condition string) bool {
	return condition == "" || condition == c.object ||
		slices.ContainsFunc(c.schema.PossibleTypes[condition], func(t *ast.Definition) bool { return t.Name == c.object })
}

// included reports whether @skip and @include leave what they stand on.
func (i *inquiry) included(directives ast.DirectiveList) bool {
	for _, d := range directives {
		if d.Name != "skip" && d.Name != "include" {
			continue
		}
		if i.value(d.Definition.Arguments.ForName("if"), d.Arguments) != (d.Name == "include") {
			return false
		}
	}
	return true
}

// arguments returns the arguments of a field, coerced.
func (i *inquiry) arguments(f *ast.Field) map[string]any {
	if len(f.Definition.Arguments) == 0 {
		return nil
	}
	values := make(map[string]any, len(f.Definition.Arguments))
	for _, def := range f.Definition.Arguments {
		values[def.Name] = i.value(def, f.Arguments)
	}
	return values
}

// value returns the value of an argument, coerced; nil where none is given and there is no default.
func (i *inquiry) value(def *ast.ArgumentDefinition, given ast.ArgumentList) any {
	literal := def.DefaultValue
	if argument := given.ForName(def.Name); argument != nil {
		value, present, err := i.coercer.literal(def.Type, argument.Value, i.variables)
		if err != nil {
			i.problems = append(i.problems, misfit(fault.BadUserInput, "An argument", err, argument.Value.Position))
		}
		if present {
			return value
		}
	}
	if literal == nil {
		return nil
	}
	value, _, err := i.coercer.literal(def.Type, literal, nil)
	if err != nil {
		i.problems = append(i.problems, misfit(fault.BadUserInput, "An argument's default", err, literal.Position))
	}
	return value
}
