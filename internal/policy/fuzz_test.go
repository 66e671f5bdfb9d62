package policy_test

import (
	"encoding/json"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"gatehouse/internal/auth"
	"gatehouse/internal/id"
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

// FuzzOwnership asks the house about any document with any variables: nothing panics; scopes never take away
// what is one's own; and what Explain says adds up to what Check does.
func FuzzOwnership(f *testing.F) {
	for _, seed := range [][2]string{
		{`query($id: ID! = "x") { user(id: $id) { email diary self { secret } } me { ...F } } fragment F on User { diary }`, `{}`},
		{`query($i: Find) { find(input: $i) { diary } both(a: "x", b: $i) { diary } }`, `{"i":{"by":{"id":"` + selfID + `"}}}`},
		{`{ byNestedDefault(input: {id: null}) { id } byDefault { sessions { nodes { user { diary } } first { ip } } } }`, `{"i":1}`},
		{`{ mine { friend { secret ... on User { diary } } } myThing { ... on Box { inner { content { __typename } } } } }`, `null`},
		{`mutation($v: Boolean) { login { user { recent } stranger @skip(if: $v) { id } } erase purge(id: 1) { id } }`, `{"v":true}`},
		{`query($by: By) { find(input: {by: $by}) { self { selfNode { ... on Robot { friend { secret } } } } } }`, `{"by":[{}]}`},
	} {
		f.Add(seed[0], seed[1])
	}
	w := houseWorld(f)
	everybody := w.holding(w.vocabulary.Names()...)
	stranger := w.holding(w.vocabulary.Names()...)
	stranger.AccountID = id.ID{15: 9}
	f.Fuzz(func(t *testing.T, query, given string) {
		if len(query) > 400 || len(given) > 400 {
			return
		}
		doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, 100)
		if err != nil {
			return
		}
		var variables map[string]any
		if json.Unmarshal([]byte(given), &variables) != nil {
			return
		}
		for _, op := range doc.Operations {
			plan := w.engine.Plan(doc, op)
			for _, caller := range []*auth.Caller{nobody(), w.holding(), stranger, everybody} {
				denied := plan.Check(caller, variables) != nil
				explained := false
				for _, one := range w.engine.Explain(doc, op, caller, variables) {
					explained = explained || one.Reached && !one.Passes
				}
				if denied != explained {
					t.Errorf("Check denies: %v, Explain: %v", denied, explained)
				}
			}
			if plan.Check(everybody, variables) != nil && plan.Check(w.holding(), variables) == nil {
				t.Error("scopes take away what is one's own")
			}
		}
	})
}
