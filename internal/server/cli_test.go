package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"gatehouse/graph"
	"gatehouse/internal/settings"
	"gatehouse/internal/store"
)

// TestMain makes this binary behave as gatehouse when it is called by that name, so that tests can run it as a process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gatehouse": gatehouse.Main})
}

// gatehouse is the program as it is without an extension.
var gatehouse = Program{Schema: graph.Schema}

// TestScripts plays the conversations in testdata/script.
func TestScripts(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TAKEN", taken.Addr().String())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"sql": execSQL, "sentence": sentence},
	})
}

// sentence is the script command "sentence PATTERN": stderr is one line, said by gatehouse, that matches the pattern.
func sentence(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile("stderr")
	if !oneLine(text) {
		ts.Fatalf("want one sentence on stderr, got: %s", text)
	}
	if !regexp.MustCompile(args[0]).MatchString(text) {
		ts.Fatalf("no match for %s in: %s", args[0], text)
	}
}

// execSQL is the script command "sql FILE STATEMENT": it changes an embedded database behind gatehouse's back.
func execSQL(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Config{URL: "sqlite://" + ts.MkAbs(args[0])})
	ts.Check(err)
	_, err = db.Conn(ctx).NewRaw(args[1]).Exec(ctx)
	ts.Check(err)
	ts.Check(db.Close())
}

// call runs a command in this process and returns its exit code and what it wrote.
func call(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err logBuffer
	code = gatehouse.Run(t.Context(), Process{
		Args: args, Lookup: noEnvironment, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &err, Now: wall,
	})
	return code, out.String(), err.String()
}

// everyCommand returns the words of every command there is.
func everyCommand(t *testing.T) []string {
	t.Helper()
	parser, err := kong.New(new(commands), settings.Options(noEnvironment)...)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, leaf := range parser.Model.Leaves(false) {
		all = append(all, strings.TrimPrefix(leaf.FullPath(), parser.Model.Name+" "))
	}
	return all
}

func TestEveryCommandTeachesByExample(t *testing.T) {
	t.Parallel()
	for _, command := range everyCommand(t) {
		code, stdout, stderr := call(t, "", append(strings.Fields(command), "--help")...)
		if code != 0 || stderr != "" || !strings.Contains(stdout, "gatehouse "+strings.TrimPrefix(command, "serve")) {
			t.Errorf("%s --help: exit code %d\n%s%s", command, code, stdout, stderr)
		}
		if !strings.Contains(stdout, "\n    ") {
			t.Errorf("%s --help has no example:\n%s", command, stdout)
		}
	}
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	s := startServer(t, "sqlite")
	address := strings.TrimPrefix(s.URL, "http://")
	for _, args := range [][]string{{"healthcheck"}, {"healthcheck", "--ready"}} {
		if code, stdout, stderr := call(t, "", append(args, "--addr="+address)...); code != 0 || stdout+stderr != "" {
			t.Errorf("%v: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
	s.ready.drain()
	if code, _, stderr := call(t, "", "healthcheck", "--ready", "--addr="+address); code != 1 || !oneLine(stderr) {
		t.Errorf("draining: exit code %d, %s", code, stderr)
	}
	if err := s.drain(t); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := call(t, "", "healthcheck", "--addr="+address); code != 1 || !oneLine(stderr) {
		t.Errorf("nobody there: exit code %d, %s", code, stderr)
	}
}

func TestDialable(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		":8080":             "localhost:8080",
		"0.0.0.0:8080":      "localhost:8080",
		"[::]:8080":         "localhost:8080",
		"192.0.2.1:8080":    "192.0.2.1:8080",
		"[2001:db8::1]:80":  "[2001:db8::1]:80",
		"gatehouse.lan:80":  "gatehouse.lan:80",
		"no port, no sense": "no port, no sense",
	} {
		if got := dialable(address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

func oneLine(text string) bool {
	return strings.HasPrefix(text, "gatehouse: ") && strings.Count(text, "\n") == 1 && strings.HasSuffix(text, "\n")
}

// asProcess returns how to run gatehouse as a process of its own, for tests about signals.
func asProcess(t *testing.T) (path string, environment []string) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); name == "PATH" || strings.HasPrefix(name, "GOCOVER") {
			environment = append(environment, variable)
		}
	}
	return "gatehouse", append(environment, fmt.Sprintf("HOME=%s", t.TempDir()))
}
