package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/server"
	"gatehouse/internal/store/storetest"
)

// output is what a command writes; it may be written and read at once.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// run runs a command of the program and returns its exit code and what it wrote.
func run(ctx context.Context, p server.Program, stdin string, args ...string) (code int, written string) {
	out := new(output)
	return p.Run(ctx, process(out, stdin, args)), out.String()
}

func process(out *output, stdin string, args []string) server.Process {
	return server.Process{
		Args: args, Lookup: func(string) (string, bool) { return "", false }, Stdin: strings.NewReader(stdin),
		Stdout: out, Stderr: out, Now: time.Now,
	}
}

// start starts the server on a database and returns its URL. It drains when the test ends.
func start(t *testing.T, flags []string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	out, ended := new(output), make(chan struct{})
	args := append([]string{"serve", "--addr=127.0.0.1:0", "--log-format=json"}, flags...)
	go func() {
		defer close(ended)
		if code := program().Run(ctx, process(out, "", args)); code != 0 {
			t.Errorf("the server ended with %d:\n%s", code, out)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	for {
		select {
		case <-ended:
			t.FailNow()
		case <-time.After(20 * time.Millisecond):
		}
		for line := range strings.Lines(out.String()) {
			var said struct{ URL string }
			if json.Unmarshal([]byte(line), &said) == nil && said.URL != "" {
				return said.URL
			}
		}
	}
}

// ask sends an operation and returns the body of the answer.
func ask(t *testing.T, url, token, query string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	must(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/graphql", bytes.NewReader(body))
	must(t, err)
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	must(t, err)
	answer, err := io.ReadAll(response.Body)
	must(t, err)
	must(t, response.Body.Close())
	return string(answer)
}

// newSecret returns a master secret as "openssl rand -base64 32" makes it.
func newSecret() string {
	key := make([]byte, 32)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

const secretOfTests = "kept by nobody but these tests"

// TestProgram is a day of the program on either database: its tables are made, its role is granted, its API answers over HTTP.
func TestProgram(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			database := "--database-url=" + storetest.URL(t, kind)
			flags := []string{database}
			if kind == storetest.Postgres {
				flags = append(flags, "--secret="+newSecret())
			}
			if code, said := run(t.Context(), program(), "", "migrate", database); code != 0 {
				t.Fatalf("migrate: %s", said)
			}
			code, said := run(t.Context(), program(), secretOfTests, "user", "create", database, "--email=ed@example.com", "--role=EDITOR")
			if code != 0 {
				t.Fatalf("user create: %s", said)
			}
			editor := strings.TrimSpace(said)
			url := start(t, flags)

			login := ask(t, url, "", fmt.Sprintf(`mutation {
				login(input: {email: "ed@example.com", password: %q}) { user { scopes } tokens { accessToken } }
			}`, secretOfTests))
			var answer struct {
				Data struct {
					Login struct {
						Tokens struct{ AccessToken string }
						User   struct{ Scopes []string }
					}
				}
			}
			must(t, json.Unmarshal([]byte(login), &answer))
			if got := strings.Join(answer.Data.Login.User.Scopes, " "); got != "notes:read notes:write" {
				t.Fatalf("an editor's scopes are %q: %s", got, login)
			}
			token := answer.Data.Login.Tokens.AccessToken
			ask(t, url, token, fmt.Sprintf(`mutation { createNote(input: {accountId: %q, title: "Milk"}) { note { id } } }`, editor))
			const want = `{"data":{"me":{"email":"ed@example.com","notes":{"nodes":[{"title":"Milk"}]}}}}`
			if got := ask(t, url, token, `{ me { email notes { nodes { title } } } }`); strings.TrimSpace(got) != want {
				t.Errorf("the editor's own note: %s", got)
			}

			// Gatehouse alone finds its own part of the schema as it expects it, and so can look after accounts.
			gatehouse := server.Program{Schema: program().Schema}
			if code, said := run(t.Context(), gatehouse, "", "user", "disable", database, "--email=ed@example.com"); code != 0 {
				t.Errorf("gatehouse user disable: %s", said)
			}
		})
	}
}

// withoutRule returns notes.graphqls with the rule of Query.notes forgotten.
func withoutRule(t *testing.T) string {
	t.Helper()
	before, after, found := strings.Cut(schema, `): NoteConnection @auth(owner: "args.accountId", orScopes: [["notes:read"]])`)
	if !found {
		t.Fatal("notes.graphqls has lost the rule of Query.notes")
	}
	return before + "): NoteConnection" + after
}

// TestServerRefusesAnUnguardedField: deny by default holds for what is added, with the line of the added file, and before
// anything happens to the database.
func TestServerRefusesAnUnguardedField(t *testing.T) {
	t.Parallel()
	forgetful := program()
	forgetful.Extension.Schema = withoutRule(t)
	file := filepath.Join(t.TempDir(), "notes.db")
	code, said := run(t.Context(), forgetful, "", "serve", "--addr=127.0.0.1:0", "--database-url=sqlite://"+file)
	line := 1 + strings.Count(schema[:strings.Index(schema, "\n  notes(\n")+1], "\n")
	want := fmt.Sprintf("notes.graphqls:%d: Query.notes says nothing about who may use it.", line)
	if code != 1 || !strings.Contains(said, want) {
		t.Errorf("exit code %d, want 1 and %q:\n%s", code, want, said)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the database: %v, want none", err)
	}
}
