package gqlhttp_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/internal/fault"
	"gatehouse/internal/gqlhttp"
	"gatehouse/internal/origin"
)

// TestSocket: many operations on one socket, of every type, each under its own id.
func TestSocket(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{})
	c := l.greet(t, "ann")
	c.send(`{"type":"ping","payload":{"any":1}}`)
	c.expect(`{"type":"pong"}`)
	c.send(`{"type":"pong"}`)
	c.send(ask("q", `{ hello }`))
	c.expect(`{"id":"q","type":"next","payload":{"data":{"hello":"world"}}}`, `{"id":"q","type":"complete"}`)
	c.send(ask("q", `mutation { login(input: {email: "a", password: "b"}) }`)) // an id that is free again
	c.expect(`{"id":"q","type":"next","payload":{"data":{"hello":"world"}}}`, `{"id":"q","type":"complete"}`)
	c.send(ask(`"<é>`, `subscription { count(to: 2) }`))
	c.expect(`{"id":"\"<é>","type":"next","payload":{"data":{"count":1}}}`,
		`{"id":"\"<é>","type":"next","payload":{"data":{"count":2}}}`, `{"id":"\"<é>","type":"complete"}`)

	c.send(ask("one", `subscription { pulse }`))
	c.send(ask("two", `subscription S { t: pulse }`))
	eventually(t, "both listen", func() bool { return l.source.listening() == 2 })
	c.send(`{"type":"complete","id":"one"}`)
	eventually(t, "one listens no more", func() bool { return l.source.listening() == 1 })
	l.source.tick(7)
	c.expect("{\"id\":\"two\",\"type\":\"next\",\"payload\":{\"data\":{\"pulse\":\n7}}}")
	c.send(`{"type":"complete","id":"two"}`)
	c.send(`{"type":"complete","id":"unknown"}`)
	eventually(t, "nobody listens", func() bool { return l.source.listening() == 0 })
	c.send(`{"type":"ping"}`)
	c.expect(`{"type":"pong"}`) // and nothing before it
	must(t, c.Close(websocket.StatusNormalClosure, ""))
	eventually(t, "what ran is logged", func() bool {
		return strings.Contains(l.logged.String(), "msg=operation type=subscription responses=1") &&
			strings.Contains(l.logged.String(), "operation=S") && strings.Contains(l.logged.String(), "requestId=the-request-id.5")
	})
}

// TestSocketErrors: what is refused or denied is told under the operation's id, and the socket goes on.
func TestSocketErrors(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{Operations: 2})
	c := l.greet(t, "")
	for query, code := range map[string]string{
		`subscription { pulse }`: "UNAUTHENTICATED",
		`{ me }`:                 "UNAUTHENTICATED",
		`{ nope }`:               "GRAPHQL_VALIDATION_FAILED",
		`{`:                      "GRAPHQL_PARSE_FAILED",
		`subscription { count }`: "GRAPHQL_VALIDATION_FAILED",
		`subscription { count(to: 1) @include(if: true) }`:                                   "GRAPHQL_VALIDATION_FAILED",
		`subscription { ...F @skip(if: false) } fragment F on Subscription { count(to: 1) }`: "GRAPHQL_VALIDATION_FAILED",
		`subscription { ... on Subscription { ... { count(to: 1) @skip(if: true) } } }`:      "GRAPHQL_VALIDATION_FAILED",
		`subscription { __typename }`:                                                        "GRAPHQL_VALIDATION_FAILED",
		``:                                                                                   "BAD_USER_INPUT",
	} {
		c.send(ask("1", query))
		text, err := c.next()
		if err != nil || !strings.HasPrefix(text, `{"id":"1","type":"error","payload":[{"message":`) ||
			!strings.Contains(text, `"code":"`+code+`"`) || !strings.Contains(text, `"requestId":"the-request-id.`) {
			t.Errorf("%s: got %s (%v), want an error with %s", query, text, err, code)
		}
	}
	// A resolver's error is a result.
	c.send(ask("1", `{ fails(how: "unavailable") }`))
	c.expect(`{"id":"1","type":"next","payload":{"errors":[{"message":"No.","locations":[{"line":1,"column":3}],"path":["fails"],` +
		`"extensions":{"code":"SERVICE_UNAVAILABLE","requestId":"the-request-id.11","retryAfter":90}}],"data":{"fails":null}}}`,
	)
	c.expect(`{"id":"1","type":"complete"}`)

	d := l.greet(t, "ann")
	d.send(ask("1", `subscription { pulse }`))
	d.send(ask("2", `subscription { pulse }`))
	d.send(ask("3", `{ hello }`))
	if text, err := d.next(); !strings.HasPrefix(text, `{"id":"3","type":"error"`) {
		t.Errorf("one operation too many: got %s (%v)", text, err)
	}
	d.send(`{"type":"complete","id":"1"}`)
	eventually(t, "one ends", func() bool { return l.source.listening() == 1 })
	eventually(t, "there is room again", func() bool {
		d.send(ask("4", `{ hello }`))
		text, err := d.next()
		must(t, err)
		if strings.Contains(text, `"next"`) {
			d.expect(`{"id":"4","type":"complete"}`)
			return true
		}
		return false
	})
}

