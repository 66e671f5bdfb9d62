package policy_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/policy"
)

func TestCompileListsEveryMistake(t *testing.T) {
	schema := load(t, directives+`type Query {
  unmarked: String
  me: User @auth
  nobody: String @auth(scopes: [])
  everybody: String @auth(scopes: [[]])
  halfEmpty: String @auth(scopes: [["users:read"], []])
  flat: String @auth(scopes: ["users:read", "admin"])
  single: String @auth(scopes: "users:read")
  null: String @auth(scopes: null)
  number: String @auth(scopes: [[1]])
  misspelled: String @auth(scopes: [["user:read"], ["users:read", "Admin"]])
  contradiction: String @public(reason: "It is both.") @auth
  unreasoned: String @public(reason: " ")
  loosened: Secret @public(reason: "It cannot be.")
}
type Mutation { unmarked: String }
type Subscription { unmarked: String }
type User implements Node { id: ID! @auth(scopes: [["nope"]]) }
type Secret @auth(scopes: [["nope"]]) { id: ID! }
interface Node @auth(scopes: [[]]) { id: ID! @public(reason: "Nor can this.") }
extend type Query {
  extended: String
}
`)
	_, err := policy.Compile(schema, vocabulary(t, "users:read", "admin"), clock)
	if err == nil {
		t.Fatal("accepted")
	}
	golden(t, "testdata/mistakes.txt", []byte(err.Error()+"\n"))
}

// A directive that is declared beyond what is enforced would be accepted by the schema, and then bind nobody.
func TestCompileRefusesDirectivesDeclaredOtherwise(t *testing.T) {
	const public = "directive @public(reason: String!) on FIELD_DEFINITION\n"
	const scopes = "directive @auth(scopes: [[String!]!]) repeatable on FIELD_DEFINITION\n"
	for name, test := range map[string]struct{ source, want string }{
		"an argument that nothing enforces": {
			public + "directive @auth(scopes: [[String!]!], roles: String) on FIELD_DEFINITION\ntype Query { a: " +
				"String @auth(roles: \"ADMIN\") }",
			"test.graphqls:3: Query.a has an @auth with the argument roles, which nothing enforces. Take the argument out.",
		},
		"the same, declared": {
			public + "directive @auth(roles: String) on FIELD_DEFINITION\ntype Query { a: String @auth }",
			"test.graphqls:2: @auth(roles:) declares an argument that nothing enforces. Take the argument out of the " +
				"directive's definition.",
		},
		"a default": {
			public + "directive @auth(scopes: [[String!]!] = [[\"a\"]]) on FIELD_DEFINITION\ntype Query { a: String @auth }",
			"test.graphqls:2: @auth(scopes:) is declared otherwise than it is enforced. Declare it as [[String!]!], " +
				"without a default.",
		},
		"another type": {
			public + "directive @auth(scopes: [String!]) on FIELD_DEFINITION\ntype Query { a: String @auth }",
			"test.graphqls:2: @auth(scopes:) is declared otherwise than it is enforced. Declare it as [[String!]!], " +
				"without a default.",
		},
		"on arguments": {
			public + "directive @auth on FIELD_DEFINITION | ARGUMENT_DEFINITION\ntype Query { a(b: Int @auth): String @auth }",
			"test.graphqls:2: @auth is declared on ARGUMENT_DEFINITION, where nothing enforces it. " +
				"Take the location out of the directive's definition.",
		},
		"on unions": {
			public + "directive @auth on FIELD_DEFINITION | UNION\ntype Query { a: String @auth }",
			"test.graphqls:2: @auth is declared on UNION, where nothing enforces it. Take the location out of the " +
				"directive's definition.",
		},
		"public types": {
			scopes + "directive @public(reason: String!) on OBJECT\ntype Query { a: String @auth }",
			"test.graphqls:2: @public is declared on OBJECT, where nothing enforces it. Take the location out of the " +
				"directive's definition.",
		},
		"public without the need of a reason": {
			scopes + "directive @public(reason: String) on FIELD_DEFINITION\ntype Query { a: String @public }",
			"test.graphqls:3: Query.a is @public for no reason. Say in reason why it is safe.",
		},
		"neither is declared": {
			"type Query { a: String }",
			"test.graphqls:1: Query.a says nothing about who may use it.",
		},
	} {
		_, err := policy.Compile(load(t, test.source), vocabulary(t, "a"), clock)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

var update = flag.Bool("update", false, "rewrite golden files")

func TestLock(t *testing.T) {
	golden(t, "testdata/library.lock", libraryWorld(t).engine.Lock())
}

// golden compares got with a file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("run with -update if this is what it should be:\n%s", diff)
	}
}
