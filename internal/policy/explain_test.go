package policy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"gatehouse/internal/auth"
	"gatehouse/internal/policy"
)

func (w *world) explain(t testing.TB, query string, caller *auth.Caller, variables map[string]any) []policy.Explanation {
	t.Helper()
	doc, errs := gqlparser.LoadQueryWithRules(w.schema, query, rules.NewDefaultRules())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return w.engine.Explain(doc, doc.Operations[0], caller, variables)
}

// written puts explanations into lines.
func written(all []policy.Explanation) string {
	var s strings.Builder
	mark := map[bool]string{true: "+", false: "-"}
	for _, one := range all {
		fmt.Fprintf(&s, "%s %v %s", mark[one.Passes], one.Path, one.Coordinate)
		if one.Public != "" {
			fmt.Fprintf(&s, " public: %s", one.Public)
		}
		if !one.Reached {
			s.WriteString(" not reached")
		}
		if one.Refusal != nil {
			s.WriteString(" " + string(one.Refusal.Code))
		}
		s.WriteString("\n")
		for _, r := range one.Rules {
			fmt.Fprintf(&s, "    %s %s (%s %s) %s\n", mark[r.Passes], r.Text, r.Origin, r.At, r.Reason)
		}
	}
	return s.String()
}

func TestExplain(t *testing.T) {
	w := houseWorld(t)
	query := `query($id: ID = "` + selfID + `", $i: Find, $v: Boolean = false) {
		open
		mine: user(id: $id) { id email friend { email } }
		found: find(input: $i) { diary }
		left: users @include(if: $v) { id }
		session(of: "` + otherID + `") { ip __typename }
		node { secret }
	}`
	golden(t, "testdata/explained.txt", []byte(written(w.explain(t, query, w.holding("admin"), map[string]any{
		"i": map[string]any{"by": map[string]any{"id": otherID}},
	}))+"\n"+written(w.explain(t, `mutation { login { user { email recent } } erase }`, nobody(), nil))))
	// What is somebody's id is not repeated.
	if text := written(w.explain(t, query, w.holding(), nil)); strings.Contains(text, selfID) || strings.Contains(text, otherID) {
		t.Error(text)
	}
}

// Explain and Check are of one opinion, and each rule on its own is no milder than all together.
func TestExplainAgreesWithCheck(t *testing.T) {
	w := houseWorld(t)
	for _, query := range []string{
		`{ me { email friend { email diary } } users { diary } }`,
		`query($v: Boolean = false) { user(id: "` + otherID + `") { email } both { diary } open x: me @include(if: $v) { id } }`,
		`{ thing { ... on Node { secret } } mine { friend { secret } } anySession { ip user { diary } } }`,
		`mutation { login { stranger { email } user { recent } } erase change prove purge(id: "` + selfID + `") { diary } }`,
	} {
		for _, caller := range []*auth.Caller{nobody(), w.holding(), w.holding("admin"), w.holding("users:read", "sessions:read")} {
			var denied []string
			for _, one := range w.explain(t, query, caller, nil) {
				all := true
				for _, r := range one.Rules {
					all = all && r.Passes
				}
				if all != one.Passes || one.Passes != (one.Refusal == nil) {
					t.Errorf("%s: %v says %v of its rules, and passes: %v", query, one.Path, all, one.Passes)
				}
				line := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(one.Path)), "."), "[]") + " " + one.Coordinate
				if one.Reached && !one.Passes && !slices.Contains(denied, line+" "+string(one.Refusal.Code)) {
					denied = append(denied, line+" "+string(one.Refusal.Code))
				}
			}
			if diff := cmp.Diff(shown(w.plan(t, query, "").Check(caller, nil)), denied); diff != "" {
				t.Errorf("%s: Check (-) and Explain (+) differ: %s", query, diff)
			}
		}
	}
}

func TestRules(t *testing.T) {
	w := newWorld(t, `type Query {
  user(id: ID!): User @auth(owner: "args.id", orScopes: [["admin"]], maxAge: 60) @auth(scopes: [["users:read", "admin"]])
  me: User @auth @own
  open: String @public(reason: "Tests.")
}
type User @auth(hidden: true) { id: ID email: String @auth(owner: "parent", acr: "mfa") }
`, "users:read", "admin")
	text, err := json.MarshalIndent(w.engine.Rules(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/rules.json", append(text, '\n'))
}

func TestReach(t *testing.T) {
	w := houseWorld(t)
	coordinates := []string{
		"Query.me", "Query.user", "Query.users", "Query.both", "User.id", "User.email", "User.diary", "User.secret", "User.sessions",
		"Session.ip", "Node.secret", "Mutation.erase", "Mutation.purge", "LoginPayload.tokens", "Query.narrow",
	}
	for holds, want := range map[string]string{
		"":                         "all own none own all own own own own own own none own own none",
		"users:read":               "all all all own all all own own own own own none own own none",
		"admin":                    "all own none own all own own all own own all all all own none",
		"users:read sessions:read": "all all all own all all own own all all own none own own none",
		"find":                     "all own none own all own own own own own own none own own own",
	} {
		reach := w.engine.Reach(strings.Fields(holds)...)
		var got []string
		for _, at := range coordinates {
			got = append(got, string(reach[at]))
		}
		if diff := cmp.Diff(strings.Fields(want), got); diff != "" {
			t.Errorf("%q of %v: %s", holds, coordinates, diff)
		}
	}
	// What is open to whoever reaches it is out of reach where nobody does.
	w = newWorld(t, `type Query { vault: Vault @auth(scopes: [["admin"]]) } type Vault { gold: String }`, "admin")
	if reach := w.engine.Reach(); reach["Vault.gold"] != policy.ReachesNone {
		t.Error(reach)
	}
	if reach := w.engine.Reach("admin"); reach["Vault.gold"] != policy.ReachesAll {
		t.Error(reach)
	}
}
