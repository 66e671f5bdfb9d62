package operation

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/fault"
)

// coercer turns literals and JSON into what an Engine expects, as sections 3.5, 3.9 to 3.12 and 6.1.2 of the GraphQL
// specification (October 2021) demand. Its errors name elements of the schema, never a value.
type coercer struct{ schema *ast.Schema }

// variables coerces what a client sent for the variables of op. A variable that was not sent and has no default is absent.
func (c coercer) variables(op *ast.OperationDefinition, sent map[string]any) (map[string]any, []problem) {
	if len(op.VariableDefinitions) == 0 {
		return nil, nil
	}
	coerced := make(map[string]any, len(op.VariableDefinitions))
	var problems []problem
	for _, def := range op.VariableDefinitions {
		var value any
		var err error
		switch given, ok := sent[def.Variable]; {
		case ok:
			value, err = c.json(def.Type, given)
		case def.DefaultValue != nil:
			value, _, err = c.literal(def.Type, def.DefaultValue, nil)
		case def.Type.NonNull:
			err = fmt.Errorf("a value of type %q is required", def.Type.String())
		default:
			continue
		}
		if err != nil {
			problems = append(problems, misfit(fault.BadUserInput, "A variable's value", err, def.Position))
			continue
		}
		coerced[def.Variable] = value
	}
	return coerced, problems
}

