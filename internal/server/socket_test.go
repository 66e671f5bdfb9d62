package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/internal/store/storetest"
)

// dial opens a WebSocket for whoever the access token belongs to, and waits until the server has accepted that.
func (s *testServer) dial(t *testing.T, accessToken string) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), s.URL+"/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	say(t, conn, `{"type":"connection_init","payload":{"Authorization":"Bearer `+accessToken+`"}}`)
	if got := heard(t, conn); got != `{"type":"connection_ack"}` {
		t.Fatalf("got %s", got)
	}
	return conn
}

func say(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// heard returns the next message.
func heard(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	text, err := hear(t, conn)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func hear(t *testing.T, conn *websocket.Conn) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, text, err := conn.Read(ctx)
	return string(text), err
}

const listening = `{"id":"%s","type":"subscribe","payload":{"query":"subscription { securityEvents { event current } }"}}`

// TestSocketFlood: 10,000 subscriptions on one socket are fifty, and refusals. The server goes on answering, on this socket too.
func TestSocketFlood(t *testing.T) {
	s := startServer(t, storetest.SQLite, "--log-level=error")
	token := s.register(t, "ada@example.com")
	conn := s.dial(t, token)
	const subscriptions, allowed = 10_000, 50
	refused := make(chan int)
	go func() {
		n := 0
		for range subscriptions - allowed {
			if text, err := hear(t, conn); err != nil || !strings.Contains(text, `"type":"error"`) || !strings.Contains(text, badInput) {
				t.Errorf("got %s (%v)", text, err)
				break
			}
			n++
		}
		refused <- n
	}()
	for i := range subscriptions {
		say(t, conn, fmt.Sprintf(listening, fmt.Sprint(i)))
	}
	if n := <-refused; n != subscriptions-allowed {
		t.Fatalf("%d were refused", n)
	}
	say(t, conn, `{"type":"ping"}`)
	if got := heard(t, conn); got != `{"type":"pong"}` {
		t.Errorf("afterwards came %s", got)
	}
	if got := s.ask(t, "", "{ __typename }", nil); got.at("__typename") != "Query" {
		t.Errorf("afterwards: %s", got.Body)
	}
}

// TestSecurityEventsAcrossReplicas: what happens on one replica is told on another, within a second; so is the end of a session.
func TestSecurityEventsAcrossReplicas(t *testing.T) {
	t.Parallel()
	url, secret := storetest.URL(t, storetest.Postgres), "--secret="+newSecret()
	here, there := startServerOn(t, url, secret), startServerOn(t, url, secret)
	ada := here.registered(t, firefox, "ada@example.com")
	conn := there.dial(t, ada.access)
	say(t, conn, fmt.Sprintf(listening, "1"))
	here.register(t, "eve@example.com") // which is nobody else's business
	here.tryUntil(t, func() {
		if got := heard(t, conn); !strings.Contains(got, `{"event":"LOGIN_FAILED","current":false}`) {
			t.Errorf("first came %s", got)
		}
	})
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { here.loggedIn(t, safari, "ada@example.com", goodPassword) }, `{"event":"LOGGED_IN","current":false}`},
		{func() { ada.revokeOther(t) }, `{"event":"SESSION_REVOKED","current":false}`},
		{func() {
			ada.mutate(t, "changePassword", map[string]any{"currentPassword": goodPassword, "newPassword": "nine roses by the river"})
		}, `{"event":"PASSWORD_CHANGED","current":true}`},
	} {
		step.do()
		done := wall()
		got := heard(t, conn)
		for strings.Contains(got, "LOGIN_FAILED") { // it was on its way
			got = heard(t, conn)
		}
		if took := wall().Sub(done); !strings.Contains(got, step.want) || took > 2*time.Second*slowdown {
			t.Errorf("after %v came %s, want %s", took, got, step.want)
		}
	}
	began := wall()
	ada.ask(t, `mutation { logout { endedSessions } }`, nil)
	last := ""
	for {
		text, err := hear(t, conn)
		if err == nil {
			last = text
			continue
		}
		if code := websocket.CloseStatus(err); code != 4403 {
			t.Errorf("closed with %v (%v) after %s", code, err, last)
		}
		break
	}
	// The event and the end are on their way at once: either may come first.
	if last != "" && !strings.Contains(last, "LOGIN_FAILED") && !strings.Contains(last, `{"event":"LOGGED_OUT","current":true}`) {
		t.Errorf("last came %s", last)
	}
	if took := wall().Sub(began); took > 2*time.Second*slowdown {
		t.Errorf("it took %v", took)
	}
}

