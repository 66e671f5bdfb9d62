package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/policy"
)

// veiled hides a field, a type and what only that leads to, a type behind an interface and the field that returns it, a
// field by two directives of which one says so, and one whose type has a rule as well.
const veiled = `
type Query {
  open: String @public(reason: "Tests ask for it.")
  secret: String @auth(scopes: [["admin"]], hidden: true)
  vault: Vault @auth
  two: String @auth(scopes: [["admin"]]) @auth(scopes: [["audit"]], hidden: true)
  member: String @auth(hidden: true)
  node: Node @auth(scopes: [["audit"]], hidden: true)
  plain: Plain @auth
  mine(id: ID): String @auth(owner: "args.id", orScopes: [["admin"]], hidden: true)
  aged: String @auth(scopes: [["admin"]], maxAge: 60, acr: "mfa", hidden: true)
  me: User @auth @own
}
type Vault @auth(scopes: [["audit"], ["admin"]], hidden: true) {
  gold: String
  deeper: Vault
  pit: Pit
  key: String @auth(scopes: [["keys"]])
}
type Room @auth(scopes: [["keys"]]) { number: Int safe: String @auth(scopes: [["audit"]], hidden: true) }
interface Node { id: ID }
type Pit { depth: Int }
interface Internal @auth(scopes: [["audit"]], hidden: true) { log: String }
type Plain implements Node { id: ID }
type Deep implements Node & Internal { id: ID log: String }
type User { email: String @auth(owner: "parent", orScopes: [["admin"]]) recent: String @auth(owner: "parent", maxAge: 60) }
`

func veiledWorld(t testing.TB) *world {
	t.Helper()
	return newWorld(t, veiled, "admin", "audit", "keys")
}

