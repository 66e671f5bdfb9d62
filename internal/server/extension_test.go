package server

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/graph"
	"gatehouse/internal/operation"
	"gatehouse/internal/role"
	"gatehouse/internal/store/storetest"
)

// inProduction starts a server in production, as far as a test on this machine can be that.
var inProduction = []string{"--mode=production", "--issuer=http://localhost:8080"}

// vault is Gatehouse with a field that only keepers know of, and one more place where a password is given.
var vault = Program{Schema: graph.Schema, Extension: Extension{
	Name: "vault",
	Schema: `
extend type Query {
  vault: Vault @auth(scopes: [["vault:read"]], hidden: true)
}
type Vault {
  gold: Int
}
extend type Mutation {
  openVault(password: String!): Boolean @auth
}
`,
	Scopes:           []role.Scope{{Name: "vault:read", Description: "Look into the vault."}},
	Roles:            []role.Role{{Name: "KEEPER", Description: "Keeps the vault.", Scopes: []string{"vault:read"}}},
	OncePerOperation: []string{"Mutation.openVault"},
	Bind: func(sdl string, house House) (operation.Engine, error) {
		return graph.Extend(sdl, house.Features, graph.Resolvers[graph.User]{
			User:     func(own graph.User) *graph.User { return &own },
			Query:    func(own *graph.Query[graph.User]) any { return &vaultQuery{own} },
			Mutation: func(own *graph.Mutation[graph.User]) any { return &vaultMutation{own} },
		})
	},
}}

type vaultQuery struct{ *graph.Query[graph.User] }

type gold struct{ Gold *int32 }

func (*vaultQuery) Vault() *gold { return &gold{new(int32(7))} }

type vaultMutation struct{ *graph.Mutation[graph.User] }

func (*vaultMutation) OpenVault(struct{ Password string }) *bool { return new(true) }

// TestSchemaAsCallersSeeIt asks a running server for its schema, in either mode and for everybody: by introspection and at
// /schema.graphqls the answer is the same, what is hidden is there for keepers alone, and nobody may keep a copy for others.
func TestSchemaAsCallersSeeIt(t *testing.T) {
	t.Parallel()
	for mode, flags := range map[string][]string{"development": nil, "production": inProduction} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := startProgram(t, vault, wall, storetest.URL(t, storetest.SQLite), flags...)
			s.register(t, "ada@example.com")
			s.register(t, "eve@example.com")
			callOf(t, vault, "user", "grant", "--database-url="+s.DatabaseURL, "--email=eve@example.com", "--role=KEEPER")
			open := mode == "development"
			const challenge = `Bearer realm="gatehouse"`
			for _, c := range []struct {
				who, token  string
				sees, knows bool // the schema at all; what is hidden in it
				challenge   string
			}{
				{"anonymous", "", open, false, challenge},
				{"with a token that is none", "nonsense", open, false, challenge + `, error="invalid_token"`},
				{"signed in", s.login(t, "ada@example.com"), true, false, ""},
				{"a keeper", s.login(t, "eve@example.com"), true, true, ""},
			} {
				t.Run(c.who, func(t *testing.T) {
					var headers []string
					if c.token != "" {
						headers = []string{"Authorization: Bearer " + c.token}
					}
					got := s.send(t, http.MethodGet, "/schema.graphqls", "", headers...)
					if sees := strings.Contains(got.Body, "type Query {"); sees != c.sees || (got.Status == http.StatusOK) != c.sees {
						t.Errorf("the schema: %d %s", got.Status, got.Body)
					}
					if knows := strings.Contains(strings.ToLower(got.Body), "gold"); knows != c.knows {
						t.Errorf("that the vault is in the schema is %v:\n%s", knows, got.Body)
					}
					s.sameHead(t, got, headers)
					if !c.sees && (got.Status != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") != c.challenge) {
						t.Errorf("refused with %d, WWW-Authenticate: %s", got.Status, got.Header.Get("WWW-Authenticate"))
					}

					asked := s.ask(t, c.token, `{ __schema { queryType { name } } __type(name: "Vault") { name } }`, nil)
					if sees := asked.at("__schema", "queryType", "name") == "Query"; sees != c.sees {
						t.Errorf("introspection: %s", asked.Body)
					}
					if knows := asked.at("__type", "name") == "Vault"; knows != c.knows {
						t.Errorf("that introspection tells of the vault is %v: %s", knows, asked.Body)
					}
					used := s.ask(t, c.token, `{ vault { gold } }`, nil)
					unknown := s.ask(t, c.token, `{ _ault { gold } }`, nil)
					if c.knows != (used.at("vault", "gold") == 7.0) || !c.knows && withoutID(used.Body) != withoutID(unknown.Body) {
						t.Errorf("the vault: %s\nan unknown field: %s", used.Body, unknown.Body)
					}
				})
			}
		})
	}
}

// sameHead holds the answer to HEAD to that to GET: the same, without a body. It also looks at what caches may do with either.
func (s *testServer) sameHead(t *testing.T, got answer, headers []string) {
	t.Helper()
	head := s.send(t, http.MethodHead, "/schema.graphqls", "", headers...)
	if head.Status != got.Status || head.Body != "" {
		t.Errorf("HEAD: %d %s", head.Status, head.Body)
	}
	for _, name := range []string{"Content-Type", "Cache-Control", "Vary", "WWW-Authenticate"} {
		if head, got := head.Header.Values(name), got.Header.Values(name); !slices.Equal(head, got) {
			t.Errorf("HEAD: %s is %q, with GET %q", name, head, got)
		}
	}
	vary := strings.Join(got.Header.Values("Vary"), ", ")
	depends := strings.HasPrefix(vary, "Origin, ") && strings.HasSuffix(vary, "Authorization")
	if cache := got.Header.Get("Cache-Control"); cache != "no-store" || !depends {
		t.Errorf("Cache-Control: %s, Vary: %s", cache, vary)
	}
}