// json coerces a value as JSON has it.
func (c coercer) json(t *ast.Type, value any) (any, error) {
	if value == nil {
		return nil, nullable(t)
	}
	if t.Elem != nil {
		given, ok := value.([]any)
		if !ok {
			given = []any{value}
		}
		list := make([]any, len(given))
		for i, element := range given {
			var err error
			if list[i], err = c.json(t.Elem, element); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	switch def := c.schema.Types[t.NamedType]; def.Kind {
	case ast.InputObject:
		return c.jsonObject(def, value)
	case ast.Enum:
		if name, ok := value.(string); ok && def.EnumValues.ForName(name) != nil {
			return name, nil
		}
		return nil, expected(t)
	default:
		return jsonScalar(t, value)
	}
}

func (c coercer) jsonObject(def *ast.Definition, value any) (any, error) {
	given, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("an object of type %q is required", def.Name)
	}
	known := 0
	object := make(map[string]any, len(def.Fields))
	for _, field := range def.Fields {
		element, present := given[field.Name]
		if present {
			known++
			coerced, err := c.json(field.Type, element)
			if err != nil {
				return nil, inField(def, field, err)
			}
			object[field.Name] = coerced
		} else if err := c.absent(def, field, object); err != nil {
			return nil, err
		}
	}
	if known < len(given) {
		return nil, fmt.Errorf("%q has no such field", def.Name)
	}
	return object, oneOf(def, object)
}

func jsonScalar(t *ast.Type, value any) (any, error) {
	number, isNumber := value.(json.Number)
	switch t.NamedType {
	case "Int":
		if isNumber {
			return parseInt(t, number.String())
		}
	case "Float":
		if isNumber {
			return parseFloat(t, number.String())
		}
	case "ID":
		if _, err := number.Int64(); isNumber && err == nil {
			return number.String(), nil
		}
		if text, ok := value.(string); ok {
			return text, nil
		}
	case "String":
		if text, ok := value.(string); ok {
			return text, nil
		}
	case "Boolean":
		if truth, ok := value.(bool); ok {
			return truth, nil
		}
	default: // what a custom scalar accepts is for its own type to say
		return value, nil
	}
	return nil, expected(t)
}

// literal coerces a value as a document has it, with the coerced variables. It returns false where the value is a
// variable that is absent.
func (c coercer) literal(t *ast.Type, value *ast.Value, variables map[string]any) (any, bool, error) {
	switch {
	case value.Kind == ast.Variable:
		given, ok := variables[value.Raw]
		if !ok {
			return nil, false, nil
		}
		if given == nil { // possible for a variable with a default, where a value is required
			return nil, true, nullable(t)
		}
		return given, true, nil
	case value.Kind == ast.NullValue:
		return nil, true, nullable(t)
	case t.Elem != nil:
		list, err := c.literalList(t, value, variables)
		return list, true, err
	}
	var coerced any
	var err error
	switch def := c.schema.Types[t.NamedType]; def.Kind {
	case ast.InputObject:
		coerced, err = c.literalObject(def, value, variables)
	case ast.Enum:
		coerced = value.Raw
		if value.Kind != ast.EnumValue || def.EnumValues.ForName(value.Raw) == nil {
			err = expected(t)
		}
	default:
		coerced, err = literalScalar(t, value, variables)
	}
	return coerced, true, err
}

func (c coercer) literalList(t *ast.Type, value *ast.Value, variables map[string]any) (any, error) {
	if value.Kind != ast.ListValue {
		element, _, err := c.literal(t.Elem, value, variables)
		return []any{element}, err
	}
	list := make([]any, len(value.Children))
	for i, child := range value.Children {
		element, present, err := c.literal(t.Elem, child.Value, variables)
		if err == nil && !present {
			err = nullable(t.Elem)
		}
		if err != nil {
			return nil, err
		}
		list[i] = element
	}
	return list, nil
}

func (c coercer) literalObject(def *ast.Definition, value *ast.Value, variables map[string]any) (any, error) {
	if value.Kind != ast.ObjectValue {
		return nil, fmt.Errorf("an object of type %q is required", def.Name)
	}
	object := make(map[string]any, len(def.Fields))
	for _, field := range def.Fields {
		if child := value.Children.ForName(field.Name); child != nil {
			coerced, present, err := c.literal(field.Type, child, variables)
			if err != nil {
				return nil, inField(def, field, err)
			}
			if present {
				object[field.Name] = coerced
				continue
			}
		}
		if err := c.absent(def, field, object); err != nil {
			return nil, err
		}
	}
	return object, oneOf(def, object)
}

func literalScalar(t *ast.Type, value *ast.Value, variables map[string]any) (any, error) {
	text := value.Kind == ast.StringValue || value.Kind == ast.BlockValue
	switch {
	case t.NamedType == "Int" && value.Kind == ast.IntValue:
		return parseInt(t, value.Raw)
	case t.NamedType == "Float" && (value.Kind == ast.IntValue || value.Kind == ast.FloatValue):
		return parseFloat(t, value.Raw)
	case t.NamedType == "ID" && (text || value.Kind == ast.IntValue), t.NamedType == "String" && text:
		return value.Raw, nil
	case t.NamedType == "Boolean" && value.Kind == ast.BooleanValue:
		return value.Raw == "true", nil
	}
	switch t.NamedType {
	case "Int", "Float", "ID", "String", "Boolean":
		return nil, expected(t)
	}
	return untyped(value, variables), nil
}

// untyped returns the literal of a custom scalar as JSON would have it.
func untyped(value *ast.Value, variables map[string]any) any {
	switch value.Kind {
	case ast.Variable:
		return variables[value.Raw]
	case ast.IntValue, ast.FloatValue:
		return json.Number(value.Raw)
	case ast.BooleanValue:
		return value.Raw == "true"
	case ast.NullValue:
		return nil
	case ast.ListValue:
		list := make([]any, len(value.Children))
		for i, child := range value.Children {
			list[i] = untyped(child.Value, variables)
		}
		return list
	case ast.ObjectValue:
		object := make(map[string]any, len(value.Children))
		for _, child := range value.Children {
			object[child.Name] = untyped(child.Value, variables)
		}
		return object
	default: // strings and enum values
		return value.Raw
	}
}

// absent gives the field of an input object that was left out its default, if it has one.
func (c coercer) absent(def *ast.Definition, field *ast.FieldDefinition, object map[string]any) error {
	switch {
	case field.DefaultValue != nil:
		coerced, _, err := c.literal(field.Type, field.DefaultValue, nil)
		if err != nil {
			return inField(def, field, err)
		}
		object[field.Name] = coerced
	case field.Type.NonNull:
		return inField(def, field, fmt.Errorf("a value of type %q is required", field.Type.String()))
	}
	return nil
}

// oneOf holds an input object marked @oneOf to its promise.
func oneOf(def *ast.Definition, object map[string]any) error {
	if def.Directives.ForName("oneOf") == nil {
		return nil
	}
	for _, value := range object {
		if len(object) == 1 && value != nil {
			return nil
		}
	}
	return fmt.Errorf("%q takes exactly one of its fields, and not null", def.Name)
}

func parseInt(t *ast.Type, text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return int32(n), nil
	}
	// JSON has one kind of number: 1.0 and 1e3 are integers in it.
	if f, err := strconv.ParseFloat(text, 64); err == nil && f == math.Trunc(f) && math.MinInt32 <= f && f <= math.MaxInt32 {
		return int32(f), nil
	}
	return nil, expected(t)
}

func parseFloat(t *ast.Type, text string) (any, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, expected(t)
	}
	return f, nil
}

// nullable returns an error where null is not a value of t.
func nullable(t *ast.Type) error {
	if t.NonNull {
		return fmt.Errorf("a value of type %q cannot be null", t.String())
	}
	return nil
}

func expected(t *ast.Type) error { return fmt.Errorf("a value of type %q is required", t.String()) }

func inField(def *ast.Definition, field *ast.FieldDefinition, err error) error {
	return fmt.Errorf("%s.%s: %w", def.Name, field.Name, err)
}
