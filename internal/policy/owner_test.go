package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
)

// The ids of the caller and of somebody else.
const (
	selfID  = "00000000-0000-0000-0000-000000000001"
	otherID = "00000000-0000-0000-0000-000000000002"
)

// house has an owner at every place that can have one.
const house = `
type Query {
  open: String @public(reason: "Tests ask for it.")
  me: User @auth @own
  user(id: ID!): User @auth(owner: "args.id", orScopes: [["users:read"]])
  find(input: Find): User @auth(owner: "args.input.by.id", orScopes: [["users:read", "find"], ["admin"]])
  byDefault(id: ID = "00000000-0000-0000-0000-000000000001"): User @auth(owner: "args.id")
  byOther(id: ID = "00000000-0000-0000-0000-000000000002"): User @auth(owner: "args.id")
  byNestedDefault(input: Defaulted = {}): User @auth(owner: "args.input.id")
  users: [User!] @auth(scopes: [["users:read"]])
  both(a: ID, b: ID): User @auth(owner: "args.a", orScopes: [["admin"]]) @auth(owner: "args.b", orScopes: [["users:read"]])
  narrow(id: ID!): User @auth(owner: "args.id", orScopes: [["users:read"]], scopes: [["find"]])
  mine: Node @auth @own
  node: Node @auth
  myThing: Thing @auth @own
  thing: Thing @auth
  session(of: ID): Session @auth(owner: "args.of", orScopes: [["users:read"]])
  anySession: Session @auth
  again: Query @public(reason: "Tests come back to the root.")
}
type Mutation {
  login: LoginPayload! @own @public(reason: "Signing in.")
  change: String @auth(maxAge: 300)
  erase: String @auth(maxAge: 300, acr: "mfa", scopes: [["admin"]])
  prove: String @auth(acr: "pwd")
  purge(id: ID!): User @auth(owner: "args.id", orScopes: [["admin"]], maxAge: 60)
}
type LoginPayload { user: User @own stranger: User tokens: String }
input Find { by: By }
input By { id: ID name: String }
input Defaulted { id: ID = "00000000-0000-0000-0000-000000000001" }
interface Node { id: ID! secret: String friend: Node @own }
type User implements Node {
  id: ID!
  email: String @auth(owner: "parent", orScopes: [["users:read"]])
  diary: String @auth(owner: "parent")
  recent: String @auth(owner: "parent", maxAge: 300)
  secret: String @auth(owner: "parent", orScopes: [["admin"]])
  sessions: SessionConnection @own @auth(owner: "parent", orScopes: [["sessions:read"]])
  friend: User
  self: User @own
  selfNode: Node @own
  selfThing: Thing @own
  teammate(id: ID): User @auth(owner: "args.id", orScopes: [["users:read"]])
  query: Query
}
type SessionConnection { nodes: [Session!] @own first: Session }
type Session @auth(owner: "parent", orScopes: [["sessions:read"]]) { ip: String user: User @own }
type Robot implements Node { id: ID! secret: String @auth(owner: "parent", orScopes: [["admin"]]) friend: Node @own }
type Box { secret: String @auth(owner: "parent", orScopes: [["admin"]]) content: Thing inner: Box @own }
union Thing = User | Robot | Box
`

func houseWorld(t testing.TB) *world {
	t.Helper()
	return newWorld(t, house, "users:read", "sessions:read", "find", "admin")
}

