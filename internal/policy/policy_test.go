package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/policy"
)

// directives is what every schema here begins with; it takes three lines, so that schemas begin on the fourth.
const directives = `directive @auth(scopes: [[String!]!], owner: String, orScopes: [[String!]!], maxAge: Int, ` +
	`acr: String, hidden: Boolean = false) repeatable on OBJECT | INTERFACE | FIELD_DEFINITION directive @own on FIELD_DEFINITION
directive @public(reason: String!) on FIELD_DEFINITION

`

// world is a schema with its rules.
type world struct {
	schema     *ast.Schema
	vocabulary *auth.Vocabulary
	engine     *policy.Engine
}

func load(t testing.TB, source string) *ast.Schema {
	t.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "test.graphqls", Input: source})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func vocabulary(t testing.TB, scopes ...string) *auth.Vocabulary {
	t.Helper()
	v, err := auth.NewVocabulary(scopes...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newWorld(t testing.TB, source string, scopes ...string) *world {
	t.Helper()
	w := &world{schema: load(t, directives+source), vocabulary: vocabulary(t, scopes...)}
	var err error
	if w.engine, err = policy.Compile(w.schema, w.vocabulary, clock); err != nil {
		t.Fatal(err)
	}
	return w
}

// plan compiles the named operation of a document, the first for "".
func (w *world) plan(t testing.TB, query, name string) *policy.Plan {
	t.Helper()
	doc, errs := gqlparser.LoadQueryWithRules(w.schema, query, rules.NewDefaultRules())
	if len(errs) > 0 {
		t.Fatalf("%s: %v", query, errs)
	}
	op := doc.Operations[0]
	if name != "" {
		op = doc.Operations.ForName(name)
	}
	return w.engine.Plan(doc, op)
}

// planLoosely compiles the only operation of a document that may define variables and fragments without using them.
func (w *world) planLoosely(t testing.TB, query string) *policy.Plan {
	t.Helper()
	loose := rules.NewDefaultRules()
	loose.RemoveRule("NoUnusedFragments")
	loose.RemoveRule("NoUnusedVariables")
	doc, errs := gqlparser.LoadQueryWithRules(w.schema, query, loose)
	if len(errs) > 0 {
		t.Fatalf("%s: %v", query, errs)
	}
	return w.engine.Plan(doc, doc.Operations[0])
}

// noon is when the tests take place.
const noon = 1_900_000_000

func clock() time.Time { return time.Unix(noon, 0) }

// holding returns a signed-in caller with the scopes; nobody returns one who is not signed in.
func (w *world) holding(scopes ...string) *auth.Caller {
	return &auth.Caller{
		AccountID: id.ID{15: 1}, Scopes: w.vocabulary.Set(scopes...), AuthTime: clock(), AMR: []string{"pwd", "otp"},
	}
}

func nobody() *auth.Caller { return auth.Anonymous(fault.Anonymous(fault.Missing)) }

// shown returns denials in short: path, coordinate and code.
func shown(denials []policy.Denial) []string {
	var all []string
	for _, d := range denials {
		path := make([]string, len(d.Path))
		for i, name := range d.Path {
			path[i] = fmt.Sprint(name)
		}
		all = append(all, strings.Join(path, ".")+" "+d.Fault.Coordinate+" "+string(d.Fault.Code))
	}
	return all
}

// library has a rule at every place that can carry one.
const library = `
type Query {
  open: String @public(reason: "Tests ask for it.")
  me: User @auth
  book(id: ID): Book @auth(scopes: [["books:read"]])
  vault: Vault @public(reason: "What is inside decides.")
  node: Node @public(reason: "What it turns out to be decides.")
  found: Found @public(reason: "What it turns out to be decides.")
  both: String @auth(scopes: [["books:read"]]) @auth(scopes: [["users:read"]])
  either: String @auth(scopes: [["books:read"], ["users:read"]])
  all: String @auth(scopes: [["books:read", "users:read"], ["admin"]])
  again: Query @public(reason: "Tests come back to the root.")
}
type Mutation { burn: Book @auth(scopes: [["admin"]]) touch: String @auth }
type Subscription { changes: Book @auth(scopes: [["books:read"]]) }
interface Node { id: ID! }
interface Owned implements Node @auth(scopes: [["users:read"]]) { id: ID! owner: User }
interface Priced { price: Int @auth(scopes: [["prices:read"]]) }
type User implements Node { id: ID! email: String @auth(scopes: [["users:read"]]) books: [Book!] }
type Book implements Node & Priced { id: ID! title: String price: Int @auth secret: Secret }
type Pen implements Priced { price: Int }
type Vault { gold: String @auth door: Door }
type Door implements Node & Owned { id: ID! owner: User }
type Secret @auth(scopes: [["admin"]]) { word: String deeper: Secret again: Query }
type Leaf implements Node { id: ID! }
union Found = Book | Pen | Secret
`

func libraryWorld(t testing.TB) *world {
	t.Helper()
	return newWorld(t, library, "books:read", "users:read", "prices:read", "admin")
}

func TestCheck(t *testing.T) {
	w := libraryWorld(t)
	signedIn, both := w.holding(), []string{"both Query.both UNAUTHENTICATED"}
	for name, test := range map[string]struct {
		query     string
		variables map[string]any
		caller    *auth.Caller
		denied    []string
	}{
		"public":                 {`{ open }`, nil, nobody(), nil},
		"__typename of the root": {`{ __typename }`, nil, nobody(), nil},
		"introspection":          {`{ __schema { types { name } } __type(name: "Secret") { name } }`, nil, nobody(), nil},
		"bare, nobody":           {`{ me { id } }`, nil, nobody(), []string{"me Query.me UNAUTHENTICATED"}},
		"bare, signed in":        {`{ me { id } }`, nil, signedIn, nil},
		"a scope, nobody":        {`{ book { title } }`, nil, nobody(), []string{"book Query.book UNAUTHENTICATED"}},
		"a scope, without it":    {`{ book { title } }`, nil, signedIn, []string{"book Query.book FORBIDDEN"}},
		"a scope, another": {
			`{ book { title } }`, nil, w.holding("users:read", "admin"), []string{"book Query.book FORBIDDEN"},
		},
		"a scope, held": {`{ book { title } }`, nil, w.holding("books:read"), nil},
		"one forbidden field denies them all": {
			`{ open me { id email } }`, nil, signedIn, []string{"me.email User.email FORBIDDEN"},
		},
		"repeated is AND, first alone":  {`{ both }`, nil, w.holding("books:read"), []string{"both Query.both FORBIDDEN"}},
		"repeated is AND, second alone": {`{ both }`, nil, w.holding("users:read"), []string{"both Query.both FORBIDDEN"}},
		"repeated is AND, both":         {`{ both }`, nil, w.holding("books:read", "users:read"), nil},
		"outer is OR, first":            {`{ either }`, nil, w.holding("books:read"), nil},
		"outer is OR, second":           {`{ either }`, nil, w.holding("users:read"), nil},
		"outer is OR, neither":          {`{ either }`, nil, w.holding("admin"), []string{"either Query.either FORBIDDEN"}},
		"inner is AND, half":            {`{ all }`, nil, w.holding("books:read"), []string{"all Query.all FORBIDDEN"}},
		"inner is AND, whole":           {`{ all }`, nil, w.holding("books:read", "users:read"), nil},
		"inner is AND, the alternative": {`{ all }`, nil, w.holding("admin"), nil},
		"a mutation": {
			`mutation { touch burn { id } }`, nil, signedIn, []string{"burn Mutation.burn FORBIDDEN"},
		},
		"a subscription": {
			`subscription { changes { id } }`, nil, signedIn, []string{"changes Subscription.changes FORBIDDEN"},
		},

		"a type's rule binds the field that returns it": {
			`{ me { books { secret { __typename } } } }`, nil, signedIn,
			[]string{"me.books.secret Book.secret FORBIDDEN", "me.books.secret.__typename Secret FORBIDDEN"},
		},
		"a type's rule binds its fields, and what they lead back to keeps its own": {
			`{ me { books { secret { word deeper { word } again { open both } } } } }`, nil, w.holding("books:read",
				"users:read"),
			[]string{
				"me.books.secret Book.secret FORBIDDEN", "me.books.secret.word Secret.word FORBIDDEN",
				"me.books.secret.deeper Secret.deeper FORBIDDEN", "me.books.secret.deeper.word Secret.word FORBIDDEN",
				"me.books.secret.again Secret.again FORBIDDEN",
			},
		},
		"the root reached again keeps its rules": {
			`{ again { again { me { id } open } } }`, nil, nobody(), []string{"again.again.me Query.me UNAUTHENTICATED"},
		},
		"an interface's rule binds its implementers": {
			`{ vault { door { id } } }`, nil, signedIn,
			[]string{"vault.door Vault.door FORBIDDEN", "vault.door.id Door.id FORBIDDEN"},
		},
		"an interface field's rule binds the fields that implement it": {
			`{ me { books { price } } }`, nil, signedIn, []string{"me.books.price Book.price FORBIDDEN"},
		},
		"nothing loosens downward": {
			`{ me { books { price } } }`, nil, w.holding("prices:read"), nil,
		},
		"through an interface it takes what all possible types take": {
			`{ node { id } }`, nil, signedIn, []string{"node.id Node.id FORBIDDEN"},
		},
		"through an interface, for who may see all": {
			`{ node { id } }`, nil, w.holding("users:read"), nil,
		},
		"a fragment narrows an interface": {
			`{ node { ... on Leaf { id } ... on User { id books { title } } } }`, nil, nobody(), nil,
		},
		"a fragment narrows to the protected type": {
			`{ node { ... on Door { id } } }`, nil, nobody(),
			[]string{"node.id Door.id UNAUTHENTICATED"},
		},
		"a fragment on another interface narrows to both": {
			`{ node { ... on Owned { id } ... on Priced { __typename } } }`, nil, nobody(),
			[]string{"node.id Owned.id UNAUTHENTICATED"},
		},
		"a fragment on the interface itself narrows nothing": {
			`{ node { ... on Node { ... { id } } } }`, nil, nobody(), []string{"node.id Node.id UNAUTHENTICATED"},
		},
		"a narrow fragment is not widened from inside": {
			`{ node { ... on Leaf { ... on Node { id } } } }`, nil, nobody(), nil,
		},
		"__typename through an interface tells the type": {
			`{ node { __typename } }`, nil, nobody(), []string{"node.__typename Node UNAUTHENTICATED"},
		},
		"__typename through a union tells the type": {
			`{ found { __typename } }`, nil, signedIn, []string{"found.__typename Found FORBIDDEN"},
		},
		"a union, narrowed": {
			`{ found { ... on Book { title } ... on Pen { __typename } } }`, nil, nobody(), nil,
		},
		"a union, narrowed to the protected member": {
			`{ found { ... on Book { title } ... on Secret { word } } }`, nil, signedIn,
			[]string{"found.word Secret.word FORBIDDEN"},
		},
		"a union, through an interface of its members": {
			`{ found { ... on Priced { price } } }`, nil, signedIn, []string{"found.price Priced.price FORBIDDEN"},
		},
		"an alias": {`{ open: both }`, nil, signedIn, []string{"open Query.both FORBIDDEN"}},
		"a named fragment": {
			`{ ...F } fragment F on Query { x: me { ...G } } fragment G on User { y: email }`, nil, signedIn,
			[]string{"x.y User.email FORBIDDEN"},
		},
		"a fragment spread twice is reported once for each place": {
			`{ a: me { ...G } b: me { ...G ...G } } fragment G on User { email }`, nil, signedIn,
			[]string{"a.email User.email FORBIDDEN", "b.email User.email FORBIDDEN"},
		},
		"all denied at once, in order": {
			`{ both either me { id email } book { title } }`, nil, nobody(),
			[]string{
				"both Query.both UNAUTHENTICATED", "either Query.either UNAUTHENTICATED", "me Query.me UNAUTHENTICATED",
				"me.email User.email UNAUTHENTICATED", "book Query.book UNAUTHENTICATED",
			},
		},

		"@include false": {`{ open both @include(if: false) }`, nil, nobody(), nil},
		"@include true":  {`{ open both @include(if: true) }`, nil, nobody(), both},
		"@skip true":     {`{ open ... @skip(if: true) { both } }`, nil, nobody(), nil},
		"@skip false": {
			`{ open ... @skip(if: false) { both } }`, nil, nobody(), both,
		},
		"@skip on a parent": {`{ open again @skip(if: true) { both } }`, nil, nobody(), nil},
		"@skip on a spread": {`{ open ...F @skip(if: true) } fragment F on Query { both }`, nil, nobody(), nil},
		"both, one stops":   {`{ open both @include(if: true) @skip(if: true) }`, nil, nobody(), nil},
		"included and again": {
			`{ both @include(if: false) ...F } fragment F on Query { both }`, nil, nobody(), both,
		},
		"variable, true": {
			`query($v: Boolean!) { both @include(if: $v) }`, map[string]any{"v": true}, nobody(), both,
		},
		"variable, false": {`query($v: Boolean!) { both @include(if: $v) }`, map[string]any{"v": false}, nobody(), nil},
		"variable, @skip": {
			`query($v: Boolean!) { both @skip(if: $v) }`, map[string]any{"v": false}, nobody(), both,
		},
		"variable, missing": {
			`query($v: Boolean!) { both @include(if: $v) }`, nil, nobody(), both,
		},
		"variable, null": {
			`query($v: Boolean = false) { both @include(if: $v) }`, map[string]any{"v": nil}, nobody(), both,
		},
		"variable, no bool": {
			`query($v: Boolean = false) { both @include(if: $v) }`, map[string]any{"v": "false"}, nobody(), both,
		},
		"default true": {
			`query($v: Boolean = true) { both @include(if: $v) }`, nil, nobody(), both,
		},
		"default false": {`query($v: Boolean = false) { both @include(if: $v) }`, nil, nobody(), nil},
		"default overridden": {
			`query($v: Boolean = false) { both @include(if: $v) }`, map[string]any{"v": true}, nobody(), both,
		},
		"@skip with a default": {
			`query($v: Boolean = false) { both @skip(if: $v) }`, nil, nobody(), both,
		},
		"two variables, one stops": {
			`query($a: Boolean!, $b: Boolean!) { again @include(if: $a) { both @include(if: $b) } }`,
			map[string]any{"a": true, "b": false},
			nobody(), nil,
		},
		"two variables, neither stops": {
			`query($a: Boolean!, $b: Boolean!) { again @include(if: $a) { both @skip(if: $b) } }`,
			map[string]any{"a": true, "b": false},
			nobody(),
			[]string{"again.both Query.both UNAUTHENTICATED"},
		},
		"contradiction": {
			`query($a: Boolean!) { again @include(if: $a) { both @skip(if: $a) } }`, map[string]any{"a": true}, nobody(), nil,
		},
		"what is asked for always is not excused elsewhere": {
			`query($a: Boolean!) { both x: both @include(if: $a) }`, map[string]any{"a": false}, nobody(), both,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.plan(t, test.query, "").Check(test.caller, test.variables)
			if diff := cmp.Diff(test.denied, shown(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Operations share the nodes of a fragment, and with them what validation notes there about the last operation.
func TestDefaultsBelongToTheOperation(t *testing.T) {
	w := libraryWorld(t)
	query := `query On($v: Boolean = true) { ...F } query Off($v: Boolean = false) { ...F } fragment F on Query { ` +
		`both @include(if: $v) }`
	for name, want := range map[string]int{"On": 1, "Off": 0} {
		if got := w.plan(t, query, name).Check(nobody(), nil); len(got) != want {
			t.Errorf("%s: %v", name, shown(got))
		}
	}
}

func TestDenialsAreFew(t *testing.T) {
	w := libraryWorld(t)
	var query strings.Builder
	for i := range 30 {
		fmt.Fprintf(&query, "a%d: both ", i)
	}
	got := shown(w.plan(t, "{"+query.String()+"}", "").Check(nobody(), nil))
	if len(got) != 20 || got[0] != "a0 Query.both UNAUTHENTICATED" || got[19] != "a19 Query.both UNAUTHENTICATED" {
		t.Errorf("%d: %v", len(got), got)
	}
}
