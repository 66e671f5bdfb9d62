package operation_test

import (
	"context"
	"slices"
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/operation"
)

// TestExplainAgreesWithExecute: what Explain calls denied is what Execute denies, in the same order with the same words; what
// Execute refuses before any rule, so does Explain. Nothing runs for it.
func TestExplainAgreesWithExecute(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, req := range []operation.Request{
		{Query: `{ hello }`},
		{Query: `{ me { id name } users { id friend { id } } again: users { id } }`},
		{Query: `{ node(id: 1) { id ... on User { name } } hello }`},
		{Query: `query ($all: Boolean = false) { users @include(if: $all) { id } }`, Variables: variables(t, `{"all": true}`)},
		{Query: `query ($all: Boolean = false) { users @include(if: $all) { id } }`},
		{Query: `query A { hello } query B { me { ...F } } fragment F on User { id }`, OperationName: "B"},
		{Query: `mutation { login(input: {password: "x"}) { id } rename(name: "x") { id } }`},
		{Query: `query A { hello } query B { hello }`},
		{Query: `{ nothing }`},
		{Query: `{`},
		{Query: `query ($id: ID!) { node(id: $id) { id } }`},
		{Query: `query ($n: Int!) { users(first: $n) { id } }`, Variables: variables(t, `{"n": "x"}`)},
	} {
		for name, ctx := range map[string]context.Context{
			"nobody": t.Context(), "somebody": h.as(t), "an administrator": h.as(t, "users:read"),
		} {
			h.engine.calls = nil
			explained, refused := h.Explain(auth.FromContext(ctx), req)
			if len(h.engine.calls) > 0 {
				t.Errorf("%s: %s: the engine was called", name, req.Query)
			}
			response := h.Execute(ctx, req)
			var got, want []string
			for _, e := range refused {
				got = append(got, e.Message)
			}
			for _, x := range explained {
				if x.Reached && x.Refusal != nil {
					got = append(got, x.Refusal.Message)
				}
			}
			for _, e := range response.Errors {
				want = append(want, e.Message)
			}
			if !slices.Equal(got, want) || (refused != nil) != (response.Stage == operation.Refused) {
				t.Errorf("%s: %s:\nexplained %q\nexecuted  %q (%s)", name, req.Query, got, want, response.Stage)
			}
		}
	}
}