func TestOwnership(t *testing.T) {
	w := houseWorld(t)
	self := w.holding()
	for name, test := range map[string]struct {
		query     string
		variables map[string]any
		caller    *auth.Caller
		denied    []string
	}{
		"a root field marked @own returns the caller's own": {`{ me { email diary } }`, nil, self, nil},
		"which takes signing in all the same": {
			`{ me { email } }`, nil, nobody(), []string{"me Query.me UNAUTHENTICATED"},
		},
		"token or not": {
			`mutation { login { user { email diary sessions { nodes { ip } } } tokens } }`, nil, nobody(), nil,
		},
		"token or not, unless there is more to it": {
			`mutation { login { user { recent } } }`, nil, nobody(),
			[]string{"login.user.recent User.recent UNAUTHENTICATED"},
		},
		"a field that is not marked returns anybody's": {
			`mutation { login { stranger { email diary } } }`, nil, nobody(),
			[]string{
				"login.stranger.email User.email UNAUTHENTICATED", "login.stranger.diary User.diary UNAUTHENTICATED",
			},
		},
		"a field that is not marked, signed in": {
			`{ me { friend { email } } }`, nil, self, []string{"me.friend.email User.email FORBIDDEN"},
		},
		"what is anybody's does not become one's own": {
			`{ me { friend { self { email } } } }`, nil, self, []string{"me.friend.self.email User.email FORBIDDEN"},
		},
		"a list without an owner": {
			`{ users { email diary } }`, nil, w.holding("users:read"), []string{"users.diary User.diary FORBIDDEN"},
		},
		"a chain of marked fields": {`{ me { self { self { sessions { nodes { user { email } } } } } } }`, nil, self, nil},
		"a chain that breaks": {
			`{ me { sessions { first { ip } } } }`, nil, self,
			[]string{"me.sessions.first SessionConnection.first FORBIDDEN", "me.sessions.first.ip Session.ip FORBIDDEN"},
		},
		"back at the root": {`{ again { me { email } } users: me { friend { query { me { diary } } } } }`, nil, self, nil},

		"an argument that is the caller's id": {`{ user(id: "` + selfID + `") { email diary } }`, nil, self, nil},
		"an argument that is another's id": {
			`{ user(id: "` + otherID + `") { id } }`, nil, self, []string{"user Query.user FORBIDDEN"},
		},
		"an argument that is another's id, with a scope": {
			`{ user(id: "` + otherID + `") { id email } }`, nil, w.holding("users:read"), nil,
		},
		"a scope does not make an owner": {
			`{ user(id: "` + otherID + `") { diary } }`, nil, w.holding("users:read"),
			[]string{"user.diary User.diary FORBIDDEN"},
		},
		"a scope does not unmake one": {`{ user(id: "` + selfID + `") { diary } }`, nil, w.holding("users:read"), nil},
		"an argument, anonymous": {
			`{ user(id: "` + selfID + `") { id } }`, nil, nobody(), []string{"user Query.user UNAUTHENTICATED"},
		},
		"another spelling of the id": {
			`{ user(id: "{` + selfID + `}") { id } }`, nil, self, []string{"user Query.user FORBIDDEN"},
		},
		"a block string": {`{ user(id: """` + selfID + `""") { email } }`, nil, self, nil},
		"a number":       {`{ user(id: 1) { id } }`, nil, self, []string{"user Query.user FORBIDDEN"}},
		"a variable":     {`query($id: ID!) { user(id: $id) { email } }`, map[string]any{"id": selfID}, self, nil},
		"another variable": {
			`query($id: ID!) { user(id: $id) { id } }`,
			map[string]any{"id": otherID},
			self,
			[]string{"user Query.user FORBIDDEN"},
		},
		"a missing one": {`query($id: ID!) { user(id: $id) { id } }`, nil, self, []string{"user Query.user FORBIDDEN"}},
		"a null one": {
			`query($id: ID!) { user(id: $id) { id } }`,
			map[string]any{"id": nil},
			self,
			[]string{"user Query.user FORBIDDEN"},
		},
		"one that is no id": {
			`query($id: ID!) { user(id: $id) { id } }`,
			map[string]any{"id": 1},
			self,
			[]string{"user Query.user FORBIDDEN"},
		},
		"a variable's default": {
			`query($id: ID! = "` + selfID + `") { user(id: $id) { email } }`, nil, self, nil,
		},
		"a variable's default, overridden": {
			`query($id: ID! = "` + selfID + `") { user(id: $id) { id } }`,
			map[string]any{"id": otherID},
			self,
			[]string{"user Query.user FORBIDDEN"},
		},
		"a variable's default, overridden by null": {
			`query($id: ID = "` + selfID + `") { byDefault(id: $id) { id } }`,
			map[string]any{"id": nil},
			self,
			[]string{"byDefault Query.byDefault FORBIDDEN"},
		},
		"the schema's default": {`{ byDefault { email } }`, nil, self, nil},
		"the schema's default, overridden": {
			`{ byDefault(id: "` + otherID + `") { id } }`, nil, self, []string{"byDefault Query.byDefault FORBIDDEN"},
		},
		"the schema's default, overridden by null": {
			`{ byDefault(id: null) { id } }`, nil, self, []string{"byDefault Query.byDefault FORBIDDEN"},
		},
		"the schema's default, for a missing variable": {`query($id: ID) { byDefault(id: $id) { email } }`, nil, self, nil},
		"the schema's defaults, of two fields for one variable": {
			`query($id: ID) { byDefault(id: $id) { id } byOther(id: $id) { id } }`, nil, self,
			[]string{"byOther Query.byOther FORBIDDEN"},
		},
		"an input field's default":                   {`{ byNestedDefault { email } }`, nil, self, nil},
		"an input field's default, of what is given": {`{ byNestedDefault(input: {}) { email } }`, nil, self, nil},
		"an input field's default, of a variable": {
			`query($i: Defaulted) { byNestedDefault(input: $i) { email } }`,
			map[string]any{"i": map[string]any{}},
			self, nil,
		},
		"an input field's default, overridden by null": {
			`{ byNestedDefault(input: { id: null }) { id } }`, nil, self,
			[]string{"byNestedDefault Query.byNestedDefault FORBIDDEN"},
		},
		"an input field's default, for a missing variable": {
			`query($id: ID) { byNestedDefault(input: { id: $id }) { email } }`, nil, self, nil,
		},
		"an input object": {`{ find(input: { by: { id: "` + selfID + `" } }) { email } }`, nil, self, nil},
		"an input object's other": {
			`{ find(input: { by: { name: "` + selfID + `" } }) { id } }`, nil, self,
			[]string{"find Query.find FORBIDDEN"},
		},
		"an input object left out": {
			`{ a: find { id } b: find(input: null) { id } c: find(input: {}) { id } d: find(input: { by: null }) { id } }`, nil,
			self,
			[]string{"a Query.find FORBIDDEN", "b Query.find FORBIDDEN", "c Query.find FORBIDDEN", "d Query.find FORBIDDEN"},
		},
		"a variable for the whole input": {
			`query($i: Find) { find(input: $i) { email } }`,
			map[string]any{"i": map[string]any{"by": map[string]any{"id": selfID}}},
			self, nil,
		},
		"a variable for the whole input, another's": {
			`query($i: Find) { find(input: $i) { email } }`,
			map[string]any{"i": map[string]any{"by": map[string]any{"id": otherID}}},
			self,
			[]string{"find Query.find FORBIDDEN", "find.email User.email FORBIDDEN"},
		},
		"a variable for the whole input, malformed": {
			`query($i: Find) { find(input: $i) { id } }`,
			map[string]any{"i": map[string]any{"by": []any{selfID}}},
			self,
			[]string{"find Query.find FORBIDDEN"},
		},
		"a variable inside the input": {
			`query($by: By) { find(input: { by: $by }) { email } }`, map[string]any{"by": map[string]any{"id": selfID}}, self, nil,
		},
		"a variable's default for the whole input": {
			`query($i: Find = { by: { id: "` + selfID + `" } }) { find(input: $i) { email } }`, nil, self, nil,
		},
		"orScopes with alternatives": {`{ find { id } }`, nil, w.holding("admin"), nil},
		"orScopes, half an alternative": {
			`{ find { id } }`, nil, w.holding("find"), []string{"find Query.find FORBIDDEN"},
		},

		"two owners, both by identity": {`{ both(a: "` + selfID + `", b: "` + selfID + `") { diary } }`, nil, self, nil},
		"two owners, one": {
			`{ both(a: "` + selfID + `", b: "` + otherID + `") { id } }`, nil, self, []string{"both Query.both FORBIDDEN"},
		},
		"two owners, one by scope: not one's own": {
			`{ both(a: "` + selfID + `", b: "` + otherID + `") { diary } }`, nil, w.holding("users:read"),
			[]string{"both.diary User.diary FORBIDDEN"},
		},
		"owner beside scopes takes both": {
			`{ narrow(id: "` + selfID + `") { id } }`, nil, self, []string{"narrow Query.narrow FORBIDDEN"},
		},
		"owner beside scopes, both": {`{ narrow(id: "` + selfID + `") { diary } }`, nil, w.holding("find"), nil},
		"an argument further down": {
			`{ users { teammate(id: "` + selfID + `") { diary } } }`, nil, w.holding("users:read"), nil,
		},
		"an argument further down, another's": {
			`{ me { teammate(id: "` + otherID + `") { diary } } }`, nil, w.holding("users:read"),
			[]string{"me.teammate.diary User.diary FORBIDDEN"},
		},
		"aliases are told apart": {
			`{ a: user(id: "` + selfID + `") { diary } b: user(id: "` + otherID + `") { diary } }`, nil, w.holding("users:read"),
			[]string{"b.diary User.diary FORBIDDEN"},
		},

		"through an interface": {
			`{ mine { secret friend { secret } } }`, nil, self,
			[]string{"mine.friend.secret Node.secret FORBIDDEN"},
		},
		"through an interface, narrowed to what is marked": {
			`{ mine { ... on Robot { friend { secret } } } }`, nil, self, nil,
		},
		"through an interface, narrowed to what is not": {
			`{ mine { ... on User { friend { ... on Node { secret } } } } }`, nil, self,
			[]string{"mine.friend.secret Node.secret FORBIDDEN"},
		},
		"through an interface, anybody's": {
			`{ node { secret ... on User { email } } }`, nil, self,
			[]string{"node.secret Node.secret FORBIDDEN", "node.email User.email FORBIDDEN"},
		},
		"an owned object as an interface": {`{ me { selfNode { secret ... on User { diary } } } }`, nil, self, nil},
		"through a union": {
			`{ myThing { ... on User { email } ... on Box { secret inner { secret } } } }`, nil, self, nil,
		},
		"through a union, anybody's": {
			`{ thing { ... on Node { secret } } }`, nil, self, []string{"thing.secret Node.secret FORBIDDEN"},
		},
		"through a union, not marked": {
			`{ myThing { ... on Box { content { ... on User { email } } } } }`, nil, self,
			[]string{"myThing.content.email User.email FORBIDDEN"},
		},
		"an owned object as a union": {
			`{ me { selfThing { ...F } } } fragment F on Thing { ... on Node { secret } }`, nil, self, nil,
		},
		"a named fragment carries no ownership of its own": {
			`{ me { ...F } users { ...F } } fragment F on User { email diary }`, nil, w.holding("users:read"),
			[]string{"users.diary User.diary FORBIDDEN"},
		},
		"a type's owner binds the field that returns it": {
			`{ anySession { ip } }`, nil, self,
			[]string{"anySession Query.anySession FORBIDDEN", "anySession.ip Session.ip FORBIDDEN"},
		},
		"a type's owner, by identity": {`{ session(of: "` + selfID + `") { ip __typename } }`, nil, self, nil},
		"a type's owner, with one scope of two": {
			`{ session(of: "` + otherID + `") { ip } }`, nil, w.holding("sessions:read"),
			[]string{"session Query.session FORBIDDEN"},
		},
		"a type's owner, with both scopes": {
			`{ session(of: "` + otherID + `") { ip } }`, nil, w.holding("sessions:read", "users:read"), nil,
		},
		"what a variable leaves out takes nothing": {
			`query($v: Boolean = false) { open user(id: "` + otherID + `") @include(if: $v) { email } }`, nil, nobody(), nil,
		},
		"what a variable lets in does": {
			`query($v: Boolean = false) { open me { friend @include(if: $v) { email } } }`,
			map[string]any{"v": true},
			self,
			[]string{"me.friend.email User.email FORBIDDEN"},
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

// Nobody owns anything by an id that nobody has.
func TestAnonymousNeverOwns(t *testing.T) {
	w := houseWorld(t)
	plan := w.plan(t, `query($id: ID!) { user(id: $id) { id } }`, "")
	for _, given := range []any{"", "00000000-0000-0000-0000-000000000000", selfID, id.ID{15: 1}} {
		for _, caller := range []*auth.Caller{nobody(), {AuthTime: clock()}} {
			if plan.Check(caller, map[string]any{"id": given}) == nil {
				t.Errorf("%v is nobody's own", given)
			}
		}
	}
}

func TestOwnerDenials(t *testing.T) {
	w := houseWorld(t)
	for query, want := range map[string]*fault.Error{
		`{ user(id: 1) { id } }`: {
			Code: fault.Forbidden, Coordinate: "Query.user", RequiredScopes: [][]string{{"users:read"}},
			Message: "Query.user requires your own id in id, or the scope users:read.",
		},
		`{ find { id } }`: {
			Code: fault.Forbidden, Coordinate: "Query.find", RequiredScopes: [][]string{{"admin"}, {"find", "users:read"}},
			Message: "Query.find requires your own id in input.by.id, or the scope admin, or the scopes find and users:read.",
		},
		`{ me { friend { diary } } }`: { // no scope would help
			Code: fault.Forbidden, Coordinate: "User.diary", Message: "User.diary requires that it is your own.",
		},
		`{ narrow(id: "` + selfID + `") { id } }`: { // owning is done
			Code: fault.Forbidden, Coordinate: "Query.narrow", RequiredScopes: [][]string{{"find"}},
			Message: "Query.narrow requires the scope find.",
		},
		`{ narrow(id: "` + otherID + `") { id } }`: {
			Code: fault.Forbidden, Coordinate: "Query.narrow", RequiredScopes: [][]string{{"find", "users:read"}},
			Message: "Query.narrow requires the scope find; and your own id in id, or the scope users:read.",
		},
		`{ both { id } }`: {
			Code: fault.Forbidden, Coordinate: "Query.both", RequiredScopes: [][]string{{"admin", "users:read"}},
			Message: "Query.both requires your own id in a, or the scope admin; and your own id in b, or the scope users:read.",
		},
	} {
		denials := w.plan(t, query, "").Check(w.holding(), nil)
		if len(denials) != 1 {
			t.Fatalf("%s: %v", query, shown(denials))
		}
		if diff := cmp.Diff(want, denials[0].Fault); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
}

// An id may be declared as a String as well.
func TestOwnersOfStrings(t *testing.T) {
	w := newWorld(t, `type Query { a(of: String): String @auth(owner: "args.of") }`)
	plan := w.plan(t, `query($of: String) { a(of: $of) }`, "")
	for of, denied := range map[string]bool{selfID: false, otherID: true, strings.ToUpper("a" + selfID[1:]): true, "": true} {
		if got := plan.Check(w.holding(), map[string]any{"of": of}) != nil; got != denied {
			t.Errorf("%q: denied is %v", of, got)
		}
	}
}
