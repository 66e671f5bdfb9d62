package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/graph"
	"gatehouse/internal/policy"
	"gatehouse/internal/store/storetest"
)

// altered returns Gatehouse with one part of its schema replaced.
func altered(t *testing.T, from, to string) Program {
	t.Helper()
	if strings.Count(graph.Schema, from) != 1 {
		t.Fatalf("the schema does not have %q once", from)
	}
	return Program{Schema: strings.Replace(graph.Schema, from, to, 1)}
}

// lineOfMe returns where Query.me stands in Gatehouse's schema.
func lineOfMe() string {
	before, _, _ := strings.Cut(graph.Schema, "\n  me: ")
	return fmt.Sprintf("schema.graphqls:%d", 2+strings.Count(before, "\n"))
}

// callOf runs a command of a program and returns what it wrote.
func callOf(t *testing.T, program Program, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, err logBuffer
	outside := Process{Args: args, Lookup: noEnvironment, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err, Now: wall}
	if code := program.Run(t.Context(), outside); code != 0 {
		t.Fatalf("%v: exit code %d, %s", args, code, err.String())
	}
	return out.String(), err.String()
}

// TestWarningsAreSaid: a rule that is no mistake but may not be what it seems is told by the command, beside what it prints, and
// logged when the server starts, which it does.
func TestWarningsAreSaid(t *testing.T) {
	t.Parallel()
	program := altered(t, "me: User @auth @own", "me: User @auth @auth @own")
	const warning = "Query.me carries the same @auth twice"
	for _, args := range [][]string{{"access"}, {"access", "--json"}, {"access", "--lock"}, {"access", "--role=USER"}} {
		stdout, stderr := callOf(t, program, args...)
		if !strings.HasPrefix(stderr, "warning: "+lineOfMe()+": "+warning) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: stderr is %q", args, stderr)
		}
		if strings.Contains(stdout, "twice") {
			t.Errorf("%v: the warning is among what is printed", args)
		}
	}

	var log logBuffer
	args := []string{"serve", "--database-url=sqlite://" + filepath.Join(t.TempDir(), "gatehouse.db")}
	chosen, err := parse(process{Process{Args: args, Lookup: noEnvironment, Stdout: &log, Stderr: &log}, program})
	if err != nil {
		t.Fatal(err)
	}
	serve, ok := chosen.(*serveCommand)
	if !ok {
		t.Fatalf("%v chose %T", args, chosen)
	}
	s, err := assemble(t.Context(), program, &serve.Settings, "", slog.New(slog.NewJSONHandler(&log, nil)), wall)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.db.Close() })
	if text := log.String(); !strings.Contains(text, `"level":"WARN"`) || !strings.Contains(text, warning) {
		t.Errorf("the log has no warning:\n%s", text)
	}
}

// TestExplainKnowsTheSignIn: rules about how a caller signed in are explained, too, and where each comes from.
func TestExplainKnowsTheSignIn(t *testing.T) {
	t.Parallel()
	program := altered(t, "type User {", `type User @auth(maxAge: 300) @auth(acr: "mfa") {`)
	explain := func(args ...string) string {
		var out logBuffer
		now := wall() // standing still, so that ages are what the flags say
		program.Run(t.Context(), Process{
			Args: append([]string{"access", "--explain={ me { id } }"}, args...), Lookup: noEnvironment, Stdout: &out, Stderr: &out,
			Now: func() time.Time { return now },
		})
		return out.String()
	}
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"just now, with a password": {nil, []string{
			"deny: me (Query.me) STEP_UP_REQUIRED\n",
			"    pass: signed in within 300 s, the rule of User, which it returns: the caller signed in 0s ago\n",
			"    deny: level mfa, the rule of User, which it returns: the caller signed in at level pwd\n",
			"    deny: level mfa, the rule of User: the caller signed in at level pwd\n",
		}},
		"long ago, with two factors": {[]string{"--age=6m", "--acr=mfa"}, []string{
			"deny: me (Query.me) STEP_UP_REQUIRED\n",
			"    deny: signed in within 300 s, the rule of User, which it returns: the caller signed in 6m0s ago\n",
			"    pass: level mfa, the rule of User, which it returns: the caller signed in at level mfa\n",
		}},
		"just now, with two factors": {[]string{"--age=4m", "--acr=mfa"}, []string{"Permitted.\n"}},
	} {
		got := explain(test.args...)
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", name, want, got)
			}
		}
	}
}

