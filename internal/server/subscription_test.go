package server

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/graph"
	"gatehouse/internal/operation"
	"gatehouse/internal/role"
	"gatehouse/internal/store/storetest"
)

// bells is Gatehouse with subscriptions that have every kind of rule. Each rings once, and rung counts how often.
func bells(rung *atomic.Int64) Program {
	return Program{Schema: graph.Schema, Extension: Extension{
		Name: "bells",
		Schema: `
extend type Subscription {
  bell: Bell @auth
  everybodysBell: Bell @auth(scopes: [["bells:hear"]])
  somebodysBell(accountId: ID!): Bell @auth(owner: "args.accountId", orScopes: [["bells:hear"]])
  provedBell: Bell @auth(acr: "mfa")
  freshBell: Bell @auth(maxAge: 600)
  secretBell: Bell @auth(scopes: [["bells:hear"]], hidden: true)
}
interface Sound { text: String }
type Bell implements Sound { text: String }
union Noise = Bell
`,
		Scopes: []role.Scope{{Name: "bells:hear", Description: "Hear all bells."}},
		Roles:  []role.Role{{Name: "RINGER", Description: "Rings the bells.", Scopes: []string{"bells:hear"}}},
		Bind: func(sdl string, house House) (operation.Engine, error) {
			return graph.Extend(sdl, house.Features, graph.Resolvers[graph.User]{
				User:         func(own graph.User) *graph.User { return &own },
				Subscription: func(own *graph.Subscription) any { return &bellSubscription{own, rung} },
			})
		},
	}}
}

type bellSubscription struct {
	*graph.Subscription

	rung *atomic.Int64
}

type bell struct{ Text *string }

func (b *bellSubscription) ring() <-chan *bell {
	b.rung.Add(1)
	rings := make(chan *bell, 1)
	rings <- &bell{new("Ding dong")}
	close(rings)
	return rings
}

func (b *bellSubscription) Bell(context.Context) <-chan *bell           { return b.ring() }
func (b *bellSubscription) EverybodysBell(context.Context) <-chan *bell { return b.ring() }
func (b *bellSubscription) ProvedBell(context.Context) <-chan *bell     { return b.ring() }
func (b *bellSubscription) FreshBell(context.Context) <-chan *bell      { return b.ring() }
func (b *bellSubscription) SecretBell(context.Context) <-chan *bell     { return b.ring() }

func (b *bellSubscription) SomebodysBell(context.Context, struct{ AccountID graph.ID }) <-chan *bell {
	return b.ring()
}

// bellShapes are the ways to write a subscription, in an operation named S. FIELD stands for its field with its arguments.
var bellShapes = map[string]string{
	"plain":                   `subscription S { FIELD { text } }`,
	"under an alias":          `subscription S { z: FIELD { text } }`,
	"in a fragment":           `subscription S { ...A } fragment A on Subscription { FIELD { ...B } } fragment B on Bell { text }`,
	"in an inline fragment":   `subscription S { ... on Subscription { ... { FIELD { text } } } }`,
	"with @include below":     `subscription S($yes: Boolean = true) { FIELD { text @include(if: $yes) } }`,
	"beside another of these": `query Q { __typename } subscription S { FIELD { text } }`,
}

