package operation_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
)

// FuzzExecute sends any document with any variables, for a caller who is nobody and for one who may do everything. Nothing
// panics, every answer is JSON, and whatever reaches the engine is a valid document that the same policy permits the same caller.
func FuzzExecute(f *testing.F) {
	for _, documents := range breaches {
		for _, d := range documents {
			f.Add(d[0], `{"canaryXq9": 1}`)
		}
	}
	f.Add(introspectionQuery, `{}`)
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
	judge, err := policy.Compile(loaded, h.scopes)
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
			if (r.Stage == operation.Executed) != (len(h.engine.calls) == 1) {
				t.Fatalf("%v, and the engine was called %d times", r.Stage, len(h.engine.calls))
			}
			for _, call := range h.engine.calls {
				doc, errs := gqlparser.LoadQueryWithRules(loaded, call.Query, rules.NewDefaultRules())
				if len(errs) > 0 {
					t.Fatalf("the engine was given an invalid document: %s: %v", call.Query, errs)
				}
				if denials := judge.Plan(doc, doc.Operations[0]).Check(caller, call.Variables); denials != nil {
					t.Fatalf("the engine was given what the caller may not have: %s: %v", call.Query, denials[0].Path)
				}
			}
		}
	})
}
