package tools_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// allAudits is how many audits the package graphql-http has: what it must do, what it should, and what it may.
const allAudits = 61

// TestHTTPAudits has the reference implementation of GraphQL over HTTP judge a running server: it passes every audit.
func TestHTTPAudits(t *testing.T) {
	server := start(t, build(t))
	var audits []struct{ ID, Name, Status, Reason string }
	ask(t, &audits, "audit.js", server)
	if len(audits) != allAudits {
		t.Errorf("%d audits were played, there are %d", len(audits), allAudits)
	}
	for _, audit := range audits {
		t.Run(audit.ID, func(t *testing.T) {
			if audit.Status != "ok" {
				t.Errorf("%s: %s %s", audit.Name, audit.Status, audit.Reason)
			}
		})
	}
}

// conversation is what a client library sent, and what it made of the answers.
type conversation struct {
	Sent []struct {
		Method, Query, Hash string
		Status              int
	}
	Answers []struct {
		Data *struct{ Can []bool }
		Code string
	}
}

// TestPersistedQueryClients has Apollo Client and urql name documents by their hashes. The first time they send the document,
// too; then the hash is enough. What they sent makes a manifest of trusted documents, with which a server in production answers
// the hash at once, and nothing else.
func TestPersistedQueryClients(t *testing.T) {
	binary, manifests := build(t), t.TempDir()
	for _, method := range []string{"POST", "GET"} {
		var clients map[string]conversation
		ask(t, &clients, "clients.js", start(t, binary), method)
		if len(clients) != 2 {
			t.Fatalf("%s: %d clients", method, len(clients))
		}
		for name, c := range clients {
			// The hash alone, which nobody knows; with the document; the hash alone.
			if len(c.Sent) != 3 || c.Sent[0].Query != "" || c.Sent[1].Query == "" || c.Sent[2].Query != "" || c.Sent[2].Method != method {
				t.Errorf("%s by %s sent %+v", name, method, c.Sent)
			}
			for _, answer := range c.Answers {
				if answer.Data == nil || len(answer.Data.Can) != 1 || answer.Code != "" {
					t.Errorf("%s by %s got %+v", name, method, answer)
				}
			}
			for _, sent := range c.Sent {
				if sent.Query != "" {
					write(t, filepath.Join(manifests, name+".json"), map[string]string{sent.Hash: sent.Query})
				}
			}
		}
	}

	production := func(manifests string) string {
		return start(t, binary, "MODE=production", "ISSUER=https://auth.example.com", "TRUSTED_DOCUMENTS="+manifests)
	}
	trusted := production(manifests)
	for _, method := range []string{"POST", "GET"} {
		var clients map[string]conversation
		ask(t, &clients, "clients.js", trusted, method)
		for name, c := range clients {
			if len(c.Sent) != 2 || c.Sent[0].Query != "" || c.Sent[0].Status != 200 || c.Answers[0].Data == nil {
				t.Errorf("%s by %s, trusted: %+v", name, method, c)
			}
		}
	}
	others := t.TempDir()
	write(t, filepath.Join(others, "other.json"), map[string]string{
		"7f56e67dd21ab3f30d1ff8b7bed08893f0a0db86449836189b361dd1e56ddb4b": "{ __typename }",
	})
	var clients map[string]conversation
	ask(t, &clients, "clients.js", production(others), "POST")
	for name, c := range clients {
		// Neither insists: a document that is not in the list will not be there a moment later.
		if len(c.Sent) != 2 || c.Answers[0].Code != "PERSISTED_QUERY_NOT_IN_LIST" {
			t.Errorf("%s, not trusted: %+v", name, c)
		}
	}
}

// TestPartialSuccess has Apollo Client and urql read an answer of the status 294, which only the specification of GraphQL over
// HTTP knows: they find the error in it, as they would with 200.
func TestPartialSuccess(t *testing.T) {
	var clients map[string]struct {
		Status     int
		Name, Code string
	}
	ask(t, &clients, "partial.js", start(t, build(t)))
	for client, name := range map[string]string{"apollo": "CombinedGraphQLErrors", "urql": "CombinedError"} {
		if got := clients[client]; got.Status != 294 || got.Code != "UNAUTHENTICATED" || got.Name != name {
			t.Errorf("%s made %+v of it", client, got)
		}
	}
}

func write(t *testing.T, name string, value any) {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask runs a script of httpaudit.
func ask(t *testing.T, into any, script string, args ...string) {
	t.Helper()
	play(t, into, "httpaudit", script, args...)
}

// play runs a script of a folder, having installed what it needs, and reads the JSON that it prints.
func play(t *testing.T, into any, folder, script string, args ...string) {
	t.Helper()
	install(t, folder)
	printed := output(t.Context(), t, folder, "node", append([]string{script}, args...)...)
	if err := json.Unmarshal([]byte(printed), into); err != nil {
		t.Fatalf("%s printed %s: %v", script, printed, err)
	}
}

// build builds the server and returns its path.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "gatehouse")
	output(t.Context(), t, root, "go", "build", "-o", binary, ".")
	return binary
}

// start starts the server on a database of its own, with more settings as environment variables, for as long as the test runs. It
// returns its URL.
func start(t *testing.T, binary string, settings ...string) string {
	t.Helper()
	server := exec.CommandContext(t.Context(), binary)
	server.Env = append(os.Environ(),
		"ADDR=127.0.0.1:0", "LOG_FORMAT=json", "DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "gatehouse.db"))
	server.Env = append(server.Env, settings...)
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGTERM) }
	server.WaitDelay = 20 * time.Second
	stderr, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	var ready struct{ Address string }
	lines := bufio.NewScanner(stderr)
	for ready.Address == "" && lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		_ = json.Unmarshal(lines.Bytes(), &ready) // a line that is no JSON is what the test shows where it fails
	}
	if ready.Address == "" {
		t.Fatalf("the server did not start:\n%s", said.String())
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() { // what else it says is nobody's concern, but must not fill the pipe
		}
	}()
	t.Cleanup(func() {
		<-drained
		_ = server.Wait() // a test that has failed says so itself; that one cut it off says nothing
	})
	return "http://" + ready.Address
}