// TestSubscriptionsAreDenied tries every kind of rule on a subscription, for everybody whom it is to keep out and for somebody
// whom it is not, in every shape, over a socket and as server-sent events: whoever is denied gets one answer that says why,
// and nothing of theirs begins.
func TestSubscriptionsAreDenied(t *testing.T) {
	t.Parallel()
	rung, ahead := new(atomic.Int64), new(atomic.Int64)
	program := bells(rung)
	s := startProgram(t, program, func() time.Time { return wall().Add(time.Duration(ahead.Load())) },
		storetest.URL(t, storetest.SQLite), "--access-token-ttl=20m")
	s.register(t, "ada@example.com")
	s.register(t, "eve@example.com")
	pass := func(d time.Duration) {
		ahead.Add(int64(d))
		if err := s.sessions.Sync(t.Context()); err != nil { // or for a second nobody knows what was revoked
			t.Fatal(err)
		}
	}
	expired := s.login(t, "ada@example.com")
	pass(30 * time.Minute)
	stale := s.login(t, "ada@example.com")
	pass(15 * time.Minute)
	ada, eve, revoked := s.login(t, "ada@example.com"), s.login(t, "eve@example.com"), s.login(t, "ada@example.com")
	s.ask(t, revoked, `mutation { logout { endedSessions } }`, nil)
	callOf(t, program, "user", "grant", "--database-url="+s.DatabaseURL, "--email=eve@example.com", "--role=RINGER")
	ringer := s.login(t, "eve@example.com")
	adasID, _ := s.ask(t, ada, `{ me { id } }`, nil).at("me", "id").(string)

	const forbidden, stepUp = `"code":"FORBIDDEN"`, `"code":"STEP_UP_REQUIRED"`
	refusals := map[string]struct {
		token, answer string
		closed        websocket.StatusCode // over a socket
	}{
		"no token": {"", `"reason":"MISSING"`, 0},
		"expired":  {expired, `"reason":"EXPIRED"`, 4403},
		"revoked":  {revoked, `"reason":"REVOKED"`, 4401},
		"invalid":  {"nonsense", `"reason":"INVALID"`, 4401},
	}
	for field, answers := range map[string]struct{ ada, eve, ringer, stale string }{ // empty: it rings
		`bell`:           {},
		`everybodysBell`: {forbidden, forbidden, "", forbidden},
		`somebodysBell(accountId: "` + adasID + `")`: {"", forbidden, "", ""},
		`provedBell`: {stepUp, stepUp, stepUp, stepUp},
		`freshBell`:  {"", "", "", stepUp},
		`secretBell`: {notValid, notValid, "", notValid},
	} {
		for shape, text := range bellShapes {
			document := strings.ReplaceAll(text, "FIELD", field)
			try := func(who, token, answer string, closed websocket.StatusCode) {
				t.Helper()
				before := rung.Load()
				events := s.streamed(t, token, document)
				messages, code := s.socketed(t, token, document)
				if len(events) != 1 || code != closed || len(messages) != 1 && code == 0 {
					t.Fatalf("%s, %s, %s: %q; %q, closed with %d", field, shape, who, events, messages, code)
				}
				want := cmp.Or(answer, `"Ding dong"`)
				if !strings.Contains(events[0], want) || code == 0 && !strings.Contains(messages[0], want) {
					t.Errorf("%s, %s, %s: %q, %q", field, shape, who, events, messages)
				}
				if times := rung.Load() - before; times != map[bool]int64{true: 2}[answer == ""] {
					t.Errorf("%s, %s, %s: it rang %d times", field, shape, who, times)
				}
			}
			try("ada", ada, answers.ada, 0)
			try("eve", eve, answers.eve, 0)
			try("a ringer", ringer, answers.ringer, 0)
			try("ada, a while ago", stale, answers.stale, 0)
			for who, r := range refusals {
				if field == `secretBell` && r.token == "" {
					r.answer = notValid
				}
				try(who, r.token, r.answer, r.closed)
			}
		}
	}
	// Nobody could say what a subscription waits for if its field may be left out.
	for _, document := range []string{
		`subscription S { bell @include(if: true) { text } }`, `subscription S { ... @skip(if: false) { bell { text } } }`,
	} {
		before := rung.Load()
		events := s.streamed(t, ada, document)
		messages, _ := s.socketed(t, ada, document)
		if len(events) != 1 || len(messages) != 1 || rung.Load() != before ||
			!strings.Contains(events[0], notValid) || !strings.Contains(messages[0], notValid) {
			t.Errorf("%s: %q, %q", document, events, messages)
		}
	}
}

