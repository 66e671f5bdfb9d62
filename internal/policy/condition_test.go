package policy_test

import (
	"fmt"
	"testing"
	"time"

	"gatehouse/internal/auth"
)

// What is asked for always never stands in for what is asked for under a condition, unless it takes as much: an operation of
// two fields is denied exactly to those who are denied either of them.
func TestNoRuleHidesAnother(t *testing.T) {
	w := newWorld(t, `type Query {
  open: String @public(reason: "Tests.")
  bare: String @auth
  a: String @auth(scopes: [["a"]])
  b: String @auth(scopes: [["b"]])
  ab: String @auth(scopes: [["a", "b"]])
  aOrB: String @auth(scopes: [["a"], ["b"]])
  aged: String @auth(maxAge: 60)
  older: String @auth(maxAge: 600)
  weak: String @auth(acr: "pwd")
  strong: String @auth(acr: "mfa")
  mine(id: ID): String @auth(owner: "args.id")
  mineOrA(id: ID): String @auth(owner: "args.id", orScopes: [["a"]])
  mineOrB(id: ID): String @auth(owner: "args.id", orScopes: [["b"]])
  mineOrEither(id: ID): String @auth(owner: "args.id", orScopes: [["a"], ["b"]])
  mineAndA(id: ID): String @auth(owner: "args.id", scopes: [["a"]])
}`, "a", "b")
	fields := []string{
		"open", "bare", "a", "b", "ab", "aOrB", "aged", "older", "weak", "strong", "mine(id: $self)", "mine(id: $other)", "mine",
		"mineOrA(id: $self)", "mineOrA(id: $other)", "mineOrB(id: $other)", "mineOrEither(id: $other)", "mineAndA(id: $self)",
	}
	callers := []*auth.Caller{nobody()}
	for _, scopes := range [][]string{nil, {"a"}, {"b"}, {"a", "b"}} {
		for _, age := range []time.Duration{0, 90 * time.Second, time.Hour} {
			for _, amr := range [][]string{nil, {"pwd"}, {"pwd", "otp"}} {
				c := w.holding(scopes...)
				c.AuthTime, c.AMR = clock().Add(-age), amr
				callers = append(callers, c)
			}
		}
	}
	const head = "query($self: ID, $other: ID, $v: Boolean!, $w: Boolean!)"
	variables := map[string]any{"self": selfID, "other": otherID, "v": true, "w": true}
	denies := func(query string) []bool {
		plan := w.planLoosely(t, query)
		denied := make([]bool, len(callers))
		for i, c := range callers {
			denied[i] = plan.Check(c, variables) != nil
		}
		return denied
	}
	alone := map[string][]bool{}
	for _, field := range fields {
		alone[field] = denies(head + " { x: " + field + " }")
	}
	for _, one := range fields {
		for _, other := range fields {
			for _, condition := range []string{"", " @include(if: $w)"} {
				query := fmt.Sprintf("%s { x: %s%s y: %s @include(if: $v) }", head, one, condition, other)
				for i, denied := range denies(query) {
					if want := alone[one][i] || alone[other][i]; denied != want {
						t.Errorf("%s: caller %d is denied: %v, want %v", query, i, denied, want)
					}
				}
			}
		}
	}
}