// TestSocketCloses: each breach of the protocol has its code, and none is 1000.
func TestSocketCloses(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{MaxMessage: 20 << 10, PerAccount: 1})
	long := strings.Repeat("x", 129)
	ping := func(size int) string { return `{"type":"ping","payload":"` + strings.Repeat("x", size) + `"}` }
	const two = `{"type":"connection_init","payload":{"authorization":"Bearer a","Authorization":"Bearer a"}}`
	for name, test := range map[string]struct {
		init bool
		sent []string
		want websocket.StatusCode
	}{
		"no JSON":                     {false, []string{`nonsense`}, 4400},
		"an array":                    {false, []string{`[]`}, 4400},
		"two messages in one":         {false, []string{`{"type":"ping"}{"type":"ping"}`}, 4400},
		"a type that is none":         {true, []string{`{"type":"start","id":"1","payload":{}}`}, 4400},
		"the server's type":           {true, []string{`{"type":"next","id":"1","payload":{}}`}, 4400},
		"no type":                     {true, []string{`{"id":"1"}`}, 4400},
		"an unknown member":           {true, []string{`{"type":"ping","other":1}`}, 4400},
		"a name twice":                {true, []string{`{"type":"ping","type":"ping"}`}, 4400},
		"an id that is a number":      {true, []string{`{"type":"subscribe","id":1,"payload":{"query":"{ hello }"}}`}, 4400},
		"no id":                       {true, []string{`{"type":"subscribe","payload":{"query":"{ hello }"}}`}, 4400},
		"an empty id":                 {true, []string{ask("", "{ hello }")}, 4400},
		"a long id":                   {true, []string{ask(long, "{ hello }")}, 4400},
		"no payload":                  {true, []string{`{"type":"subscribe","id":"1"}`}, 4400},
		"complete without an id":      {true, []string{`{"type":"complete"}`}, 4400},
		"a payload of another kind":   {false, []string{`{"type":"connection_init","payload":"x"}`}, 4400},
		"an operation before init":    {false, []string{ask("1", "{ hello }")}, 4401},
		"a second init":               {true, []string{hello("")}, 4429},
		"a forged token":              {false, []string{hello("forged")}, 4401},
		"another scheme":              {false, []string{`{"type":"connection_init","payload":{"authorization":"Basic x"}}`}, 4401},
		"a token of another type":     {false, []string{`{"type":"connection_init","payload":{"authorization":1}}`}, 4401},
		"two tokens":                  {false, []string{two}, 4401},
		"an ended session":            {false, []string{hello("revoked")}, 4401},
		"an expired token":            {false, []string{hello("expired")}, 4403},
		"nobody can tell":             {false, []string{hello("outage")}, websocket.StatusTryAgainLater},
		"the same id twice":           {true, []string{ask("1", `subscription { pulse }`), ask("1", `{ hello }`)}, 4409},
		"a long message":              {true, []string{ping(20 << 10)}, websocket.StatusMessageTooBig},
		"a long message, before init": {false, []string{ping(16 << 10)}, websocket.StatusMessageTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			c := l.dial(t)
			if test.init {
				c.send(hello(""))
				if strings.Contains(name, "same id") {
					c.expect(`{"type":"connection_ack"}`)
					c = l.greet(t, "ann")
				}
			}
			for _, text := range test.sent {
				c.send(text)
			}
			c.closed(test.want)
		})
	}
	t.Run("binary", func(t *testing.T) {
		c := l.dial(t)
		must(t, c.Write(t.Context(), websocket.MessageBinary, []byte(hello(""))))
		c.closed(4400)
	})
	t.Run("one too many of an account", func(t *testing.T) {
		first := l.greet(t, "bob")
		second := l.dial(t)
		second.send(hello("bob"))
		second.closed(4429)
		must(t, first.Close(websocket.StatusNormalClosure, ""))
		eventually(t, "the place is free again", func() bool {
			c := l.dial(t)
			c.send(hello("bob"))
			text, _ := c.next()
			return text != ""
		})
	})
	eventually(t, "nobody listens", func() bool { return l.source.listening() == 0 })
}