func TestViews(t *testing.T) {
	w := veiledWorld(t)
	vault := []string{"Query.vault", "Vault", "Vault.deeper", "Vault.gold", "Vault.key", "Vault.pit"}
	internal := []string{"Query.node", "Deep", "Deep.id", "Deep.log", "Internal", "Internal.log"}
	member := []string{"Query.member", "Query.mine"}
	union := func(lists ...[]string) map[string]bool {
		all := map[string]bool{}
		for _, list := range lists {
			for _, at := range list {
				all[at] = true
			}
		}
		return all
	}
	hidden := union(vault, internal, member, []string{"Query.secret", "Query.two", "Query.aged", "Room.safe"})
	if diff := cmp.Diff(hidden, union(w.engine.Hidden())); diff != "" {
		t.Error(diff)
	}
	stale := w.holding("admin")
	stale.AuthTime, stale.AMR = clock().Add(-time.Hour), nil
	for name, test := range map[string]struct {
		caller *auth.Caller
		sees   map[string]bool
	}{
		"nobody":                  {nobody(), union()},
		"a caller without scopes": {w.holding(), union(member)},
		"audit":                   {w.holding("audit"), union(member, vault, internal)},
		"admin":                   {w.holding("admin"), union(member, vault, []string{"Query.secret", "Query.aged"})},
		"admin, stale":            {stale, union(member, vault, []string{"Query.secret", "Query.aged"})},
		"all":                     {w.holding("admin", "audit", "keys"), hidden},
		"all, but for a type's rule": {
			w.holding("admin", "audit"), union(member, vault, internal, []string{"Query.secret", "Query.two", "Query.aged"}),
		},
		"anonymous with scopes": {&auth.Caller{Scopes: w.vocabulary.Set("admin"), Refusal: fault.Outage(nil)}, union()},
	} {
		t.Run(name, func(t *testing.T) {
			view, sees := w.engine.View(test.caller), map[string]bool{}
			for at := range hidden {
				if w.engine.Visible(view, at) {
					sees[at] = true
				}
			}
			if diff := cmp.Diff(test.sees, sees); diff != "" {
				t.Error(diff)
			}
			for _, at := range []string{"Query", "Query.open", "Plain.id", "String", "Nope", "Nope.nope"} {
				if !w.engine.Visible(view, at) {
					t.Errorf("%s is not hidden, but invisible", at)
				}
			}
		})
	}
	// Equal for all who see the same, whatever else they hold.
	for _, same := range [][2]*auth.Caller{
		{nobody(), auth.Anonymous(fault.Anonymous(fault.Expired))},
		{w.holding(), w.holding("keys")},
		{w.holding("admin"), w.holding("keys", "admin")},
	} {
		if w.engine.View(same[0]) != w.engine.View(same[1]) {
			t.Error("two see the same, in different views")
		}
	}
	if w.engine.View(nobody()) != (policy.View{}) {
		t.Error("who sees nothing hidden has not the zero view")
	}
	if allocated := testing.AllocsPerRun(100, func() { w.engine.View(stale) }); allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

func TestVeiledLock(t *testing.T) {
	golden(t, "testdata/veiled.lock", veiledWorld(t).engine.Lock())
}

func TestCan(t *testing.T) {
	w := veiledWorld(t)
	stale, weak := w.holding("admin"), w.holding("admin")
	stale.AuthTime, weak.AMR = clock().Add(-time.Hour), []string{"pwd"}
	coordinates := []string{
		"Query.open", "Query.secret", "Query.vault", "Vault.key", "Query.mine", "Query.aged", "User.email", "User.recent", "Vault",
		"Node.id", "Internal", "User", "Query", "", "Query.", ".open", "Query.nope", "Nope", "Query.open.open", "query.open", "String",
		"Query.mine(id:)", "Query.__schema", "__Type", "Query.node", "Deep.id", "Pit", "Pit.depth",
	}
	for name, test := range map[string]struct {
		caller *auth.Caller
		can    string
	}{
		"nobody":        {nobody(), "+--------+-++---------------"},
		"without scope": {w.holding(), "+---+-++-+-++---------------"},
		"audit":         {w.holding("audit"), "+-+-+-+++++++-----------++++"},
		"admin":         {w.holding("admin"), "+++-++++++-++-------------++"},
		"admin, stale":  {stale, "+++-+-+-++-++-------------++"},
		"admin, weak":   {weak, "+++-+-++++-++-------------++"},
		"all":           {w.holding("admin", "keys", "audit"), "+++++++++++++-----------++++"},
	} {
		var got strings.Builder
		for _, can := range w.engine.Can(test.caller, coordinates) {
			got.WriteByte(map[bool]byte{true: '+', false: '-'}[can])
		}
		if got.String() != test.can {
			t.Errorf("%s: %s, want %s", name, got.String(), test.can)
		}
	}
}

// Whoever can do a thing statically is never told that they cannot, but for whose it is.
func TestCanAgreesWithCheck(t *testing.T) {
	w := libraryWorld(t)
	all := []string{"books:read", "users:read", "prices:read", "admin"}
	for _, holds := range [][]string{nil, {"books:read"}, {"users:read", "admin"}, all} {
		for _, caller := range []*auth.Caller{w.holding(holds...), nobody()} {
			for _, field := range []string{"open", "me", "book", "both", "either", "all"} {
				query := "{ " + field + " }"
				if field == "me" || field == "book" {
					query = "{ " + field + " { id } }"
				}
				can := w.engine.Can(caller, []string{"Query." + field})[0]
				if denials := w.plan(t, query, "").Check(caller, nil); can != (denials == nil) {
					t.Errorf("%s, holding %v: can is %v, denials %v", field, holds, can, shown(denials))
				}
			}
		}
	}
}

// Every view has room for 256 different rules that hide.
func TestViewsAreBounded(t *testing.T) {
	for n, refused := range map[int]bool{256: false, 257: true} {
		var source strings.Builder
		for i := range n { // by a scope, or by two of them
			fmt.Fprintf(&source, "f%d: String @auth(scopes: [[\"s%d\", \"s%d\"]], hidden: true)\n", i, i%200, (i+i/200)%200)
		}
		scopes := make([]string, 200)
		for i := range scopes {
			scopes[i] = fmt.Sprintf("s%d", i)
		}
		schema := load(t, directives+`type Query { open: String @public(reason: "Tests.") `+source.String()+`}`)
		engine, err := policy.Compile(schema, vocabulary(t, scopes...), clock)
		if (err != nil) != refused {
			t.Errorf("%d: %v", n, err)
		}
		if err != nil {
			continue
		}
		w := &world{vocabulary: vocabulary(t, scopes...)}
		if !engine.Visible(engine.View(w.holding("s55", "s56")), "Query.f255") {
			t.Error("the last veil is not lifted")
		}
	}
}
