package policy_test

import (
	"strings"
	"testing"

	"gatehouse/internal/policy"
)

func TestCompileListsEveryMistakeOfTheLanguage(t *testing.T) {
	schema := load(t, directives+`type Query {
  noArgument(id: ID): User @auth(owner: "args.ids")
  noField(input: In): User @auth(owner: "args.input.nope")
  noObject(id: ID): User @auth(owner: "args.id.deep")
  wholeInput(input: In): User @auth(owner: "args.input")
  number(n: Int): User @auth(owner: "args.n")
  list(ids: [ID!]): User @auth(owner: "args.ids")
  listInside(input: In): User @auth(owner: "args.input.ids")
  listOnTheWay(input: In): User @auth(owner: "args.input.more.id")
  empty(id: ID): User @auth(owner: "args.")
  unknownWord(id: ID): User @auth(owner: "self")
  noText(id: ID): User @auth(owner: null)
  rootParent: User @auth(owner: "parent")
  orNothing: User @auth(orScopes: [["admin"]])
  orEmpty(id: ID): User @auth(owner: "args.id", orScopes: [])
  orEverybody(id: ID): User @auth(owner: "args.id", orScopes: [[]])
  orFlat(id: ID): User @auth(owner: "args.id", orScopes: ["admin"])
  orUnknown(id: ID): User @auth(owner: "args.id", orScopes: [["nope"]])
  zero: User @auth(maxAge: 0)
  negative: User @auth(maxAge: -1)
  fraction: User @auth(maxAge: 1.5)
  huge: User @auth(maxAge: 99999999999)
  level: User @auth(acr: "phr")
  levelCase: User @auth(acr: "MFA")
  levelNull: User @auth(acr: null)
  hiddenText: User @auth(hidden: "true")
  scalar: String @auth @own
  generous(id: ID): User @auth(owner: "args.id", orScopes: [["admin"]]) @own
  publicOwner(id: ID): User @public(reason: "No.") @auth(owner: "args.id")
}
input In { ids: [ID] more: [In!] id: ID }
type User { name: String }
type Stranger { secret: String @auth(owner: "parent") }
type Foreign @auth(owner: "parent") { a: String }
type OfType @auth(owner: "args.id") { a(id: ID): String }
interface Nobody { a: String @auth(owner: "parent") }
type NobodyToo implements Nobody { a: String }
interface Rooted { open: String @auth(owner: "parent") }
type Mutation implements Rooted { open: String @public(reason: "No.") }
`)
	_, err := policy.Compile(schema, vocabulary(t, "users:read", "admin"), clock)
	if err == nil {
		t.Fatal("accepted")
	}
	golden(t, "testdata/language.txt", []byte(err.Error()+"\n"))
}

