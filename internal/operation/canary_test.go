package operation_test

import (
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/validator/rules"

	"gatehouse/internal/operation"
)

// canary stands for a password that somebody put where it does not belong.
const canary = "canaryXq9"

// breaches has, for every validation rule, documents that break it with the canary wherever a client can put a name or a
// value, and a part of what the client is told.
var breaches = map[string][][2]string{
	"LoneAnonymousOperation": {{`{ hello } query canaryXq9 { hello }`, "without a name"}},
	"UniqueOperationNames":   {{`query canaryXq9 { hello } query canaryXq9 { hello }`, "Two operations"}},
	"KnownRootType":          {{`mutation canaryXq9 { canaryXq9 }`, "The schema has no operations of this type."}},
	"SingleFieldSubscriptions": {
		{`subscription canaryXq9 { events canaryXq9: events canaryXq9b: __typename }`, "A subscription selects one field"},
	},
	"KnownTypeNames": {
		{`{ ... on canaryXq9 { hello } }`, "Unknown type"},
		{`{ ...F } fragment F on canaryXq9 { hello }`, "Unknown type"},
		{`query($v: [canaryXq9!] = "canaryXq9") { echo(any: $v) }`, "Unknown type"},
	},
	"KnownFragmentNames": {{`{ ...canaryXq9 }`, "Unknown fragment"}},
	"UniqueFragmentNames": {
		{`{ ...canaryXq9 } fragment canaryXq9 on Query { hello } fragment canaryXq9 on Query { hello }`, "Two fragments"},
	},
	"NoUnusedFragments": {{`{ hello } fragment canaryXq9 on Query { hello }`, "never used"}},
	"NoFragmentCycles": {
		{
			`{ ...canaryXq9 } fragment canaryXq9 on Query { ...canaryXq9b } fragment canaryXq9b on Query { ...canaryXq9 }`,
			"spreads itself",
		},
	},
	"FragmentsOnCompositeTypes": {
		{`{ ... on Colour { canaryXq9 } }`, "applies to an object"},
		{`{ ...canaryXq9 } fragment canaryXq9 on LoginInput { hello }`, "applies to an object"},
	},
	"PossibleFragmentSpreads": {
		{`{ ... on User { id } }`, "can never apply"},
		{`{ ...canaryXq9 } fragment canaryXq9 on User { id }`, "can never apply"},
	},
	"FieldsOnCorrectType": {
		{`{ canaryXq9 }`, `Unknown field on type \"Query\".`},
		{`{ me { canaryXq9: canaryXq9b(canaryXq9: "canaryXq9") { canaryXq9 } } }`, `Unknown field on type \"User\".`},
		{`{ any { canaryXq9 } }`, `Unknown field on type \"Union\".`},
	},
	"ScalarLeafs": {
		{`{ canaryXq9: hello { canaryXq9 } }`, `Field \"Query.hello\" has no subfields.`},
		{`{ canaryXq9: me }`, `Field \"Query.me\" of type \"User\" needs a selection`},
	},
	"OverlappingFieldsCanBeMerged": {
		{`{ canaryXq9: hello canaryXq9: echo(string: "canaryXq9") }`, "share a response name"},
		{`{ echo(string: "canaryXq9") echo }`, "share a response name"},
	},
	"KnownArgumentNames": {
		{`{ hello(canaryXq9: "canaryXq9") }`, `Unknown argument on field \"Query.hello\".`},
		{`{ hello @include(if: true, canaryXq9: "canaryXq9") }`, "Unknown argument."},
	},
	"UniqueArgumentNames": {{`{ echo(string: "canaryXq9", string: "canaryXq9") }`, "given twice"}},
	"ProvidedRequiredArguments": {
		{`{ canaryXq9: node { id } }`, `Field \"Query.node\" requires the argument \"id\" of type \"ID!\".`},
		{`{ hello @include }`, "A required argument is missing."},
	},
	"KnownDirectives": {
		{`{ hello @canaryXq9(canaryXq9: "canaryXq9") }`, "Unknown directive"},
		{`query canaryXq9 @skip(if: true) { hello }`, "does not belong here"},
	},
	"UniqueDirectivesPerLocation": {
		{`query($canaryXq9: Boolean!) { hello @skip(if: $canaryXq9) @skip(if: $canaryXq9) }`, "A directive is repeated"},
	},
	"ValuesOfCorrectType": {
		{`{ echo(int: "canaryXq9") }`, `Expected a value of type \"Int\".`},
		{`{ echo(int: canaryXq9) }`, `Expected a value of type \"Int\".`},
		{`{ echo(colour: canaryXq9) }`, `Expected a value of type \"Colour\".`},
		{`{ echo(colour: "canaryXq9") }`, `Expected a value of type \"Colour\".`},
		{`{ echo(list: {canaryXq9: "canaryXq9"}) }`, `Unknown input field on type \"Int\".`},
		{`{ echo(filter: {canaryXq9: "canaryXq9"}) }`, `Unknown input field on type \"Filter\".`},
		{`{ echo(filter: "canaryXq9") }`, `Expected a value of type \"Filter\".`},
		{`{ echo(filter: [{name: "canaryXq9"}]) }`, `Expected a value of type \"Filter\".`},
		{`{ echo(pick: {id: "canaryXq9", email: "canaryXq9"}) }`, `exactly one of its fields`},
		{`{ echo(pick: {email: null}) }`, `Expected a value of type \"String\".`},
		{
			`mutation canaryXq9 { login(input: {email: "canaryXq9"}) { id } }`,
			`Input field \"LoginInput.password\" of type \"String!\" is required.`,
		},
		{`query($canaryXq9: Int = "canaryXq9") { echo(int: $canaryXq9) }`, `Expected a value of type \"Int\".`},
		{`{ echo(limit: null) }`, `Expected a value of type \"Int!\".`},
	},
	"UniqueInputFieldNames": {
		{`{ echo(any: {canaryXq9: "canaryXq9", canaryXq9: "canaryXq9"}) }`, "An input field is given twice"},
	},
	"UniqueVariableNames":    {{`query($canaryXq9: Int, $canaryXq9: Int) { echo(int: $canaryXq9) }`, "Two variables"}},
	"VariablesAreInputTypes": {{`query($canaryXq9: User) { echo(any: $canaryXq9) }`, "has to be of an input type"}},
	"NoUndefinedVariables": {
		{`{ echo(int: $canaryXq9) }`, "does not define"},
		{`query canaryXq9 { echo(any: {canaryXq9: [$canaryXq9]}) }`, "does not define"},
	},
	"NoUnusedVariables": {{`query canaryXq9($canaryXq9: Int) { hello }`, "A variable is never used"}},
	"VariablesInAllowedPosition": {
		{`query($canaryXq9: String) { echo(int: $canaryXq9) }`, `a value of type \"Int\" belongs there`},
		{`query($canaryXq9: String) { echo(pick: {email: $canaryXq9}) }`, "A variable does not fit"},
	},
	"MaxIntrospectionDepth": {{
		`{ canaryXq9: __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }`,
		"in circles",
	}},
}

