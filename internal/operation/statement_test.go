package operation_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/operation"
)

func TestEngineIsGivenTheJudgedTree(t *testing.T) {
	h := newHouse(t)
	for name, test := range map[string]struct {
		query, name, variables string
		text                   string
		bound                  map[string]any
	}{
		"names and nothing else": {
			query: "# comment\n\"\"\"described\"\"\" query Named { a: hello, hello, __typename }",
			text:  `query{a:hello hello __typename}`,
		},
		"only the operation that was chosen, with its fragments": {
			query: `{ any { __typename ...A } } fragment A on User { friend { ...B } } fragment B on Node { id ... ` +
				`@include(if: true) { id } }`,
			text:  `query($a0:Boolean!){any{__typename ...on User{friend{id ...@include(if:$a0){id}}}}}`,
			bound: map[string]any{"a0": true},
		},
		"a fragment is printed for each object that it meets": {
			query: `{ any { ...A } me { ...A } } fragment A on Node { id ... on Union { ... on User { name } ... on Group { title } } }`,
			text:  `query{any{...on User{id name} ...on Group{id title}} me{id name}}`,
		},
		"where no fragment applies something stands": {
			query: `{ me { ... on Node { ... on Group { title } } } }`,
			text:  `query{me{__typename@skip(if:true)}}`,
		},
		"a block string that another parser ends early": {
			query: `{ echo(string: """a\""" } me { id } #""") }`,
			text:  `query($a0:String!){echo(string:$a0)}`,
			bound: map[string]any{"a0": `a""" } me { id } #`},
		},
		"four quotes at the end of a block string": {
			query: `{ echo(string: """a"""") }`,
			text:  `query($a0:String!){echo(string:$a0)}`,
			bound: map[string]any{"a0": `a"`},
		},
		"escapes that another parser does not know": {
			query: `{ echo(string: "\/ \u{1F600} \uD83D\uDE00") }`,
			text:  `query($a0:String!){echo(string:$a0)}`,
			bound: map[string]any{"a0": "/ \U0001F600 \U0001F600"},
		},
		"equal values share a variable, so that fields still merge": {
			query: `{ echo(filter: {name: "x", min: 2}) echo(filter: {min: 2, name: "x"}) }`,
			text:  `query($a0:Filter!){echo(filter:$a0) echo(filter:$a0)}`,
			bound: map[string]any{"a0": map[string]any{"name": "x", "min": int32(2), "colours": []any{"RED"}}},
		},
		"equal text of another type does not": {
			query: `{ a: echo(int: 1) b: echo(float: 1) }`,
			text:  `query($a0:Int!,$a1:Float!){a:echo(int:$a0) b:echo(float:$a1)}`,
			bound: map[string]any{"a0": int32(1), "a1": 1.0},
		},
		"a literal with a variable in it": {
			query:     `query($n: String, $c: [Colour!]) { echo(filter: {name: $n, colours: $c}) }`,
			variables: `{"n": "x"}`,
			text:      `query($a0:Filter!){echo(filter:$a0)}`,
			bound:     map[string]any{"a0": map[string]any{"name": "x", "colours": []any{"RED"}, "min": int32(1)}},
		},
		"an unset variable is the argument's default": {
			query: `query($n: Int) { users(first: $n) { friends(first: $n) { id } } }`,
			text:  `query($a0:Int,$a1:Int){users(first:$a0){friends(first:$a1){id}}}`,
			bound: map[string]any{"a0": int32(20), "a1": nil},
		},
		"the definition that counts is the operation's own": {
			query: `query A($n: Int!) { ...F } query B($n: Int) { ...F } fragment F on Query { echo(int: $n) }`, name: "B",
			text: `query($a0:Int){echo(int:$a0)}`, bound: map[string]any{"a0": nil},
		},
		"the definition that counts is not the last one": {
			query: `query A($n: Int) { ...F } query B($n: Int!) { ...F } fragment F on Query { echo(int: $n) }`, name: "A",
			text: `query($a0:Int){echo(int:$a0)}`, bound: map[string]any{"a0": nil},
		},
		"what cannot be null is declared so": {
			query: `query($n: Int!) { a: echo(int: $n) b: echo(int: 3) }`, variables: `{"n": 4}`,
			text:  `query($a0:Int!,$a1:Int!){a:echo(int:$a0) b:echo(int:$a1)}`,
			bound: map[string]any{"a0": int32(4), "a1": int32(3)},
		},
		"null is null": {
			query: `{ users(first: null) { id } }`,
			text:  `query($a0:Int){users(first:$a0){id}}`,
			bound: map[string]any{"a0": nil},
		},
		"an argument left out stays out": {
			query: `{ users { id } }`,
			text:  `query{users{id}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h.engine.calls = nil
			req := operation.Request{Query: test.query, OperationName: test.name}
			if test.variables != "" {
				req.Variables = variables(t, test.variables)
			}
			r := h.Execute(h.as(t, "users:read"), req)
			if len(h.engine.calls) != 1 {
				t.Fatal(text(t, r))
			}
			got := h.engine.calls[0]
			if got.Query != test.text || got.OperationName != "" {
				t.Errorf("got  %s\nwant %s", got.Query, test.text)
			}
			if diff := cmp.Diff(test.bound, got.Variables); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVariablesAreCoerced(t *testing.T) {
	h := newHouse(t)
	const badInput = `"code":"BAD_USER_INPUT"`
	for _, test := range []struct {
		name, typ, argument string
		sent                string // JSON; "" for a variable that is not sent
		want                any
		refused             string // what the message says, when it is refused
	}{
		{"Int", "Int", "int", `3`, int32(3), ""},
		{"Int as JavaScript may write it", "Int", "int", `3.0`, int32(3), ""},
		{"least Int", "Int", "int", `-2147483648`, int32(-2147483648), ""},
		{"Int too large", "Int", "int", `2147483648`, nil, `\"Int\" is required`},
		{"Int much too large", "Int", "int", `1e400`, nil, `\"Int\" is required`},
		{"Int with a fraction", "Int", "int", `3.5`, nil, `\"Int\" is required`},
		{"Int as text", "Int", "int", `"3"`, nil, `\"Int\" is required`},
		{"Int as Boolean", "Int", "int", `true`, nil, `\"Int\" is required`},
		{"Float", "Float", "float", `3.5`, 3.5, ""},
		{"Float from an integer", "Float", "float", `3`, 3.0, ""},
		{"Float too large", "Float", "float", `1e400`, nil, `\"Float\" is required`},
		{"Float as text", "Float", "float", `"3.5"`, nil, `\"Float\" is required`},
		{"String", "String", "string", `"x"`, "x", ""},
		{"String from a number", "String", "string", `3`, nil, `\"String\" is required`},
		{"Boolean", "Boolean", "boolean", `false`, false, ""},
		{"Boolean as text", "Boolean", "boolean", `"false"`, nil, `\"Boolean\" is required`},
		{"Boolean as number", "Boolean", "boolean", `0`, nil, `\"Boolean\" is required`},
		{"ID", "ID", "id", `"x"`, "x", ""},
		{"ID from an integer", "ID", "id", `7`, "7", ""},
		{"ID from a fraction", "ID", "id", `7.5`, nil, `\"ID\" is required`},
		{"ID from a Boolean", "ID", "id", `true`, nil, `\"ID\" is required`},
		{"enum", "Colour", "colour", `"RED"`, "RED", ""},
		{"enum in the wrong case", "Colour", "colour", `"red"`, nil, `\"Colour\" is required`},
		{"enum from a number", "Colour", "colour", `0`, nil, `\"Colour\" is required`},
		{"null", "Int", "int", `null`, nil, ""},
		{"null where there may be none", "Int!", "int", `null`, nil, `\"Int!\" cannot be null`},
		{"missing where it is required", "Int!", "int", ``, nil, `\"Int!\" is required`},
		{"missing, the argument has a default", "Int", "limit", ``, int32(7), ""},
		{"null, the argument has a default but takes no null", "Int", "limit", `null`, nil, `\"Int!\" cannot be null`},
		{"list", "[Int!]", "list", `[1, 2]`, []any{int32(1), int32(2)}, ""},
		{"list of one, without brackets", "[Int!]", "list", `1`, []any{int32(1)}, ""},
		{"empty list", "[Int!]", "list", `[]`, []any{}, ""},
		{"null in a list", "[Int!]", "list", `[1, null]`, nil, `\"Int!\" cannot be null`},
		{"text in a list", "[Int!]", "list", `[1, "2"]`, nil, `\"Int!\" is required`},
		{"object as a list", "[Int!]", "list", `{"0": 1}`, nil, `\"Int!\" is required`},
		{"grid", "[[Int]]", "grid", `[[1], null, [null]]`, []any{[]any{int32(1)}, nil, []any{nil}}, ""},
		{"grid from one", "[[Int]]", "grid", `1`, []any{[]any{int32(1)}}, ""},
		{
			"input", "Filter", "filter", `{"name": null}`,
			map[string]any{"name": nil, "colours": []any{"RED"}, "min": int32(1)},
			"",
		},
		{"nested input", "Filter", "filter", `{"at": {"min": 2, "colours": "GREEN"}}`, map[string]any{
			"at": map[string]any{"min": int32(2), "colours": []any{"GREEN"}}, "colours": []any{"RED"}, "min": int32(1),
		}, ""},
		{"input with an unknown field", "Filter", "filter", `{"canary": 1}`, nil, `\"Filter\" has no such field`},
		{"null in an input", "Filter", "filter", `{"min": null}`, nil, `Filter.min: a value of type \"Int!\" cannot be null`},
		{
			"wrong deep in an input", "Filter", "filter", `{"at": {"min": "canary"}}`, nil,
			`Filter.at: Filter.min: a value of type \"Int!\"`,
		},
		{"text as an input", "Filter", "filter", `"canary"`, nil, `an object of type \"Filter\" is required`},
		{"one of", "Pick", "pick", `{"id": 1}`, map[string]any{"id": "1"}, ""},
		{"both of one of", "Pick", "pick", `{"id": 1, "email": "canary"}`, nil, `\"Pick\" takes exactly one`},
		{"none of one of", "Pick", "pick", `{}`, nil, `\"Pick\" takes exactly one`},
		{"null of one of", "Pick", "pick", `{"id": null}`, nil, `\"Pick\" takes exactly one`},
		{"custom scalar", "Any", "any", `{"a": [1, "x", null]}`, map[string]any{"a": []any{json.Number("1"), "x", nil}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h.engine.calls = nil
			req := operation.Request{Query: `query($v: ` + test.typ + `) { echo(` + test.argument + `: $v) }`}
			if test.sent != "" {
				req.Variables = variables(t, `{"v": `+test.sent+`, "unknown": "ignored"}`)
			}
			answer := text(t, h.Execute(t.Context(), req))
			if test.refused != "" {
				if !strings.Contains(answer, test.refused) || !strings.Contains(answer, badInput) || strings.Contains(answer,
					"canary") {
					t.Errorf("got %s, want %s", answer, test.refused)
				}
				return
			}
			if len(h.engine.calls) != 1 {
				t.Fatal(answer)
			}
			if diff := cmp.Diff(map[string]any{"a0": test.want}, h.engine.calls[0].Variables); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLiteralsAreCoerced(t *testing.T) {
	h := newHouse(t)
	for literal, want := range map[string]any{
		`int: 3`:                    int32(3),
		`float: 3`:                  3.0,
		`float: 3.5e1`:              35.0,
		`float: 1e400`:              nil,
		`int: 2147483648`:           nil,
		`int: 99999999999999999999`: nil,
		`id: 3`:                     "3",
		`id: "x"`:                   "x",
		`string: """x"""`:           "x",
		`string: 3`:                 nil,
		`string: RED`:               nil,
		`boolean: true`:             true,
		`boolean: "true"`:           nil,
		`colour: GREEN`:             "GREEN",
		`colour: "GREEN"`:           nil,
		`colour: BLUE`:              nil,
		`list: 3`:                   []any{int32(3)},
		`list: [3, null]`:           nil,
		`list: [2147483648]`:        nil,
		`grid: [[1], 2]`:            []any{[]any{int32(1)}, []any{int32(2)}},
		`pick: {email: "x"}`:        map[string]any{"email": "x"},
		`pick: {}`:                  nil,
		`pick: {email: "x", id: 1}`: nil,
		`pick: {email: null}`:       nil,
		`filter: {min: null}`:       nil,
		`filter: {nope: 1}`:         nil,
		`filter: {at: {min: 5}}`: map[string]any{
			"at":  map[string]any{"min": int32(5), "colours": []any{"RED"}},
			"min": int32(1), "colours": []any{"RED"},
		},
		`any: {a: [1, 2.5, "x", RED, true, null]}`: map[string]any{"a": []any{
			json.Number("1"), json.Number("2.5"), "x", "RED",
			true, nil,
		}},
	} {
		h.engine.calls = nil
		r := h.Execute(t.Context(), operation.Request{Query: `{ echo(` + literal + `) }`})
		if want == nil {
			if answer := text(t, r); r.Stage != operation.Refused || !strings.Contains(answer, `"GRAPHQL_VALIDATION_FAILED"`) {
				t.Errorf("%s: %s", literal, answer)
			}
			continue
		}
		if len(h.engine.calls) != 1 {
			t.Errorf("%s: %s", literal, text(t, r))
			continue
		}
		if diff := cmp.Diff(map[string]any{"a0": want}, h.engine.calls[0].Variables); diff != "" {
			t.Errorf("%s: %s", literal, diff)
		}
	}
}

func TestDefaultsOfVariables(t *testing.T) {
	h := newHouse(t)
	for name, test := range map[string]struct {
		query, sent string
		want        any
		refused     bool
	}{
		"used when not sent":     {`query($v: Int = 4) { echo(int: $v) }`, `{}`, int32(4), false},
		"not used when sent":     {`query($v: Int = 4) { echo(int: $v) }`, `{"v": 5}`, int32(5), false},
		"not used for null":      {`query($v: Int = 4) { echo(int: $v) }`, `{"v": null}`, nil, false},
		"of a required variable": {`query($v: Int! = 4) { echo(int: $v) }`, `{}`, int32(4), false},
		"of an input": {
			`query($v: Filter = {min: 3}) { echo(filter: $v) }`, `{}`, map[string]any{
				"min":     int32(3),
				"colours": []any{"RED"},
			}, false,
		},
		"out of range":    {`query($v: Int = 2147483648) { echo(int: $v) }`, `{"v": 1}`, nil, true},
		"not of the type": {`query($v: Int = "4") { echo(int: $v) }`, `{"v": 1}`, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			h.engine.calls = nil
			r := h.Execute(t.Context(), operation.Request{Query: test.query, Variables: variables(t, test.sent)})
			if test.refused {
				if r.Stage != operation.Refused {
					t.Error("accepted")
				}
				return
			}
			if len(h.engine.calls) != 1 {
				t.Fatal(text(t, r))
			}
			if diff := cmp.Diff(map[string]any{"a0": test.want}, h.engine.calls[0].Variables); diff != "" {
				t.Error(diff)
			}
		})
	}
}