// TestSocketHandshake: what is no browser sends no origin; a page has to be of an origin that is allowed.
func TestSocketHandshake(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{Origins: origin.Policy{Listed: []origin.Origin{"https://app.example"}}})
	good := map[string]string{
		"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "graphql-ws, graphql-transport-ws",
	}
	for name, test := range map[string]struct {
		header, value string
		want          int
		says          string
	}{
		"as it should be":        {"", "", 101, ""},
		"a page of ours":         {"Origin", l.url[:len(l.url)-len("/graphql")], 101, ""},
		"a page that is listed":  {"Origin", "https://app.example", 101, ""},
		"a page of another":      {"Origin", "https://evil.example", 403, "FORBIDDEN"},
		"a page of nowhere":      {"Origin", "null", 403, "FORBIDDEN"},
		"an empty origin":        {"Origin", "", 403, "FORBIDDEN"},
		"another version":        {"Sec-WebSocket-Version", "8", 400, "handshake"},
		"a key that is none":     {"Sec-WebSocket-Key", "hunter2", 400, "handshake"},
		"no upgrade":             {"Connection", "close", 400, "handshake"},
		"the protocol before it": {"Sec-WebSocket-Protocol", "graphql-ws", 400, "graphql-transport-ws"},
		"no protocol":            {"Sec-WebSocket-Protocol", "", 400, "graphql-transport-ws"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.url, http.NoBody)
		must(t, err)
		for header, value := range good {
			r.Header.Set(header, value)
		}
		if test.header != "" {
			r.Header.Set(test.header, test.value)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		must(t, err)
		body := make([]byte, 1000)
		n := 0
		if answer.StatusCode != http.StatusSwitchingProtocols {
			n, _ = answer.Body.Read(body)
		}
		must(t, answer.Body.Close())
		if answer.StatusCode != test.want || !strings.Contains(string(body[:n]), test.says) ||
			strings.Contains(string(body[:n]), "hunter2") {
			t.Errorf("%s: %d %s", name, answer.StatusCode, body[:n])
		}
		if test.want == http.StatusSwitchingProtocols && answer.Header.Get("Sec-WebSocket-Protocol") != "graphql-transport-ws" {
			t.Errorf("%s: %v", name, answer.Header)
		}
	}
}

// TestSocketInitTimeout: whoever does not say who they are is sent away, also if they never take leave.
func TestSocketInitTimeout(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{InitTimeout: 50 * time.Millisecond})
	c := l.dial(t)
	c.closed(4408)
}