// revokeOther ends the one other session of a visitor's account.
func (v *visitor) revokeOther(t *testing.T) {
	t.Helper()
	nodes, _ := v.ask(t, `{ me { sessions { nodes { id current } } } }`, nil).at("me", "sessions", "nodes").([]any)
	for _, node := range nodes {
		if found, ok := node.(map[string]any); ok && found["current"] == false {
			const revoke = `mutation ($input: RevokeSessionInput!) { revokeSession(input: $input) { revokedSessionId } }`
			v.ask(t, revoke, map[string]any{"sessionId": found["id"]})
		}
	}
}

// TestDrainEndsSockets: a server that ends sends its clients away with a code on which they come back, and does not wait for the
// time limit to do so.
func TestDrainEndsSockets(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.SQLite)
	conn := s.dial(t, s.register(t, "ada@example.com"))
	say(t, conn, fmt.Sprintf(listening, "1"))
	closed := make(chan error, 1)
	go func() {
		_, err := hear(t, conn)
		closed <- err
	}()
	if err := s.drain(t); err != nil {
		t.Error(err)
	}
	if strings.Contains(s.Log.String(), "cut off") {
		t.Errorf("it ran into the time limit: %s", s.Log)
	}
	if err := <-closed; websocket.CloseStatus(err) != websocket.StatusServiceRestart {
		t.Errorf("closed with %v", err)
	}
}

// TestSocketOrigin: in development pages of this machine may connect, and no others.
func TestSocketOrigin(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.SQLite)
	for from, want := range map[string]int{
		"http://localhost:5173": http.StatusSwitchingProtocols, s.URL: http.StatusSwitchingProtocols,
		"https://evil.example": http.StatusForbidden, "http://localhost.evil.example": http.StatusForbidden,
		"null": http.StatusForbidden,
	} {
		conn, response, err := websocket.Dial(t.Context(), s.URL+"/graphql", &websocket.DialOptions{
			Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Origin": {from}},
		})
		if response == nil || response.StatusCode != want {
			t.Errorf("%s: %v", from, err)
			continue
		}
		if err == nil {
			if err := conn.CloseNow(); err != nil {
				t.Error(err)
			}
			continue
		}
		var body answer
		if err := json.NewDecoder(response.Body).Decode(&body); err != nil || body.code() != "FORBIDDEN" {
			t.Errorf("%s: %v, %+v", from, err, body)
		}
	}
}

// knock opens a WebSocket on which nobody says who they are, through a proxy that says whom it is for. It returns the status.
func (s *testServer) knock(t *testing.T, forwardedFor string) (int, *websocket.Conn) {
	t.Helper()
	conn, response, err := websocket.Dial(t.Context(), s.URL+"/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"X-Forwarded-For": {forwardedFor}},
	})
	if response == nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Cleanup(func() { _ = conn.CloseNow() })
		return response.StatusCode, conn
	}
	if response.StatusCode != http.StatusServiceUnavailable {
		return response.StatusCode, nil
	}
	var body answer
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil || body.code() != "SERVICE_UNAVAILABLE" ||
		response.Header.Get("Retry-After") == "" {
		t.Errorf("refused with %v, %+v", response.Header, body)
	}
	return response.StatusCode, nil
}