// operationS returns the document as a client sends it, to run S of it.
func operationS(t *testing.T, document string) string {
	t.Helper()
	payload, err := json.Marshal(map[string]string{"query": document, "operationName": "S"})
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

// streamed sends a document as for server-sent events, and returns the data of each.
func (s *testServer) streamed(t *testing.T, token, document string) []string {
	t.Helper()
	headers := []string{"Content-Type: application/json", "Accept: text/event-stream"}
	if token != "" {
		headers = append(headers, "Authorization: Bearer "+token)
	}
	var events []string
	for event := range strings.SplitSeq(s.send(t, http.MethodPost, "/graphql", operationS(t, document), headers...).Body, "\n\n") {
		if data, ok := strings.CutPrefix(event, "event: next\ndata: "); ok {
			events = append(events, data)
		}
	}
	return events
}

// socketed sends a document over a WebSocket of its own, and returns what comes of it, or the code that it is closed with.
func (s *testServer) socketed(t *testing.T, token, document string) (messages []string, closed websocket.StatusCode) {
	t.Helper()
	socket, _, err := websocket.Dial(t.Context(), s.URL+"/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	begin := `{"type":"connection_init"}`
	if token != "" {
		begin = `{"type":"connection_init","payload":{"Authorization":"Bearer ` + token + `"}}`
	}
	say(t, socket, begin)
	if text, err := hear(t, socket); err != nil {
		return nil, websocket.CloseStatus(err)
	} else if !strings.Contains(text, "connection_ack") {
		t.Fatalf("got %s", text)
	}
	say(t, socket, `{"id":"1","type":"subscribe","payload":`+operationS(t, document)+`}`)
	for {
		text := heard(t, socket)
		if strings.Contains(text, `"type":"complete"`) {
			return messages, 0
		}
		messages = append(messages, text)
		if strings.Contains(text, `"type":"error"`) {
			return messages, 0
		}
	}
}

// TestBrokenOffSubscriptionsAreLogged: the log says which subscription it was, even if its client went before the first event.
// That of a WebSocket has a line of its own, since the handshake's is long written.
func TestBrokenOffSubscriptionsAreLogged(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.SQLite)
	token := s.register(t, "ada@example.com")
	payload := operationS(t, `subscription S { securityEvents { id } }`)
	socket := s.dial(t, token)
	say(t, socket, `{"id":"1","type":"subscribe","payload":`+payload+`}`)
	say(t, socket, `{"id":"1","type":"complete"}`)

	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/graphql", strings.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}, "Authorization": {"Bearer " + token},
	}
	response, err := http.DefaultTransport.RoundTrip(r) // when the stream has begun
	if err != nil {
		t.Fatal(err)
	}
	hangUp()
	_ = response.Body.Close() // the stream was broken off

	type line struct {
		Msg, Route, Type, Operation, Account, RequestID string
		Status                                          int
		Responses                                       *int
	}
	find := func(is func(line) bool) (found line, ok bool) {
		for text := range strings.Lines(s.Log.String()) {
			var read line
			if err := json.Unmarshal([]byte(text), &read); err == nil && is(read) {
				return read, true
			}
		}
		return line{}, false
	}
	var handshake, operation, stream line
	eventually(t, 20*time.Second, "all three are logged", func() bool {
		var lines [3]bool
		handshake, lines[0] = find(func(l line) bool { return l.Msg == "request" && l.Status == http.StatusSwitchingProtocols })
		operation, lines[1] = find(func(l line) bool { return l.Msg == "operation" })
		stream, lines[2] = find(func(l line) bool { return l.Msg == "request" && l.Type == "subscription" })
		return lines == [3]bool{true, true, true}
	})
	if handshake.Route != "/graphql" || handshake.Type != "" {
		t.Errorf("the handshake: %+v", handshake)
	}
	if operation.Type != "subscription" || operation.Operation != "S" || operation.Responses == nil || *operation.Responses != 0 ||
		operation.Account == "" || operation.RequestID != handshake.RequestID+".1" {
		t.Errorf("the socket's: %+v", operation)
	}
	if stream.Operation != "S" || stream.Account != operation.Account || stream.Status != http.StatusOK {
		t.Errorf("the stream's: %+v", stream)
	}
}
