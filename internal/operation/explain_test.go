package operation_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/operation"
)

// TestExplainAgreesWithExecute: what Explain calls denied is what Execute denies, in the same order with the same words; what
// Execute refuses before any rule, so does Explain. Nothing runs for it.
func TestExplainAgreesWithExecute(t *testing.T) {
	t.Parallel()
	closed := newHouse(t)
	open := newHouse(t, func(cfg *operation.Config) { cfg.OpenIntrospection = true })
	for _, req := range []operation.Request{
		{Query: `{ hello }`},
		{Query: `{ me { id name } users { id friend { id } } again: users { id } }`},
		{Query: `{ node(id: 1) { id ... on User { name } } hello }`},
		{Query: `query ($all: Boolean = false) { users @include(if: $all) { id } }`, Variables: variables(t, `{"all": true}`)},
		{Query: `query ($all: Boolean = false) { users @include(if: $all) { id } }`},
		{Query: `query A { hello } query B { me { ...F } } fragment F on User { id }`, OperationName: "B"},
		{Query: `mutation { login(input: {password: "x"}) { id } rename(name: "x") { id } }`},
		{Query: `query A { hello } query B { hello }`},
		{Query: `{ __typename hello }`},
		{Query: `{ __schema { queryType { name } } }`},
		{Query: `{ hello __type(name: "User") { name } me { id } }`},
		{Query: `query ($no: Boolean = false) { hello ...A } fragment A on Query { s: __schema @include(if: $no) { description } }`},
		{Query: `{ nothing }`},
		{Query: `{`},
		{Query: `query ($id: ID!) { node(id: $id) { id } }`},
		{Query: `query ($n: Int!) { users(first: $n) { id } }`, Variables: variables(t, `{"n": "x"}`)},
	} {
		for name, h := range map[string]*house{"closed": closed, "open": open} {
			agrees(t, h, name, req)
		}
	}
}

// agrees compares Explain with Execute for all kinds of callers.
func agrees(t *testing.T, h *house, house string, req operation.Request) {
	t.Helper()
	for name, ctx := range map[string]context.Context{
		"nobody": t.Context(), "somebody": h.as(t), "an administrator": h.as(t, "users:read"),
	} {
		h.engine.calls = nil
		explained, refused := h.Explain(auth.FromContext(ctx), req)
		if len(h.engine.calls) > 0 {
			t.Errorf("%s, %s: %s: the engine was called", house, name, req.Query)
		}
		response := h.Execute(ctx, req)
		if (refused != nil) != (response.Stage == operation.Refused) || (refused == nil) != (explained != nil) {
			t.Errorf("%s, %s: %s:\nrefused %v\nexecuted %s", house, name, req.Query, refused, response.Stage)
		}
		var got, want []string
		for _, e := range refused {
			got = append(got, e.Message)
		}
		switch {
		case explained == nil:
		case explained.Closed != nil: // which says enough
			got = append(got, explained.Closed.Message)
		default:
			for _, x := range explained.Fields {
				if x.Reached && x.Refusal != nil {
					got = append(got, x.Refusal.Message)
				}
			}
		}
		for _, e := range response.Errors {
			want = append(want, e.Message)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s, %s: %s:\nexplained %q\nexecuted  %q (%s)", house, name, req.Query, got, want, response.Stage)
		}
		if explained != nil && explained.Introspects != strings.Contains(req.Query, "__schema") &&
			explained.Introspects != strings.Contains(req.Query, "__type(") {
			t.Errorf("%s: that it asks about the schema is %v", req.Query, explained.Introspects)
		}
	}
}