// TestSocketBounds: an address has so many sockets and event streams, whether or not they say who they are, and so has the
// server. Behind a trusted proxy it is the client's address that counts, of IPv6 the network that a client has to itself.
func TestSocketBounds(t *testing.T) {
	t.Parallel()
	const yes, no = http.StatusSwitchingProtocols, http.StatusServiceUnavailable
	s := startServer(t, storetest.SQLite, "--trusted-proxies=127.0.0.1", "--max-sockets-per-address=2", "--max-sockets=7")
	var last *websocket.Conn
	for i, step := range []struct {
		from string
		want int
	}{
		{"203.0.113.1", yes},
		{"6.6.6.6, 203.0.113.1", yes},
		{"6.6.6.7, 203.0.113.1", no},
		{"::ffff:203.0.113.1", no},
		{"203.0.113.2", yes},
		{"2001:db8:0:1::1", yes},
		{"2001:db8:0:1:ffff::2", yes},
		{"2001:db8:0:1::3", no},
		{"2001:db8:0:2::1", yes},
		{"203.0.113.3", yes},
		{"203.0.113.4", no}, // the eighth
	} {
		got, conn := s.knock(t, step.from)
		if got != step.want {
			t.Errorf("%d: %s: %d, want %d", i, step.from, got, step.want)
		}
		if conn != nil {
			say(t, conn, `{"type":"connection_init"}`) // else it would be sent away after three seconds
			last = conn
		}
	}
	stream := func() answer {
		return s.send(t, http.MethodPost, "/graphql", `{"query":"{ __typename }"}`,
			"Content-Type: application/json", "Accept: text/event-stream", "X-Forwarded-For: 203.0.113.4")
	}
	if got := stream(); got.Status != no || got.code() != "SERVICE_UNAVAILABLE" {
		t.Errorf("an event stream beyond the bound: %d %s", got.Status, got.Body)
	}
	if err := last.CloseNow(); err != nil {
		t.Error(err)
	}
	eventually(t, 20*time.Second, "the place is free again", func() bool { return stream().Status == http.StatusOK })

	direct := startServer(t, storetest.SQLite, "--max-sockets-per-address=1", "--max-sockets-per-account=1")
	got, first := direct.knock(t, "203.0.113.1")
	if got != yes {
		t.Fatalf("the first: %d", got)
	}
	say(t, first, `{"type":"connection_init"}`)
	if got, _ := direct.knock(t, "203.0.113.2"); got != no {
		t.Errorf("whoever makes up an address of their own: %d", got)
	}
}

// TestSecurityEventsOperation: the operation that people copy brings what the schema says.
func TestSecurityEventsOperation(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../operations/SecurityEvents.graphql")
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, storetest.SQLite)
	conn := s.dial(t, s.register(t, "ada@example.com"))
	message, err := json.Marshal(map[string]any{
		"id": "1", "type": "subscribe", "payload": map[string]string{"query": string(document), "operationName": "SecurityEvents"},
	})
	if err != nil {
		t.Fatal(err)
	}
	say(t, conn, string(message))
	var got struct {
		ID, Type string
		Payload  struct {
			Data struct{ SecurityEvents map[string]any }
		}
	}
	s.tryUntil(t, func() {
		if err := json.Unmarshal([]byte(heard(t, conn)), &got); err != nil {
			t.Error(err)
		}
	})
	event := got.Payload.Data.SecurityEvents
	if got.ID != "1" || got.Type != "next" || event["event"] != "LOGIN_FAILED" || event["current"] != false ||
		event["sessionId"] != nil || event["ipAddress"] != "127.0.0.1" || event["device"] == "" {
		t.Errorf("got %+v", got)
	}
	if at, err := time.Parse(time.RFC3339, fmt.Sprint(event["createdAt"])); err != nil || wall().Sub(at).Abs() > time.Minute {
		t.Errorf("it happened %v", event["createdAt"])
	}
	for _, field := range []string{"id", "userAgent"} {
		if text, ok := event[field].(string); !ok || text == "" {
			t.Errorf("%s is %v", field, event[field])
		}
	}
}

// tryUntil fails to log in, as ada, until heard returns: nothing says when a subscription has begun.
func (s *testServer) tryUntil(t *testing.T, heard func()) {
	t.Helper()
	known := make(chan struct{})
	var trying sync.WaitGroup
	trying.Go(func() {
		for {
			select {
			case <-known:
				return
			case <-time.After(100 * time.Millisecond):
				s.ask(t, "", `mutation {
					login(input: {email: "ada@example.com", password: "not what it is"}) { userErrors { code } }
				}`, nil)
			}
		}
	})
	defer trying.Wait()
	defer close(known)
	heard()
}
