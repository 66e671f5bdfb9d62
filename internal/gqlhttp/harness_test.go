package gqlhttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/gqlhttp"
	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
	"gatehouse/internal/request"
)

const (
	strictType = "application/graphql-response+json"
	jsonType   = "application/json"
	formType   = "application/x-www-form-urlencoded"

	requestID = "the-request-id"
	canary    = "hunter2-canary"
)

const sdl = `
directive @auth(scopes: [[String!]!], maxAge: Int, acr: String) repeatable on OBJECT | INTERFACE | FIELD_DEFINITION
directive @public(reason: String!) on FIELD_DEFINITION
type Query {
  hello(name: String): String @public(reason: "Test.")
  me: String @auth
  admin: String @auth(scopes: [["users:read", "users:write"]])
  recent: String @auth(maxAge: 300)
  strong: String @auth(maxAge: 900, acr: "mfa")
  fails(how: String!): String @public(reason: "Test.")
}
type Mutation { login(input: LoginInput!): String @public(reason: "Test.") }
type Subscription { beats: Int @public(reason: "Test.") }
input LoginInput { email: String!  password: String! }`

// now is the time in these tests.
var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// engine executes the schema above. It answers with the variables it was given, and fails on demand.
type engine struct{}

func (engine) Execute(_ context.Context, req operation.Request) operation.Result {
	if strings.Contains(req.Query, "fails") {
		how := req.Variables["a0"]
		failures := map[any]error{
			"unavailable": &fault.Error{Code: fault.Unavailable, Message: "No.", RetryAfter: 90 * time.Second},
			"entirely":    &fault.Error{Code: fault.Unavailable, Message: "No."},
			"internal":    errors.New("canary: " + canary),
			"input":       &fault.Error{Code: fault.BadUserInput, Message: "No."},
		}
		if how == "panic" {
			panic(canary)
		}
		result := operation.Result{Errors: []operation.ResolverError{{Path: []any{"fails"}, Err: failures[how]}}}
		if how != "entirely" {
			result.Data = json.RawMessage(`{"fails":null}`)
		}
		return result
	}
	if name, ok := req.Variables["a0"].(string); ok {
		return operation.Result{Data: json.RawMessage(fmt.Sprintf(`{"hello":%q}`, name))}
	}
	return operation.Result{Data: json.RawMessage(`{"hello":"world"}`)}
}

// Subscribe implements [operation.Engine]; there is one event.
func (e engine) Subscribe(ctx context.Context, req operation.Request) iter.Seq[operation.Result] {
	return func(yield func(operation.Result) bool) { yield(e.Execute(ctx, req)) }
}

// newHandler returns the handler, and what it logs.
func newHandler(t testing.TB, maxBody int64) (http.Handler, *log) {
	t.Helper()
	x, logger, logged := newExecutor(t)
	return gqlhttp.New(x, gqlhttp.Config{MaxBody: maxBody, Logger: logger}), logged
}

// newExecutor returns what the handler stands on: an executor, a logger, and what that logs.
func newExecutor(t testing.TB) (*operation.Executor, *slog.Logger, *log) {
	t.Helper()
	logged := new(log)
	logger := slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	schema, err := operation.LoadSchema("test", sdl)
	must(t, err)
	vocabulary, err := auth.NewVocabulary("users:read", "users:write")
	must(t, err)
	rules, err := policy.Compile(schema, vocabulary, func() time.Time { return now })
	must(t, err)
	x, err := operation.New(operation.Config{
		Schema: schema, Policy: rules, Engine: engine{}, Logger: logger, OncePerOperation: []string{"Mutation.login"},
	})
	must(t, err)
	return x, logger, logged
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// log keeps what was logged.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newRequest returns a well-formed request in the name of caller.
func newRequest(t testing.TB, caller *auth.Caller, body io.Reader) *http.Request {
	t.Helper()
	ctx := auth.NewContext(request.NewContext(t.Context(), request.Info{ID: requestID}), caller)
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", body)
	r.Header.Set("Content-Type", jsonType)
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func query(text string) io.Reader {
	body, err := json.Marshal(map[string]string{"query": text})
	if err != nil {
		return iotest.ErrReader(err)
	}
	return bytes.NewReader(body)
}

// answer is a response as clients read it.
type answer struct {
	Data   json.RawMessage
	Errors []struct {
		Message    string
		Extensions map[string]any
	}
}

func read(t testing.TB, w *httptest.ResponseRecorder) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("the response is not JSON: %v\n%s", err, w.Body)
	}
	return a
}

func (a answer) code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return code
}

func anonymous(reason fault.Reason) *auth.Caller { return auth.Anonymous(fault.Anonymous(reason)) }

// signedIn returns a caller without scopes who gave a password so long ago.
func signedIn(ago time.Duration) *auth.Caller {
	return &auth.Caller{AuthTime: now.Add(-ago), AMR: []string{"pwd"}}
}
