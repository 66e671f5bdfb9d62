package policy_test

import (
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// FuzzPlan plans and checks any document that can be parsed, valid or not: nothing panics, whoever holds everything is denied
// nothing, and every denial says where it is.
func FuzzPlan(f *testing.F) {
	for _, query := range []string{
		`{ open me { id email } }`,
		`query($v: Boolean = true) { ...F @include(if: $v) } fragment F on Query { node { ... on Door { id @skip(if: ` +
			`$v) } __typename } }`,
		`{ found { ... on Secret { again { found { ... on Priced { price } } } } } }`,
		`{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }`,
		`mutation { burn @skip { id } } subscription { changes @include(if: 1) { nope { id } } }`,
		`{ me { ... on Nope { id } ... on String { id } ... { id { id } } } }`,
	} {
		f.Add(query)
	}
	w := libraryWorld(f)
	f.Fuzz(func(t *testing.T, query string) {
		if len(query) > 400 { // fragments multiply, and bounding that is not policy's business
			return
		}
		doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, 100)
		if err != nil {
			return
		}
		for _, op := range doc.Operations {
			plan := w.engine.Plan(doc, op)
			for _, variables := range []map[string]any{nil, {"v": true}, {"v": false}} {
				if denials := plan.Check(w.holding("books:read", "users:read", "prices:read", "admin"),
					variables); denials != nil {
					t.Errorf("who holds everything is denied %v", shown(denials))
				}
				denials := plan.Check(nobody(), variables)
				for _, d := range denials {
					if d.Fault == nil || d.Fault.Coordinate == "" || len(d.Path) == 0 {
						t.Errorf("an empty denial: %v", d)
					}
				}
			}
		}
	})
}
