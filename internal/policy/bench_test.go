package policy_test

import (
	"fmt"
	"strings"
	"testing"

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

func TestPermittedCheckAllocatesNothing(t *testing.T) {
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