// without takes types out of the schema, from their first line to the next closing brace.
func without(types ...string) func(*operation.Config) {
	return func(cfg *operation.Config) {
		source := schema
		for _, typ := range types {
			before, rest, _ := strings.Cut(source, typ)
			_, after, _ := strings.Cut(rest, "}\n")
			source = before + after
		}
		loaded, err := operation.LoadSchema("smaller.graphqls", source)
		if err == nil {
			cfg.Schema, cfg.OncePerOperation = loaded, nil
		}
	}
}

func TestValidationTellsNothing(t *testing.T) {
	h := newHouse(t)
	for rule := range rules.NewDefaultRules().GetInner() {
		if len(breaches[rule]) == 0 {
			t.Errorf("no document breaks the rule %s", rule)
		}
	}
	for rule, documents := range breaches {
		for _, d := range documents {
			h := h
			if rule == "KnownRootType" {
				h = newHouse(t, without("type Mutation", "type Subscription"))
			}
			r := h.Execute(h.as(t, "users:read"), operation.Request{Query: d[0], OperationName: canary})
			answer := text(t, r)
			if r.Stage != operation.Refused || !strings.Contains(answer, d[1]) || !strings.Contains(answer,
				`"GRAPHQL_VALIDATION_FAILED"`) {
				t.Errorf("%s: %s: got %s, want %q", rule, d[0], answer, d[1])
			}
			if strings.Contains(answer, canary) || strings.Contains(strings.ToLower(answer), "did you mean") {
				t.Errorf("%s: %s: the answer repeats it: %s", rule, d[0], answer)
			}
			if !strings.Contains(answer, `"locations"`) {
				t.Errorf("%s: %s: the answer does not say where: %s", rule, d[0], answer)
			}
		}
	}
	if len(h.engine.calls) > 0 {
		t.Errorf("the engine was called: %v", h.engine.calls)
	}
	if strings.Contains(h.log.String(), canary) {
		t.Errorf("the log repeats it: %s", h.log)
	}
}