// TestExplainKnowsWhoMayIntrospect: whether the schema may be asked about depends on the server's mode, and the command says what
// a server in it answers.
func TestExplainKnowsWhoMayIntrospect(t *testing.T) {
	t.Parallel()
	const query = "{ __schema { queryType { name } } }"
	for _, mode := range []string{"development", "production"} {
		var flags []string
		if mode == "production" {
			flags = inProduction
		}
		s := startServer(t, storetest.SQLite, flags...)
		token := s.register(t, "ada@example.com")
		for who, c := range map[string]struct {
			token string
			flags []string
		}{
			"nobody":   {"", []string{"--anonymous"}},
			"somebody": {token, nil},
		} {
			answered := s.ask(t, c.token, query, nil)
			permitted := answered.at("__schema", "queryType", "name") == "Query"
			if permitted == (mode == "production" && who == "nobody") {
				t.Fatalf("%s in %s: %s", who, mode, answered.Body)
			}
			args := append([]string{"access", "--explain=" + query, "--mode=" + mode}, c.flags...)
			want := map[string]string{
				"development": "Permitted.\n\npass: introspection\n    pass: open to everybody in development\n",
				"production":  "Permitted.\n\npass: introspection\n    pass: signed in, in production\n",
			}[mode]
			if !permitted {
				want = "Denied: nothing of the operation runs.\n\ndeny: introspection UNAUTHENTICATED\n    deny: signed in, in production\n"
			}
			if got, _ := callOf(t, gatehouse, args...); got != want {
				t.Errorf("%s in %s: got\n%swant\n%s", who, mode, got, want)
			}
			got, _ := callOf(t, gatehouse, append(args, "--json")...)
			var e explained
			if err := json.Unmarshal([]byte(got), &e); err != nil || e.Permitted != permitted || e.Introspection == nil ||
				e.Introspection.Decision != decide(permitted) || string(e.Introspection.Mode) != mode ||
				!permitted && e.Introspection.Error["code"] != answered.code() {
				t.Errorf("%s in %s: %v, %s", who, mode, err, got)
			}
		}
	}
	got, _ := callOf(t, gatehouse, "access", "--explain={ __typename }", "--anonymous", "--json")
	if strings.Contains(got, "introspection") {
		t.Errorf("__typename is no introspection: %s", got)
	}
	var out, said logBuffer
	gatehouse.Run(t.Context(), Process{
		Args: []string{"access", "--explain=" + query, "--anonymous"}, Stdout: &out, Stderr: &said, Now: wall,
		Lookup: func(name string) (string, bool) { return "production", name == "MODE" },
	})
	if !strings.HasPrefix(out.String(), "Denied") {
		t.Errorf("with MODE=production in the environment: %s%s", out.String(), said.String())
	}
}

// TestExplainIsBlindToTheHidden: who cannot see a field is told what they would be told by the server.
func TestExplainIsBlindToTheHidden(t *testing.T) {
	t.Parallel()
	program := altered(t, `): UserConnection @auth(scopes: [["users:read"]])`,
		`): UserConnection @auth(scopes: [["users:read"]], hidden: true)`)
	const query = "--explain={ users { nodes { id } } }"
	stdout, _ := callOf(t, program, "access", query, "--role=ADMIN")
	if !strings.HasPrefix(stdout, "Permitted.") {
		t.Errorf("who sees it: %s", stdout)
	}
	var out, err logBuffer
	code := program.Run(t.Context(), Process{
		Args: []string{"access", query}, Lookup: noEnvironment, Stdout: &out, Stderr: &err, Now: wall,
	})
	said := err.String()
	if code != 1 || out.String() != "" || !oneLine(said) || !strings.Contains(said, "refused before any rule") {
		t.Errorf("who does not see it: exit code %d, %s%s", code, out.String(), said)
	}
}

// TestAccessJSON: what machines read is all of it.
func TestAccessJSON(t *testing.T) {
	t.Parallel()
	registry, err := gatehouse.registry()
	if err != nil {
		t.Fatal(err)
	}
	_, rules, err := gatehouse.compile(registry, wall)
	if err != nil {
		t.Fatal(err)
	}
	stdout, _ := callOf(t, gatehouse, "access", "--json")
	var printed []policy.Rule
	if err := json.Unmarshal([]byte(stdout), &printed); err != nil || len(printed) != len(rules.Rules()) {
		t.Errorf("%d rules printed of %d, %v", len(printed), len(rules.Rules()), err)
	}
	stdout, _ = callOf(t, gatehouse, "access", "--json", "--role=ADMIN")
	var reach []reached
	if err := json.Unmarshal([]byte(stdout), &reach); err != nil || len(reach) != len(rules.Reach()) {
		t.Errorf("%d fields printed of %d, %v", len(reach), len(rules.Reach()), err)
	}
	for _, field := range reach {
		if field.Coordinate == "Query.users" && field.Reach != policy.ReachesAll {
			t.Errorf("an administrator reaches of Query.users: %s", field.Reach)
		}
	}
}
