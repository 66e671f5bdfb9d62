package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store/storetest"
)

// testServer is a whole server, in this process: the one that "gatehouse serve" runs, with a handle to its insides.
type testServer struct {
	*server
	URL         string // where it answers, without a final slash
	DatabaseURL string
	Log         *logBuffer

	args []string           // the settings it was started with
	stop context.CancelFunc // what SIGTERM does
	done chan error         // what serve returned
}

// startServer starts a server on a new database of the given kind, with flags beside the ones it needs. It drains when the
// test ends.
func startServer(t *testing.T, kind string, flags ...string) *testServer {
	t.Helper()
	return startServerOn(t, storetest.URL(t, kind), flags...)
}

// startServerOn is startServer on a database that is there already.
func startServerOn(t *testing.T, databaseURL string, flags ...string) *testServer {
	t.Helper()
	return startProgram(t, gatehouse, wall, databaseURL, flags...)
}

// startProgram is startServerOn for Gatehouse and what somebody has added to it, on a machine with that wall clock.
func startProgram(
	t *testing.T, program Program, wall func() time.Time, databaseURL string, flags ...string,
) *testServer {
	t.Helper()
	args := append([]string{"serve", "--database-url=" + databaseURL, "--log-level=debug"}, flags...)
	if !strings.HasPrefix(databaseURL, "sqlite:") && !strings.Contains(strings.Join(flags, " "), "--secret") {
		args = append(args, "--secret="+newSecret())
	}
	log := new(logBuffer)
	chosen, err := parse(process{Process{Args: args, Lookup: noEnvironment, Stdout: log, Stderr: log}, program})
	if err != nil {
		t.Fatal(err)
	}
	serve, ok := chosen.(*serveCommand)
	if !ok {
		t.Fatalf("%v chose %T", args, chosen)
	}
	if err := serve.Check(); err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	logger := newLogger(process{Process: Process{Stderr: log}}, serve.Log)
	s, err := assemble(t.Context(), program, &serve.Settings, url, logger, wall)
	if err != nil {
		_ = listener.Close()
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	running := &testServer{
		server: s, URL: url, DatabaseURL: databaseURL, Log: log, args: args, stop: stop, done: make(chan error, 1),
	}
	go func() { running.done <- s.serve(ctx, listener) }()
	t.Cleanup(func() {
		if err := running.drain(t); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return running
}

// drain stops the server as SIGTERM does, and returns what serve returned. It may be called again.
func (s *testServer) drain(t *testing.T) error {
	t.Helper()
	s.stop()
	select {
	case err := <-s.done:
		s.done <- err
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the server does not end")
		return nil
	}
}

// answer is what came back for a GraphQL request.
type answer struct {
	Status int
	Header http.Header
	Body   string
	Took   time.Duration

	Data   map[string]any
	Errors []struct {
		Message    string
		Extensions map[string]any
	}
}

// code returns the code of the first error; empty where there is none.
func (a answer) code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return code
}

// at returns what stands in Data at the path of keys; nil when there is nothing.
func (a answer) at(path ...string) any {
	var found any = a.Data
	for _, key := range path {
		object, ok := found.(map[string]any)
		if !ok {
			return nil
		}
		found = object[key]
	}
	return found
}

// ask sends a GraphQL request; token may be empty, variables nil.
func (s *testServer) ask(t *testing.T, token, query string, variables map[string]any) answer {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	headers := []string{"Content-Type: application/json"}
	if token != "" {
		headers = append(headers, "Authorization: Bearer "+token)
	}
	return s.send(t, http.MethodPost, "/graphql", string(payload), headers...)
}

// send sends any request, with headers "Name: value". A body that is not JSON leaves Data and Errors empty.
func (s *testServer) send(t *testing.T, method, target, payload string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+target, strings.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	start := wall()
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	got := answer{Status: response.StatusCode, Header: response.Header, Body: string(body), Took: wall().Sub(start)}
	_ = json.Unmarshal(body, &got)
	return got
}

const goodPassword = "nine tulips by the canal"

const (
	registerMutation = `mutation Register($input: RegisterInput!) {
		register(input: $input) { user { id email } tokens { accessToken } userErrors { code message field } }
	}`
	loginMutation = `mutation Login($input: LoginInput!) {
		login(input: $input) { user { id } tokens { accessToken } userErrors { code message field } }
	}`
	meQuery = `query Me { me { id email } }`
)

// register makes an account and returns its access token.
func (s *testServer) register(t *testing.T, email string) string {
	t.Helper()
	got := s.ask(t, "", registerMutation, map[string]any{"input": map[string]any{"email": email, "password": goodPassword}})
	token, ok := got.at("register", "tokens", "accessToken").(string)
	if !ok {
		t.Fatalf("register: %s", got.Body)
	}
	return token
}

// login returns an access token of an account that is there.
func (s *testServer) login(t *testing.T, email string) string {
	t.Helper()
	got := s.ask(t, "", loginMutation, map[string]any{"input": map[string]any{"email": email, "password": goodPassword}})
	token, ok := got.at("login", "tokens", "accessToken").(string)
	if !ok {
		t.Fatalf("login: %s", got.Body)
	}
	return token
}

// eventually waits until condition holds, and fails the test when it does not within the limit.
func eventually(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	for deadline := wall().Add(limit); !condition(); time.Sleep(20 * time.Millisecond) {
		if wall().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// newSecret returns a master secret as "openssl rand -base64 32" makes it.
func newSecret() string {
	key := make([]byte, 32)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

// wall is the real clock: these tests are about real time.
func wall() time.Time { return thisProcess().Now() }

func noEnvironment(string) (string, bool) { return "", false }

// logBuffer is a log that may be written and read at once.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
