package operation

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"gatehouse/internal/fault"
)

// validationRule is one of GraphQL's validation rules, and what a client is told of a breach. gqlparser's own messages quote the
// document and suggest names from the schema; neither may leave the house.
type validationRule struct {
	core.Rule
	message func(breach) string
}

// breach is what stands at the place where a rule was broken: at most one of them is set.
type breach struct {
	field  *ast.Field
	value  *ast.Value
	object *ast.Value // the object literal whose field stands there
}

const onlyOneField = "A subscription selects one field of the schema, and only one."

// validationRules returns the rules of chapter 5 of the specification. Breaches at one place are reported in this order.
func validationRules() []validationRule {
	return []validationRule{
		{rules.LoneAnonymousOperationRule, always("An operation without a name has to be the only one in the document.")},
		{rules.UniqueOperationNamesRule, always("Two operations have the same name.")},
		{rules.KnownRootTypeRule, always("The schema has no operations of this type.")},
		{rules.SingleFieldSubscriptionsRule, always(onlyOneField)},
		{rules.KnownTypeNamesRuleWithoutSuggestions, always("Unknown type.")},
		{rules.KnownFragmentNamesRule, always("Unknown fragment.")},
		{rules.UniqueFragmentNamesRule, always("Two fragments have the same name.")},
		{rules.NoUnusedFragmentsRule, always("A fragment is never used.")},
		{rules.NoFragmentCyclesRule, always("A fragment spreads itself, directly or through others.")},
		{rules.FragmentsOnCompositeTypesRule, always("A fragment applies to an object, an interface or a union, nothing else.")},
		{rules.PossibleFragmentSpreadsRule, always("A fragment can never apply here: no object is of both types.")},
		{rules.FieldsOnCorrectTypeRuleWithoutSuggestions, unknownField},
		{rules.ScalarLeafsRuleWithoutSuggestions, wrongLeaf},
		{rules.OverlappingFieldsCanBeMergedRule, always("Two different fields share a response name: alias one.")},
		{rules.KnownArgumentNamesRuleWithoutSuggestions, unknownArgument},
		{rules.UniqueArgumentNamesRule, always("An argument is given twice.")},
		{rules.ProvidedRequiredArgumentsRule, missingArgument},
		{rules.KnownDirectivesRule, always("Unknown directive, or one that does not belong here.")},
		{rules.UniqueDirectivesPerLocationRule, always("A directive is repeated that can only be used once.")},
		{rules.ValuesOfCorrectTypeRuleWithoutSuggestions, wrongValue},
		{rules.UniqueInputFieldNamesRule, always("An input field is given twice.")},
		{rules.UniqueVariableNamesRule, always("Two variables have the same name.")},
		{rules.VariablesAreInputTypesRule, always("A variable has to be of an input type.")},
		{rules.NoUndefinedVariablesRule, always("A variable is used that the operation does not define.")},
		{rules.NoUnusedVariablesRule, always("A variable is never used.")},
		{rules.VariablesInAllowedPositionRule, wrongVariable},
		{rules.MaxIntrospectionDepth, always("Introspection goes round in circles.")},
	}
}

// validate checks the document against the schema, whose definitions its nodes point to from then on. It returns at most
// maxErrors breaches.
func (x *Executor) validate(schema *ast.Schema, doc *ast.QueryDocument) []problem {
	type found struct {
		rule  validationRule
		error *gqlerror.Error
	}
	var breaches []found
	observers := &core.Events{}
	for _, rule := range x.rules {
		rule.RuleFunc(observers, func(options ...core.ErrorOption) {
			if len(breaches) == maxErrors {
				return
			}
			broken := &gqlerror.Error{}
			for _, option := range options {
				option(broken)
			}
			breaches = append(breaches, found{rule, broken})
		})
	}
	core.Walk(schema, doc, observers)
	if len(breaches) == 0 {
		return nil
	}
	nodes := index(schema, doc)
	problems := make([]problem, len(breaches))
	for i, b := range breaches {
		var at breach
		var locations []Location
		for _, l := range b.error.Locations {
			locations = append(locations, Location(l))
		}
		if len(locations) > 0 {
			at = nodes[locations[0]]
		}
		problems[i] = reject(fault.ValidationFailed, b.rule.message(at))
		problems[i].locations = locations
	}
	return problems
}

