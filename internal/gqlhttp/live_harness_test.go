package gqlhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/gqlhttp"
	"gatehouse/internal/id"
	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
	"gatehouse/internal/request"
)

const liveSDL = sdl + `
extend type Subscription {
  count(to: Int!): Int! @public(reason: "Test.")
  pulse: Int! @auth
  admin: Int! @auth(scopes: [["users:read"]])
}`

// source is an engine whose subscriptions the test feeds. Queries are those of engine.
type source struct {
	engine

	mu        sync.Mutex
	listeners map[chan int]bool
}

// Subscribe counts to an argument, or gives what tick is called with.
func (s *source) Subscribe(ctx context.Context, req operation.Request) iter.Seq[operation.Result] {
	return func(yield func(operation.Result) bool) {
		if to, ok := req.Variables["a0"].(int32); ok {
			for i := range to {
				if !yield(operation.Result{Data: json.RawMessage(fmt.Sprintf(`{"count":%d}`, i+1))}) {
					return
				}
			}
			return
		}
		pulse := make(chan int, 1)
		s.mu.Lock()
		s.listeners[pulse] = true
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.listeners, pulse)
		}()
		for {
			select {
			case <-ctx.Done():
				yield(operation.Result{Errors: []operation.ResolverError{{Err: ctx.Err()}}}) // as an engine may
				return
			case n := <-pulse:
				if !yield(operation.Result{Data: json.RawMessage(fmt.Sprintf("{\"pulse\":\n%d}", n))}) {
					return
				}
			}
		}
	}
}

// listening returns how many subscriptions wait for pulse.
func (s *source) listening() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners)
}

func (s *source) tick(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for pulse := range s.listeners {
		pulse <- n
	}
}

// sessions knows everybody whose token is their name, and ends them on demand.
type sessions struct {
	mu     sync.Mutex
	ending map[string][]context.CancelCauseFunc
}

var refusals = map[string]*fault.Error{
	"expired": fault.Anonymous(fault.Expired), "revoked": fault.Anonymous(fault.Revoked), "forged": fault.Anonymous(fault.Invalid),
	"outage": fault.Outage(errors.New("away")),
}

func (s *sessions) Authenticate(_ context.Context, token string) (*auth.Caller, error) {
	if refusal := refusals[token]; refusal != nil {
		return nil, refusal
	}
	var account id.ID
	copy(account[:], token)
	return &auth.Caller{AccountID: account, AuthTime: now, AMR: []string{"pwd"}}, nil
}

func (s *sessions) Bind(ctx context.Context, caller *auth.Caller) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimRight(string(caller.AccountID[:]), "\x00")
	s.ending[name] = append(s.ending[name], cancel)
	return ctx, func() { cancel(nil) }
}

// end ends the tokens of a caller for a reason.
func (s *sessions) end(name string, why *fault.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.ending[name] {
		cancel(why)
	}
}

// live is a server with lines that stay open.
type live struct {
	*gqlhttp.Live

	source   *source
	sessions *sessions
	logged   *log
	url      string // of /graphql, http://
	client   *http.Client
}

// newLive starts a server. When the test ends nothing of it may be left.
func newLive(t testing.TB, cfg gqlhttp.LiveConfig) *live {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		var left error
		for range 40 { // each looks for half a second
			if left = goleak.Find(before); left == nil {
				return
			}
		}
		t.Error(left)
	})
	l := &live{
		source: &source{listeners: map[chan int]bool{}}, sessions: &sessions{ending: map[string][]context.CancelCauseFunc{}},
		logged: new(log),
	}
	logger := slog.New(request.LogHandler(slog.NewTextHandler(l.logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	schema, err := operation.LoadSchema("test", liveSDL)
	must(t, err)
	vocabulary, err := auth.NewVocabulary("users:read", "users:write")
	must(t, err)
	rules, err := policy.Compile(schema, vocabulary, func() time.Time { return now })
	must(t, err)
	x, err := operation.New(operation.Config{Schema: schema, Policy: rules, Engine: l.source, Logger: logger})
	must(t, err)
	cfg.Logger = logger
	l.Live = gqlhttp.NewLive(x, l.sessions, time.Now, cfg)
	handler := auth.Middleware(l.sessions, gqlhttp.New(x, gqlhttp.Config{Logger: logger, Live: l.Live}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := request.Info{ID: requestID, Operation: new(request.Operation)}
		handler.ServeHTTP(w, r.WithContext(request.NewContext(r.Context(), info)))
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		must(t, l.Drain(ctx))
	})
	l.url, l.client = server.URL+"/graphql", server.Client()
	return l
}

// client is one end of a WebSocket.
type client struct {
	*websocket.Conn

	t testing.TB
}

// dial opens a WebSocket with further headers, as name and value in turn.
func (l *live) dial(t testing.TB, headers ...string) *client {
	t.Helper()
	header := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		header.Add(headers[i], headers[i+1])
	}
	conn, _, err := websocket.Dial(t.Context(), l.url, &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: header,
	})
	must(t, err)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &client{conn, t}
}

// greet opens a WebSocket and says who it is; nobody when token is empty.
func (l *live) greet(t testing.TB, token string) *client {
	t.Helper()
	c := l.dial(t)
	c.send(hello(token))
	c.expect(`{"type":"connection_ack"}`)
	return c
}

func hello(token string) string {
	if token == "" {
		return `{"type":"connection_init"}`
	}
	return `{"type":"connection_init","payload":{"Authorization":"Bearer ` + token + `"}}`
}

// ask returns the message that asks for an operation.
func ask(operationID, query string) string {
	text, err := json.Marshal(map[string]any{"id": operationID, "type": "subscribe", "payload": map[string]any{"query": query}})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (c *client) send(text string) {
	c.t.Helper()
	must(c.t, c.Write(c.t.Context(), websocket.MessageText, []byte(text)))
}

// next returns the next message.
func (c *client) next() (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	_, text, err := c.Read(ctx)
	return string(text), err
}

func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, want := range want {
		if got, err := c.next(); got != want {
			c.t.Fatalf("got  %s (%v)\nwant %s", got, err, want)
		}
	}
}

// closed expects the socket to be closed with a code, after whatever else comes.
func (c *client) closed(code websocket.StatusCode) {
	c.t.Helper()
	var last string
	for {
		text, err := c.next()
		if err == nil {
			last = text
			continue
		}
		if got := websocket.CloseStatus(err); got != code {
			c.t.Fatalf("closed with %v (%v) after %s, want %v", got, err, last, code)
		}
		return
	}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