// TestSocketLapse: sockets end with their caller's access token, and the client is told to come back with another; not that its
// operations have failed.
func TestSocketLapse(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{})
	for _, test := range []struct {
		why  *fault.Error
		want websocket.StatusCode
	}{
		{fault.Anonymous(fault.Expired), 4403}, {fault.Anonymous(fault.Revoked), 4403}, {fault.Outage(context.DeadlineExceeded), 1013},
	} {
		ann, bob := l.greet(t, "ann"), l.greet(t, "bob")
		ann.send(ask("1", `subscription { pulse }`))
		bob.send(ask("1", `subscription { pulse }`))
		eventually(t, "both listen", func() bool { return l.source.listening() == 2 })
		l.sessions.end("ann", test.why)
		if text, err := ann.next(); err == nil {
			t.Errorf("before the end came %s", text)
		} else if got := websocket.CloseStatus(err); got != test.want {
			t.Errorf("%v: closed with %v, want %v", test.why, got, test.want)
		}
		eventually(t, "only one listens", func() bool { return l.source.listening() == 1 })
		l.source.tick(1)
		bob.expect("{\"id\":\"1\",\"type\":\"next\",\"payload\":{\"data\":{\"pulse\":\n1}}}")
		must(t, bob.Close(websocket.StatusNormalClosure, ""))
		eventually(t, "nobody listens", func() bool { return l.source.listening() == 0 })
	}
}

// TestSocketOfTheHandshake: what is no browser can send its token as with any other request.
func TestSocketOfTheHandshake(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{})
	c := l.dial(t, "Authorization", "Bearer ann")
	c.send(hello(""))
	c.expect(`{"type":"connection_ack"}`)
	c.send(ask("1", `subscription { pulse }`))
	eventually(t, "it listens", func() bool { return l.source.listening() == 1 })
	l.sessions.end("ann", fault.Anonymous(fault.Revoked))
	c.closed(4403)

	d := l.dial(t, "Authorization", "Bearer expired")
	d.send(hello(""))
	d.closed(4403)
	e := l.dial(t, "Authorization", "Bearer expired")
	e.send(hello("ann"))
	e.expect(`{"type":"connection_ack"}`)
}

// TestDrain: clients are told to connect again, and nobody new comes in.
func TestDrain(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{})
	c, idle := l.greet(t, "ann"), l.dial(t)
	c.send(ask("1", `subscription { pulse }`))
	eventually(t, "it listens", func() bool { return l.source.listening() == 1 })
	drained := make(chan error, 1)
	go func() { drained <- l.Drain(t.Context()) }()
	c.closed(websocket.StatusServiceRestart)
	idle.closed(websocket.StatusServiceRestart)
	must(t, <-drained)
	_, answer, err := websocket.Dial(t.Context(), l.url, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err == nil || answer == nil || answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("a new one: %v, %v", answer, err)
	}
}

// TestSlowConsumer: who does not take what they asked for is cut off, and holds up nobody.
func TestSlowConsumer(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{Patience: time.Second})
	slow, quick := l.greet(t, "ann"), l.greet(t, "bob")
	slow.send(ask("1", `subscription { count(to: 2000000000) }`)) // and reads nothing
	quick.send(ask("1", `subscription { pulse }`))
	eventually(t, "it listens", func() bool { return l.source.listening() == 1 })
	l.source.tick(1)
	quick.expect("{\"id\":\"1\",\"type\":\"next\",\"payload\":{\"data\":{\"pulse\":\n1}}}")
	eventually(t, "the slow one is cut off", func() bool {
		return strings.Contains(l.logged.String(), "type=subscription")
	})
}

// TestKeepalive: a client that is there answers pings without knowing; one that is not is let go.
func TestKeepalive(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{Keepalive: 20 * time.Millisecond, Patience: 2 * time.Second})
	there := l.greet(t, "bob")
	message := make(chan string, 1)
	go func() { text, _ := there.next(); message <- text }()
	there.send(ask("1", `subscription { pulse }`))
	gone := l.dial(t) // reads nothing, so it answers no ping
	gone.send(hello("ann"))
	gone.send(ask("1", `subscription { pulse }`))
	eventually(t, "one is let go", func() bool {
		return strings.Contains(l.logged.String(), "type=subscription") && l.source.listening() == 1
	})
	l.source.tick(1)
	if text := <-message; !strings.Contains(text, `"next"`) {
		t.Errorf("got %q", text)
	}
}