// index returns the fields and values of the document by their places.
func index(schema *ast.Schema, doc *ast.QueryDocument) map[Location]breach {
	nodes := map[Location]breach{}
	observers := &core.Events{}
	observers.OnField(func(_ *core.Walker, field *ast.Field) {
		for _, at := range locate(field.Position) {
			nodes[at] = breach{field: field}
		}
	})
	observers.OnValue(func(_ *core.Walker, value *ast.Value) {
		for _, at := range locate(value.Position) {
			nodes[at] = breach{value: value}
		}
		for _, child := range value.Children {
			if child.Name != "" {
				for _, at := range locate(child.Position) {
					nodes[at] = breach{object: value}
				}
			}
		}
	})
	core.Walk(schema, doc, observers)
	return nodes
}

// always returns the message of a rule whose breaches are all told alike.
func always(message string) func(breach) string {
	return func(breach) string { return message }
}

func unknownField(b breach) string {
	if b.field == nil || b.field.ObjectDefinition == nil {
		return "Unknown field."
	}
	return fmt.Sprintf("Unknown field on type %q.", b.field.ObjectDefinition.Name)
}

func wrongLeaf(b breach) string {
	switch {
	case b.field == nil || b.field.Definition == nil || b.field.ObjectDefinition == nil:
		return "A field is selected without its subfields, or with subfields it does not have."
	case len(b.field.SelectionSet) > 0:
		return fmt.Sprintf("Field %q has no subfields.", coordinate(b.field))
	}
	return fmt.Sprintf("Field %q of type %q needs a selection of its subfields.", coordinate(b.field),
		b.field.Definition.Type.String())
}

func unknownArgument(b breach) string {
	if b.field == nil || b.field.Definition == nil || b.field.ObjectDefinition == nil {
		return "Unknown argument."
	}
	return fmt.Sprintf("Unknown argument on field %q.", coordinate(b.field))
}

func missingArgument(b breach) string {
	if b.field == nil || b.field.Definition == nil || b.field.ObjectDefinition == nil {
		return "A required argument is missing."
	}
	for _, argument := range b.field.Definition.Arguments {
		if argument.Type.NonNull && argument.DefaultValue == nil && b.field.Arguments.ForName(argument.Name) == nil {
			return fmt.Sprintf("Field %q requires the argument %q of type %q.", coordinate(b.field), argument.Name,
				argument.Type.String())
		}
	}
	return fmt.Sprintf("A required argument of field %q is missing.", coordinate(b.field))
}

func wrongValue(b breach) string {
	if b.object != nil && b.object.Definition != nil {
		return fmt.Sprintf("Unknown input field on type %q.", b.object.Definition.Name)
	}
	if b.value == nil || b.value.Definition == nil || b.value.ExpectedType == nil {
		return "A value is not of the type it should be."
	}
	def := b.value.Definition
	if b.value.Kind != ast.ObjectValue || def.Kind != ast.InputObject {
		return fmt.Sprintf("Expected a value of type %q.", b.value.ExpectedType.String())
	}
	for _, field := range def.Fields {
		if field.Type.NonNull && field.DefaultValue == nil && b.value.Children.ForName(field.Name) == nil {
			return fmt.Sprintf("Input field %q of type %q is required.", def.Name+"."+field.Name, field.Type.String())
		}
	}
	return fmt.Sprintf("A value of type %q has exactly one of its fields.", def.Name) // @oneOf: the only other complaint there is
}

func wrongVariable(b breach) string {
	if b.value == nil || b.value.Definition == nil || b.value.ExpectedType == nil {
		return "A variable does not fit where it is used."
	}
	return fmt.Sprintf("A variable does not fit where it is used: a value of type %q belongs there.",
		b.value.ExpectedType.String())
}

// coordinate returns the schema coordinate of a field that the schema knows.
func coordinate(f *ast.Field) string { return f.ObjectDefinition.Name + "." + f.Definition.Name }
