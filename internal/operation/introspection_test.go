package operation_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
)

var update = flag.Bool("update", false, "write the golden files anew")

// read returns a file of testdata.
func read(t testing.TB, name string) string {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestIntrospectionAnswersEverything asks what graphql-js 16's getIntrospectionQuery asks with every option on, about a schema
// that has one of everything. That graphql-js understands the golden answer, and builds from it what it builds from the
// schema's own text, is for tools/schemalint to check.
func TestIntrospectionAnswersEverything(t *testing.T) {
	const golden = "testdata/everything.json"
	h := newHouseOf(t, read(t, "everything.graphqls"), nil)
	r := h.Execute(h.as(t), operation.Request{Query: read(t, "introspection.graphql")})
	if r.Stage != operation.Executed || len(h.engine.calls) > 0 {
		t.Fatal(text(t, r))
	}
	var got bytes.Buffer
	if err := json.Indent(&got, r.Data, "", " "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, "everything.json"); got.String() != want {
		t.Errorf("the answer is not that of %s; look at the difference after running with -update", golden)
	}
}

// Introspection stands where the document has it, beside what the engine answers.
func TestIntrospectionIsMerged(t *testing.T) {
	h := newHouse(t)
	h.engine.result.Data = json.RawMessage(`{"hello":"there","b":{"id":"1"},"__typename":"Query"}`)
	for name, test := range map[string]struct {
		query, sent, given, want string
	}{
		"in order": {
			`{ hello a: __type(name: "Any") { kind name } b: me { id } z: __schema { queryType { name } } __typename }`, ``,
			`query($a0:ID!){hello b:me{id} __typename}`,
			`{"hello":"there","a":{"kind":"SCALAR","name":"Any"},"b":{"id":"1"},` +
				`"z":{"queryType":{"name":"Query"}},"__typename":"Query"}`,
		},
		"in fragments": {
			`{ ...A ... { ...B hello } } fragment A on Query { x: __type(name: "Any") { name } ...B } ` +
				`fragment B on Query { b: me { id } __type(name: "Colour") { enumValues { name } } }`, ``,
			`query{b:me{id} b:me{id} hello}`,
			`{"x":{"name":"Any"},"b":{"id":"1"},"__type":{"enumValues":[{"name":"RED"},{"name":"GREEN"}]},"hello":"there"}`,
		},
		"only that in a fragment": {
			`{ ...A hello ... @include(if: true) { __type(name: "Nope") { name } } } fragment A on Query { ...B } ` +
				`fragment B on Query { __schema { mutationType { name } } }`, ``,
			`query{hello}`,
			`{"__schema":{"mutationType":{"name":"Mutation"}},"hello":"there","__type":null}`,
		},
		"with variables": {
			`query($n: String!, $d: Boolean, $s: Boolean! = true) { __type(name: $n) { name @skip(if: $s) kind ` +
				`fields(includeDeprecated: $d) { name } } x: __schema @skip(if: $s) { types { name } } hello }`,
			`{"n": "Group", "d": null}`,
			`query{hello}`,
			`{"__type":{"kind":"OBJECT","fields":[{"name":"id"},{"name":"title"},{"name":"name"}]},"hello":"there"}`,
		},
		"merged fields": {
			`{ __type(name: "Filter") { inputFields { name } ...T } hello __type(name: "Filter") { kind ...T } } ` +
				`fragment T on __Type { inputFields { type { name } name } __typename }`, ``,
			`query{hello}`,
			`{"__type":{"inputFields":[{"name":"name","type":{"name":"String"}},{"name":"colours","type":{"name":null}},` +
				`{"name":"at","type":{"name":"Filter"}},{"name":"min","type":{"name":null}}],"__typename":"__Type","kind":` +
				`"INPUT_OBJECT"},"hello":"there"}`,
		},
		"not included by a variable": {
			`query($v: Boolean = false) { hello ... @include(if: $v) { __schema { types { name } } } ...A @skip(if: true) } ` +
				`fragment A on Query { __type(name: "Any") { name } }`, ``,
			`query{hello}`, `{"hello":"there"}`,
		},
		"nothing included": {`{ hello __schema @skip(if: true) { types { name } } }`, ``, `query{hello}`, `{"hello":"there"}`},
	} {
		t.Run(name, func(t *testing.T) {
			h.engine.calls = nil
			req := operation.Request{Query: test.query}
			if test.sent != "" {
				req.Variables = variables(t, test.sent)
			}
			r := h.Execute(h.as(t), req)
			if got := string(r.Data); r.Stage != operation.Executed || got != test.want {
				t.Errorf("got  %s\nwant %s", text(t, r), test.want)
			}
			given := strings.Replace(test.given, "($a0:ID!)", "", 1)
			if len(h.engine.calls) != 1 || h.engine.calls[0].Query != given || len(h.engine.calls[0].Variables) > 0 {
				t.Errorf("the engine was given %v, want %s", h.engine.calls, given)
			}
		})
	}
}

// A root can be behind an interface, and a fragment there on other objects says nothing about it.
func TestIntrospectionKnowsTheRoot(t *testing.T) {
	h := newHouseOf(t, `directive @public(reason: String!) on FIELD_DEFINITION
		interface Named { name: String }
		type Query implements Named { name: String @public(reason: "Tests.") again: Query @public(reason: "Tests.") }
		type Other implements Named { name: String other: Other }`, nil)
	h.engine.result.Data = json.RawMessage(`{"name":"root","x":{"name":"wrong"}}`)
	r := h.Execute(h.as(t), operation.Request{Query: `{ ... on Named { ... on Other { x: other { name } } ...O ... on Query { ` +
		`name } } ...Q } fragment O on Other { x: other { name } } fragment Q on Query { x: __type(name: "Other") { name } }`})
	if got, want := text(t, r), `{"data":{"name":"root","x":{"name":"Other"}}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// The engine's own introspection knows nothing of who asks, so it must not be reached where a field returns the root.
	for _, query := range []string{
		`{ again { __schema { types { name } } } }`, `{ again { ...F } } fragment F on Query { x: __type(name: "Other") { name } }`,
		`{ ...F again { ...F } } fragment F on Query { __schema { types { name } } }`,
	} {
		h.engine.calls = nil
		r := h.Execute(h.as(t), operation.Request{Query: query})
		if got := text(t, r); !strings.Contains(got, "Only the root of a query tells about the schema.") || len(h.engine.calls) > 0 {
			t.Errorf("%s: %s", query, got)
		}
	}
}

func TestIntrospectionBesideTrouble(t *testing.T) {
	const query = `query($n: String = "Any", $s: Boolean = false) { hello __type(name: $n) { name @skip(if: $s) kind } }`
	for name, test := range map[string]struct {
		sent   string
		result operation.Result
		stage  operation.Stage
		want   string
	}{
		"the engine has nothing": {
			`{}`,
			operation.Result{Errors: []operation.ResolverError{
				{Path: []any{"hello"}, Err: &fault.Error{Code: fault.BadUserInput, Message: "No."}},
			}},
			operation.Executed, `{"errors":[{"message":"No.","locations":[{"line":1,"column":50}],"path":["hello"],` +
				`"extensions":{"code":"BAD_USER_INPUT","requestId":"req-1"}}],"data":null}`,
		},
		"the engine has null": {`{}`, operation.Result{Data: json.RawMessage(`null`)}, operation.Executed, `{"data":null}`},
		"the engine has no object": {
			`{}`,
			operation.Result{Data: json.RawMessage(`[1]`)},
			operation.Executed,
			`{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL_SERVER_ERROR","requestId":"req-1"}}],"data":null}`,
		},
		"a name that is null": {
			`{"n": null}`,
			operation.Result{},
			operation.Refused,
			`{"errors":[{"message":"An argument does not fit: a value of type \"String!\" cannot be null.",` +
				`"locations":[{"line":1,"column":69}],"extensions":{"code":"BAD_USER_INPUT","requestId":"req-1"}}]}`,
		},
		"a condition that is null": {
			`{"s": null}`,
			operation.Result{},
			operation.Refused,
			`{"errors":[{"message":"An argument does not fit: a value of type \"Boolean!\" cannot be null.",` +
				`"locations":[{"line":1,"column":90}],"extensions":{"code":"BAD_USER_INPUT","requestId":"req-1"}}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.engine.result = test.result
			r := h.Execute(h.as(t), operation.Request{Query: query, Variables: variables(t, test.sent)})
			if got := text(t, r); r.Stage != test.stage || got != test.want {
				t.Errorf("%v: got  %s\nwant %s", r.Stage, got, test.want)
			}
			if test.stage == operation.Refused && len(h.engine.calls) > 0 {
				t.Error("the engine was called")
			}
		})
	}
}
