package operation_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/introspection"
	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
)

// FuzzExecute sends any document with any variables, for a caller who is nobody and for one who may do everything. Nothing
// panics, every answer is JSON, and whatever reaches the engine is a valid document that the same policy permits the same
// caller and that does not ask about the schema.
func FuzzExecute(f *testing.F) {
	for _, documents := range breaches {
		for _, d := range documents {
			f.Add(d[0], `{"canaryXq9": 1}`)
		}
	}
	f.Add(read(f, "introspection.graphql"), `{}`)
	f.Add(`query($n: String = "User", $d: Boolean) { ...A @skip(if: false) x: __typename ... { ...B } } fragment A on Query { `+
		`__type(name: $n) { fields(includeDeprecated: $d) { ...C } } } fragment B on Query { __schema { types { fields { ...C } `+
		`} } hello } fragment C on __Field { name type { ofType { name } } }`, `{"d": null}`)
	f.Add(bomb(5), `{}`)
	f.Add(nested(9), ``)
	f.Add(`query($n: Int, $b: Boolean = false) { users(first: $n, after: """x\""" } y""") { id name @skip(if: $b) } }`,
		`{"n": 1.0, "b": null}`)
	f.Add(`query A($v: Boolean! = true) { ...F } query B($v: Boolean! = false) { ...F } fragment F on Query { me `+
		`@include(if: $v) { id } }`, `{}`)
	f.Add(`{ any { ... on User { friends { ...N } } ...N } } fragment N on Node { __typename id }`, `{}`)
	f.Add(`query($p: Pick, $f: Filter) { a: echo(pick: $p, filter: $f) b: echo(grid: [[1], 2], any: {a: [$p]}) }`,
		`{"p": {"id": 3}, "f": {"at": {}}}`)
	h := newHouse(f)
	loaded, err := operation.LoadSchema("test.graphqls", schema)
	if err != nil {
		f.Fatal(err)
	}
	judge, err := policy.Compile(loaded, h.scopes, time.Now)
	if err != nil {
		f.Fatal(err)
	}
	callers := []*auth.Caller{
		auth.Anonymous(fault.Anonymous(fault.Missing)),
		{Scopes: h.scopes.Set("users:read")},
	}
	f.Fuzz(func(t *testing.T, query, sent string) {
		var vars map[string]any
		decoder := json.NewDecoder(strings.NewReader(sent))
		decoder.UseNumber()
		if decoder.Decode(&vars) != nil {
			vars = nil
		}
		for _, caller := range callers {
			h.engine.calls = nil
			h.log.Reset()
			r := h.Execute(auth.NewContext(t.Context(), caller), operation.Request{Query: query, Variables: vars})
			text(t, r)
			if bytes.Contains(h.log.Bytes(), []byte("panicked")) {
				t.Fatalf("panic: %s", h.log)
			}
			aboutSchema := strings.Contains(query, "__schema") || strings.Contains(query, "__type")
			if calls := len(h.engine.calls); r.Stage != operation.Executed && calls > 0 ||
				r.Stage == operation.Executed && calls != 1 && (calls > 0 || !aboutSchema) {
				t.Fatalf("%v, and the engine was called %d times", r.Stage, calls)
			}
			for _, call := range h.engine.calls {
				doc, errs := gqlparser.LoadQueryWithRules(loaded, call.Query, rules.NewDefaultRules())
				if len(errs) > 0 {
					t.Fatalf("the engine was given an invalid document: %s: %v", call.Query, errs)
				}
				if asksAboutSchema(doc) {
					t.Fatalf("the engine was asked about the schema: %s", call.Query)
				}
				if denials := judge.Plan(doc, doc.Operations[0]).Check(caller, call.Variables); denials != nil {
					t.Fatalf("the engine was given what the caller may not have: %s: %v", call.Query, denials[0].Path)
				}
			}
		}
	})
}

// asksAboutSchema reports whether a field of introspection is selected anywhere in the document.
func asksAboutSchema(doc *ast.QueryDocument) bool {
	asks := false
	watch := &core.Events{}
	watch.OnField(func(_ *core.Walker, f *ast.Field) { asks = asks || introspection.Is(f.Name) })
	core.Walk(&ast.Schema{}, doc, watch)
	return asks
}