func TestCompileRefusesHiddenPlacesThatLeaveAnInvalidSchema(t *testing.T) {
	const a, b = ` @auth(scopes: [["a"]], hidden: true)`, ` @auth(scopes: [["b"]], hidden: true)`
	const query = "type Query { open: String @public(reason: \"r\") "
	for name, test := range map[string]struct{ source, want string }{
		"the query type": {
			"type Query" + a + " { x: String @auth }",
			"Query is hidden, but every schema has a query type. Hide its fields instead.",
		},
		"every root field": {
			"type Query { x: String" + a + " }",
			"Query has no field left for some of those who see it. Hide the type as well, by the same rule, or leave one of " +
				"its fields visible.",
		},
		"every field of a type": {
			query + "} type T { x: String" + a + " y: String" + a + " }", "T has no field left",
		},
		"every field, by different rules": {
			query + "} type T { x: String" + a + " y: String" + b + " }", "T has no field left",
		},
		"every field of a hidden type, by another rule": {
			query + "} type T" + a + " { x: String" + b + " }", "T has no field left",
		},
		"every mutation": {
			query + "} type Mutation { x: String" + a + " }", "Mutation has no field left",
		},
		"every field returns what is hidden": {
			query + "} type T { x: H } type H" + a + " { y: String }", "T has no field left",
		},
		"an implementation": {
			query + "} interface I { x: String } type T implements I { x: String" + a + " y: String }",
			"T.x is hidden from some who see I.x, which it implements. Hide I.x as well, by the same rule, or leave this one " +
				"visible.",
		},
		"an implementation, by what it returns": {
			query + "} interface I { x: N z: String } type T implements I { x: H z: String } interface N { n: String } " +
				"type H implements N" + a + " { n: String }",
			"T.x is hidden from some who see I.x",
		},
		"an interface's implementation": {
			query + "} interface I { x: String } interface J implements I { x: String" + a + " y: String } " +
				"type T implements I & J { x: String y: String }",
			"J.x is hidden from some who see I.x",
		},
		"an implementation, by its type's rule": {
			query + "} interface I { x: String" + a + " y: Int } type T implements I @auth(scopes: [[\"b\"]]) { x: String y: Int }",
			"T.x is hidden from some who see I.x",
		},
		"a member of a union": {
			query + "u: U @auth } union U = T | S type T" + a + " { x: String } type S { x: String }",
			"Query.u returns U, which can be T, and that is hidden from some who see the field: being denied it would tell them. " +
				"Hide the field as well, by the same rule, or leave T visible.",
		},
		"all members of a union": {
			query + "u: U @auth } union U = T | S type T" + a + " { x: String } type S" + a + " { x: String }",
			"Query.u returns U, which can be S, and that is hidden",
		},
		"an implementer": {
			query + "i: [I!] @auth } interface I { x: String } type T implements I" + a + " { x: String }",
			"Query.i returns I, which can be T, and that is hidden from some who see the field: being denied it would tell them. " +
				"Hide the field or I as well, by the same rule, or leave T visible.",
		},
		"an implementer of an interface's implementer": {
			query + "i: I @auth } interface I { x: String } interface J implements I" + a + " { x: String } " +
				"type T implements I & J { x: String }",
			"Query.i returns I, which can be T, and that is hidden",
		},
		"what a field deeper down can return": {
			query + "} type P { i: I! y: Int } interface I { x: String } type T implements I" + a + " { x: String }",
			"P.i returns I, which can be T, and that is hidden",
		},
		"what a field can return that hides by another rule": {
			query + "i: I" + b + " } interface I { x: String } type T implements I" + a + " { x: String }",
			"Query.i returns I, which can be T, and that is hidden",
		},
	} {
		_, err := policy.Compile(load(t, directives+test.source), vocabulary(t, "a", "b"), clock)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	for name, source := range map[string]string{
		"one field":                     query + "x: String" + a + " }",
		"a type":                        query + "x: H @auth } type H" + a + " { x: String }",
		"a type and one of its fields":  query + "} type T" + a + " { x: String y: String" + b + " }",
		"a type and all fields as well": query + "} type T" + a + " { x: String" + a + " }",
		"an interface's field":          query + "} interface I { x: String" + a + " y: Int } type T implements I { x: String y: Int }",
		"an interface":                  query + "} interface I" + a + " { x: String } type T implements I { x: String }",
		"a member and what returns it":  query + "u: U" + a + " } union U = T | H type T { x: String } type H" + a + " { x: String }",
		"all members, and the fields": query + "u: U" + a + " } union U = T | H type T" + a + " { x: String } " +
			"type H" + a + " { x: String }",
		"a member that nothing returns": query + "} union U = T | H type T { x: String } type H" + a + " { x: String }",
		"an implementer of a role": query + "t: T @auth } interface I { x: String } type T implements I { x: String } " +
			"type H implements I" + a + " { x: String }",
		"an interface that is returned": query + "i: I @auth } interface I" + a + " { x: String } type T implements I { x: String }",
		"the mutations":                 query + "} type Mutation" + a + " { x: String @auth }",
		"the same, to be used fresh":    query + "} type T" + a + " { x: String @auth(scopes: [[\"a\"]], maxAge: 60, hidden: true) }",
		"the weaker of two rules":       query + "} type T @auth(scopes: [[\"a\", \"b\"]], hidden: true) { x: String" + a + " }",
	} {
		if _, err := policy.Compile(load(t, directives+source), vocabulary(t, "a", "b"), clock); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	w := newWorld(t, `type Query {
  marked: Secret @auth
  again: Secret @auth(scopes: [["admin"]])
  stricter: Secret @auth(scopes: [["admin", "users:read"]])
  twice: String @auth @auth
  node: Node @auth
  enough: Node @auth(scopes: [["users:read"]])
  found: Found @auth
  me: User @auth @own
}
type Secret @auth(scopes: [["admin"]]) {
  bare: String @auth
  less: String @auth(scopes: [["users:read"], ["admin"]])
  more: String @auth(scopes: [["users:read"]])
  aged: String @auth(scopes: [["admin"]], maxAge: 60)
  never: User @own
}
interface Node { id: ID self: Node @own }
type User implements Node { id: ID self: User @own }
type Door implements Node @auth(scopes: [["users:read"]]) { id: ID @auth(scopes: [["users:read"]]) self: Door }
union Found = User | Secret
`, "users:read", "admin")
	golden(t, "testdata/warnings.txt", []byte(strings.Join(w.engine.Warnings(), "\n")+"\n"))
	if warnings := houseWorld(t).engine.Warnings(); len(warnings) == 0 {
		t.Error("the house has an interface's @own that an object does not repeat")
	}
	quiet := newWorld(t, `type Query { me: User @auth @own } type User { id: ID email: String @auth(owner: "parent") }`)
	if warnings := quiet.engine.Warnings(); len(warnings) > 0 {
		t.Error(warnings)
	}
}

func TestLockOfTheHouse(t *testing.T) {
	golden(t, "testdata/house.lock", houseWorld(t).engine.Lock())
}

// An owner's argument has to have the same default whichever way leads to it: an engine takes that of the type it is selected on.
func TestCompileRefusesOwnersByDifferentDefaults(t *testing.T) {
	const object = `type Query { node: Node @public(reason: "r") t: T @public(reason: "r") } `
	for name, test := range map[string]struct{ source, want string }{
		"another": {
			object + `interface Node { mail(of: ID = "a"): String } ` +
				`type T implements Node { mail(of: ID = "b"): String @auth(owner: "args.of") }`,
			"T.mail has another default for of, which says whose it is, than Node.mail, which it implements: which one counts " +
				"would depend on the way there. Give both the same default, or none.",
		},
		"one in the object alone": {
			object + `interface Node { mail(of: ID): String @auth(owner: "args.of") } ` +
				`type T implements Node { mail(of: ID = "b"): String }`,
			"T.mail has another default for of",
		},
		"one in the interface alone": {
			object + `interface Node { mail(of: ID = "a"): String @auth(owner: "args.of") } ` +
				`type T implements Node { mail(of: ID): String }`,
			"T.mail has another default for of",
		},
		"an argument in the object alone": {
			object + `interface Node { mail: String } ` +
				`type T implements Node { mail(of: ID = "b"): String @auth(owner: "args.of") }`,
			"T.mail has a default for of, which says whose it is, but Node.mail, which it implements, has no such argument: " +
				"through it the default may not count. Take the default away, or give Node.mail the argument with the same.",
		},
		"an input object": {
			object + `input In { of: ID } interface Node { mail(in: In = {of: "a"}): String } ` +
				`type T implements Node { mail(in: In = {of: "b"}): String @auth(owner: "args.in.of") }`,
			"T.mail has another default for in",
		},
	} {
		_, err := policy.Compile(load(t, directives+test.source), vocabulary(t), clock)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	for name, source := range map[string]string{
		"the same": object + `interface Node { mail(of: ID = "a"): String } ` +
			`type T implements Node { mail(of: ID = "a"): String @auth(owner: "args.of") }`,
		"none": object + `interface Node { mail: String } type T implements Node { mail(of: ID): String @auth(owner: "args.of") }`,
		"of what is nobody's": object + `interface Node { mail(of: ID first: Int = 1): String } ` +
			`type T implements Node { mail(of: ID first: Int = 2): String @auth(owner: "args.of") }`,
	} {
		if _, err := policy.Compile(load(t, directives+source), vocabulary(t), clock); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
