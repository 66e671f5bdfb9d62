package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
)

func TestDenialsSayWhatIsRequired(t *testing.T) {
	w := libraryWorld(t)
	for query, want := range map[string]*fault.Error{
		`{ book { title } }`: {
			Code: fault.Forbidden, Coordinate: "Query.book", Message: "Query.book requires the scope books:read.",
			RequiredScopes: [][]string{{"books:read"}},
		},
		`{ both }`: {
			Code: fault.Forbidden, Coordinate: "Query.both", Message: "Query.both requires the scopes books:read and users:read.",
			RequiredScopes: [][]string{{"books:read", "users:read"}},
		},
		`{ either }`: {
			Code: fault.Forbidden, Coordinate: "Query.either",
			Message:        "Query.either requires the scope books:read, or the scope users:read.",
			RequiredScopes: [][]string{{"books:read"}, {"users:read"}},
		},
		`{ all }`: {
			Code: fault.Forbidden, Coordinate: "Query.all",
			Message:        "Query.all requires the scope admin, or the scopes books:read and users:read.",
			RequiredScopes: [][]string{{"admin"}, {"books:read", "users:read"}},
		},
		`{ found { __typename } }`: { // what any of the possible types takes
			Code: fault.Forbidden, Coordinate: "Found", Message: "Found requires the scope admin.",
			RequiredScopes: [][]string{{"admin"}},
		},
	} {
		denials := w.plan(t, query, "").Check(w.holding("prices:read"), nil)
		if len(denials) != 1 {
			t.Fatalf("%s: %v", query, shown(denials))
		}
		if diff := cmp.Diff(want, denials[0].Fault); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
		// What the caller holds is nobody's business, and least of all the attacker's who found the token.
		if strings.Contains(denials[0].Fault.Message, "prices") {
			t.Errorf("%s: the message tells what the caller holds", query)
		}
	}
}

func TestDenialsOfTheAnonymousCarryTheirReason(t *testing.T) {
	w := libraryWorld(t)
	plan := w.plan(t, `{ book { title } me { id } }`, "")
	for _, refusal := range []*fault.Error{
		fault.Anonymous(fault.Missing), fault.Anonymous(fault.Expired), fault.Anonymous(fault.Invalid),
		fault.Anonymous(fault.Revoked),
		{Code: fault.Unavailable, Message: "Try again.", RetryAfter: time.Second},
	} {
		denials := plan.Check(auth.Anonymous(refusal), nil)
		if len(denials) != 2 {
			t.Fatal(shown(denials))
		}
		for i, at := range []string{"Query.book", "Query.me"} {
			want := *refusal
			want.Coordinate = at
			if diff := cmp.Diff(&want, denials[i].Fault); diff != "" {
				t.Error(diff)
			}
		}
		if refusal.Coordinate != "" {
			t.Error("the caller's own refusal was written to")
		}
	}
}

// Requirements multiply: three of two alternatives are eight, and more than 32 are not spelled out.
func TestRequiredScopesAreMultipliedOut(t *testing.T) {
	var source, all strings.Builder
	var scopes []string
	for _, c := range "abcdefg" {
		scopes = append(scopes, string(c)+"1", string(c)+"2")
		all.WriteString(` @auth(scopes: [["` + string(c) + `1"], ["` + string(c) + `2"]])`)
	}
	source.WriteString(`type Query { two: String @auth(scopes: [["a1"], ["a2"]]) @auth(scopes: [["b1"], ["b2", ` +
		`"a1"]]) seven: String` + all.String() + ` }`)
	w := newWorld(t, source.String(), scopes...)

	two := w.plan(t, `{ two }`, "").Check(w.holding(), nil)
	if diff := cmp.Diff([][]string{{"a1", "b1"}, {"a1", "b2"}, {"a1", "a2", "b2"}, {"a2", "b1"}}, two[0].Fault.RequiredScopes,
		cmp.Transformer("set", func(all [][]string) map[string]bool {
			set := map[string]bool{}
			for _, one := range all {
				set[strings.Join(one, " ")] = true
			}
			return set
		})); diff != "" {
		t.Error(diff)
	}
	seven := w.plan(t, `{ seven }`, "")
	if got := seven.Check(w.holding(), nil)[0].Fault.RequiredScopes; len(got) != 32 {
		t.Errorf("%d alternatives", len(got))
	}
	// Left out of the message is not left out of the rule.
	if seven.Check(w.holding("a1", "b1", "c1", "d1", "e1", "f1"), nil) == nil {
		t.Error("permitted without the last scope")
	}
	if denials := seven.Check(w.holding("a1", "b2", "c1", "d2", "e1", "f2", "g1"), nil); denials != nil {
		t.Error(shown(denials))
	}
}

// A scope whose name looks like two scopes is still another rule.
func TestRequirementsAreNotConfusedByNames(t *testing.T) {
	const source = `type Query { one: String @auth(scopes: [["a + b"]]) two: String @auth(scopes: [["a", "b"]]) }`
	w := newWorld(t, source, "a + b", "a", "b")
	for query, holds := range map[string][]string{`{ one }`: {"a + b"}, `{ two }`: {"a", "b"}} {
		plan := w.plan(t, query, "")
		if denials := plan.Check(w.holding(holds...), nil); denials != nil {
			t.Errorf("%s: denied to who holds %v", query, holds)
		}
	}
	if w.plan(t, `{ one two }`, "").Check(w.holding("a", "b"), nil) == nil {
		t.Error("two scopes stand for one that reads like them")
	}
}