// requestID matches what alone may differ between answers to the same.
var requestID = regexp.MustCompile(`"requestId":"[^"]*"`)

func withoutID(body string) string { return requestID.ReplaceAllString(body, "") }

// TestPasswordsOfAnExtension: what a team's own mutation makes of a password cannot be tried twice in one operation, and neither
// beside Gatehouse's; "access --explain" says so as the server does.
func TestPasswordsOfAnExtension(t *testing.T) {
	t.Parallel()
	s := startProgram(t, vault, wall, storetest.URL(t, storetest.SQLite))
	token := s.register(t, "ada@example.com")
	const login = `login(input: {email: "ada@example.com", password: "guess"}) { userErrors { code } }`
	for query, permitted := range map[string]bool{
		`mutation { openVault(password: "guess") }`:                                    true,
		`mutation { a: openVault(password: "guess") b: openVault(password: "other") }`: false,
		`mutation { openVault(password: "guess") ` + login + ` }`:                      false,
		`mutation { ...A ...B } fragment A on Mutation { ` + login + ` }
			fragment B on Mutation { openVault(password: "guess") }`: false,
	} {
		if got := s.ask(t, token, query, nil); permitted != (got.at("openVault") == true) || !permitted && got.code() != notValid {
			t.Errorf("%s: %s", query, got.Body)
		}
		var out, err logBuffer
		code := vault.Run(t.Context(), Process{
			Args: []string{"access", "--explain=" + query}, Lookup: noEnvironment, Stdout: &out, Stderr: &err, Now: wall,
		})
		if permitted != (code == 0) {
			t.Errorf("%s is explained: %s%s", query, out.String(), err.String())
		}
	}
}

// TestUnknownPasswordFieldIsRefused: a field that does not exist would leave the real one unguarded.
func TestUnknownPasswordFieldIsRefused(t *testing.T) {
	t.Parallel()
	misspelt := vault
	misspelt.OncePerOperation = []string{"Mutation.openVaults"}
	var out, err logBuffer
	args := []string{"serve", "--addr=127.0.0.1:0", "--database-url=" + storetest.URL(t, storetest.SQLite)}
	code := misspelt.Run(t.Context(), Process{Args: args, Lookup: noEnvironment, Stdout: &out, Stderr: &err, Now: wall})
	if code != 1 || !strings.Contains(err.String(), "Mutation.openVaults is no root field") {
		t.Errorf("exit code %d, %s", code, err.String())
	}
}

// TestProgramGoesByItsName: wherever a program speaks of itself it says its own name and not Gatehouse's: in help, in examples,
// and in sentences about what to run.
func TestProgramGoesByItsName(t *testing.T) {
	t.Parallel()
	run := func(args ...string) (code int, said string) {
		var out logBuffer
		code = vault.Run(t.Context(), Process{
			Args: args, Lookup: noEnvironment, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Now: wall,
		})
		return code, strings.ReplaceAll(out.String(), `--audience="gatehouse"`, "") // a default, and no name of the program
	}
	ours := regexp.MustCompile(`(?m)(^|[\s"'])gatehouse($|[\s"'])`)
	for _, command := range everyCommand(t) {
		code, said := run(append(strings.Fields(command), "--help")...)
		if code != 0 || !strings.Contains(said, "\n    ") || ours.MatchString(said) {
			t.Errorf("%s --help: exit code %d\n%s", command, code, said)
		}
		if example := regexp.MustCompile(`(?m)^ {4}.*\bvault\b`); !example.MatchString(said) {
			t.Errorf("%s --help has no example with the program's name:\n%s", command, said)
		}
	}
	if code, said := run("--help"); code != 0 || ours.MatchString(said) || !strings.Contains(said, "Usage: vault <command>") {
		t.Errorf("--help: exit code %d\n%s", code, said)
	}
	if _, said := run("version"); !strings.HasPrefix(said, "vault ") {
		t.Errorf("version: %s", said)
	}
	database := "--database-url=sqlite://" + t.TempDir() + "/gatehouse.db"
	if code, said := run("migrate", database); code != 0 {
		t.Fatalf("migrate: %s", said)
	}
	for _, args := range [][]string{
		{"user", "disable", database, "--email=nobody@example.com"}, {"healthcheck", "--addr=127.0.0.1:1"}, {"nothing"},
	} {
		code, said := run(args...)
		if code != 1 || !strings.HasPrefix(said, "vault: ") || !strings.Contains(said, `"vault `) || ours.MatchString(said) {
			t.Errorf("%v: exit code %d, %s", args, code, said)
		}
	}
}

// TestMistakesNameTheirFile: what is wrong in Gatehouse's part and what is wrong in the part that was added are told at once,
// each with the line of its own file.
func TestMistakesNameTheirFile(t *testing.T) {
	t.Parallel()
	program := altered(t, "me: User @auth @own", "me: User @own")
	program.Extension = vault.Extension
	program.Extension.Schema = strings.Replace(vault.Extension.Schema, `): Boolean @auth`, `): Boolean`, 1)
	var out, err logBuffer
	code := program.Run(t.Context(), Process{Args: []string{"access"}, Lookup: noEnvironment, Stdout: &out, Stderr: &err, Now: wall})
	for _, want := range []string{lineOfMe() + ": Query.me says nothing", "vault.graphqls:9: Mutation.openVault says nothing"} {
		if code != 1 || !strings.Contains(err.String(), want) {
			t.Errorf("exit code %d, want 1 and %q: %s", code, want, err.String())
		}
	}
}
