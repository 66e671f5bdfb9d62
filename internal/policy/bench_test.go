package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"gatehouse/internal/auth"
	"gatehouse/internal/policy"
)

// wide returns a plan of n protected fields with the given number of different rules, every fifth field under a variable.
func wide(t testing.TB, n, rules int) (*policy.Plan, *auth.Caller, map[string]any) {
	t.Helper()
	var source, query strings.Builder
	scopes := make([]string, rules)
	for i := range rules {
		scopes[i] = fmt.Sprintf("scope:%d", i)
	}
	for i := range n {
		fmt.Fprintf(&source, "f%d: String @auth(scopes: [[%q], [%q, %q]])\n", i, scopes[i%rules], scopes[(i+1)%rules],
			scopes[(i+2)%rules])
		fmt.Fprintf(&query, "f%d", i)
		if i%5 == 0 {
			query.WriteString(" @include(if: $v)")
		}
		query.WriteString("\n")
	}
	w := newWorld(t, "type Query {"+source.String()+"}", scopes...)
	plan := w.plan(t, "query($v: Boolean!) {"+query.String()+"}", "")
	return plan, w.holding(scopes...), map[string]any{"v": true}
}

// owning returns a plan of n fields of which every one is the caller's own, by an argument or by what has it.
func owning(t testing.TB, n int) (*policy.Plan, *auth.Caller, map[string]any) {
	t.Helper()
	var source, query strings.Builder
	for i := range n {
		fmt.Fprintf(&source, "f%d: String @auth(owner: \"parent\", orScopes: [[\"admin\"]], maxAge: %d)\n", i, 60+i)
		fmt.Fprintf(&query, "f%d\n", i)
	}
	w := newWorld(t, `type Query { user(input: In!): User @auth(owner: "args.input.id", orScopes: [["admin"], ["users:read"]]) }
input In { id: ID! } type User {`+source.String()+"}", "admin", "users:read")
	plan := w.plan(t, "query($in: In!) { user(input: $in) {"+query.String()+"} }", "")
	return plan, w.holding(), map[string]any{"in": map[string]any{"id": selfID}}
}

func TestPermittedCheckAllocatesNothing(t *testing.T) {
	for _, n := range []int{1, 10, 100} {
		plan, caller, variables := owning(t, n)
		allocated := testing.AllocsPerRun(100, func() {
			if plan.Check(caller, variables) != nil {
				t.Error("denied")
			}
		})
		if allocated != 0 {
			t.Errorf("%d owned fields: %v allocations", n, allocated)
		}
	}
	for _, n := range []int{1, 10, 100} {
		plan, caller, variables := wide(t, n, min(n, 20))
		allocated := testing.AllocsPerRun(100, func() {
			if plan.Check(caller, variables) != nil {
				t.Error("denied")
			}
		})
		if allocated != 0 {
			t.Errorf("%d fields: %v allocations", n, allocated)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			plan, caller, variables := wide(b, n, n/2)
			b.ReportAllocs()
			for b.Loop() {
				if plan.Check(caller, variables) != nil {
					b.Fatal("denied")
				}
			}
		})
	}
}

func BenchmarkCheckDenied(b *testing.B) {
	plan, _, variables := wide(b, 10, 5)
	caller := nobody()
	for b.Loop() {
		if plan.Check(caller, variables) == nil {
			b.Fatal("permitted")
		}
	}
}

func BenchmarkCheckOwner(b *testing.B) {
	for _, n := range []int{10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			plan, caller, variables := owning(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if plan.Check(caller, variables) != nil {
					b.Fatal("denied")
				}
			}
		})
	}
}

// BenchmarkCheckOwnerLeast is what the check of BenchmarkCheckOwner cannot do without: finding the id in the variables, comparing
// it with the caller's, and reading the clock. Measured in one run with it, it tells a slow check from a slow machine.
func BenchmarkCheckOwnerLeast(b *testing.B) {
	_, caller, variables := owning(b, 10)
	b.ReportAllocs()
	for b.Loop() {
		in, _ := variables["in"].(map[string]any)
		text, _ := in["id"].(string)
		if !caller.Owns(text) || clock().UnixMicro()-caller.AuthTime.UnixMicro() > time.Minute.Microseconds() {
			b.Fatal("a stranger's, or too old")
		}
	}
}

// BenchmarkPlan reports what compiling a plan costs, as a part of what parsing and validating its document does.
func BenchmarkPlan(b *testing.B) {
	w := houseWorld(b)
	const query = `query Profile($id: ID!, $more: Boolean = false) {
		me { id email sessions { nodes { ip user { id email } } } ...Friends @include(if: $more) }
		user(id: $id) { id email diary self { secret } teammate(id: $id) { email } }
		users { id email secret friend { id } }
		node { id secret ... on User { email } ... on Robot { friend { secret } } }
		thing { __typename ... on Node { id } ... on Box { inner { secret } } }
	} fragment Friends on User { friend { id self { id } selfNode { id secret } } }`
	load := func() (*ast.QueryDocument, *ast.OperationDefinition) {
		doc, errs := gqlparser.LoadQueryWithRules(w.schema, query, rules.NewDefaultRules())
		if len(errs) > 0 {
			b.Fatal(errs)
		}
		return doc, doc.Operations[0]
	}
	doc, op := load()
	var loading, planning time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		load()
		loaded := time.Now()
		w.engine.Plan(doc, op)
		loading, planning = loading+loaded.Sub(start), planning+time.Since(loaded)
	}
	b.ReportMetric(float64(planning.Nanoseconds())/float64(loading.Nanoseconds()), "plan/load")
}