func TestNothingElseTellsEither(t *testing.T) {
	h := newHouse(t, func(cfg *operation.Config) { cfg.Limits = operation.Limits{Depth: 2, Aliases: 2, Repeats: 2} })
	for _, document := range [][2]string{
		{`{ canaryXq9`, ``},
		{`{ hello(canaryXq9: ) }`, ``},
		{`{ hello("canaryXq9") }`, ``},
		{`canaryXq9 { hello }`, ``},
		{`query canaryXq9 { hello`, ``},
		{`{ echo(string: "canaryXq9) }`, ``},
		{`{ echo(string: "canaryXq9\q") }`, ``},
		{`{ echo(string: "\ucana") }`, ``},
		{`{ echo(string: "canaryXq9\u0000") }`, ``},
		{`{ echo(int: 0canaryXq9) }`, ``},
		{`{ echo(int: 00) canaryXq9 }`, ``},
		{`{ hello } %canaryXq9`, ``},
		{`{ hello } 'canaryXq9'`, ``},
		{`{ ...canaryXq9 } fragment canaryXq9($canaryXq9: Int = 1) on Query { hello }`, ``},
		{`{ me { canaryXq9: friend { canaryXq9: id } } }`, ``},
		{`{ canaryXq9a: hello canaryXq9b: hello canaryXq9c: hello }`, ``},
		{`{ canaryXq9: hello canaryXq9: hello canaryXq9: hello }`, ``},
		{`query canaryXq9a { hello } query canaryXq9b { hello }`, ``},
		{`mutation { canaryXq9: login(input: {password: "canaryXq9"}) { id } register(input: {password: "canaryXq9"}) ` +
			`{ id } }`, ``},
		{`subscription canaryXq9 { canaryXq9: events }`, ``},
		{`{ echo(int: 99999999999, string: "canaryXq9") }`, ``},
		{`query canaryXq9($canaryXq9: Int!) { echo(int: $canaryXq9) }`, `{}`},
		{`query($canaryXq9: Int!) { echo(int: $canaryXq9) }`, `{"canaryXq9": null}`},
		{`query($canaryXq9: Int) { echo(int: $canaryXq9) }`, `{"canaryXq9": "canaryXq9"}`},
		{`query($canaryXq9: Float) { echo(float: $canaryXq9) }`, `{"canaryXq9": "canaryXq9"}`},
		{`query($canaryXq9: Boolean) { echo(boolean: $canaryXq9) }`, `{"canaryXq9": "canaryXq9"}`},
		{`query($canaryXq9: String) { echo(string: $canaryXq9) }`, `{"canaryXq9": ["canaryXq9"]}`},
		{`query($canaryXq9: ID) { echo(id: $canaryXq9) }`, `{"canaryXq9": {"canaryXq9": 1}}`},
		{`query($canaryXq9: Colour) { echo(colour: $canaryXq9) }`, `{"canaryXq9": "canaryXq9"}`},
		{`query($canaryXq9: [Int!]) { echo(list: $canaryXq9) }`, `{"canaryXq9": ["canaryXq9"]}`},
		{`query($canaryXq9: Filter) { echo(filter: $canaryXq9) }`, `{"canaryXq9": {"canaryXq9": "canaryXq9"}}`},
		{`query($canaryXq9: LoginInput!) { echo(any: $canaryXq9) }`, `{"canaryXq9": {"email": "canaryXq9"}}`},
		{`query($canaryXq9: Pick) { echo(pick: $canaryXq9) }`, `{"canaryXq9": {"id": "canaryXq9", "email": "canaryXq9"}}`},
		{`query($canaryXq9: Int = 3000000000) { echo(int: $canaryXq9) }`, `{"canaryXq9": 1}`},
		{`query($canaryXq9: Boolean = true) { hello @skip(if: $canaryXq9) }`, `{"canaryXq9": null}`},
		{`query($canaryXq9: [Int!]) { echo(any: {canaryXq9: "canaryXq9"}, filter: {min: 3000000000, at: $x}) }`, `{}`},
	} {
		query, sent := document[0], document[1]
		req := operation.Request{Query: query}
		if sent != "" {
			req.Variables = variables(t, sent)
		}
		r := h.Execute(h.as(t, "users:read"), req)
		if answer := text(t, r); r.Stage != operation.Refused || strings.Contains(answer, "cana") {
			t.Errorf("%s: %v: %s", query, r.Stage, answer)
		}
	}
	if strings.Contains(h.log.String(), canary) {
		t.Errorf("the log repeats it: %s", h.log)
	}
}
