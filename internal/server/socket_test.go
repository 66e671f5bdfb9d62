package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
	token := here.register(t, "ada@example.com")
	conn := there.dial(t, token)
	say(t, conn, fmt.Sprintf(listening, "1"))
	here.register(t, "eve@example.com") // which is nobody else's business
	login := func(secret string) answer {
		return here.ask(t, "", `mutation($s: String!) {
			login(input: {email: "ada@example.com", password: $s}) { userErrors { code } }
		}`, map[string]any{"s": secret})
	}
	// Nothing says when a subscription has begun, so somebody tries until it is heard of.
	known := make(chan struct{})
	var trying sync.WaitGroup
	trying.Go(func() {
		for {
			select {
			case <-known:
				return
			case <-time.After(100 * time.Millisecond):
				login("not what it is")
			}
		}
	})
	if got := heard(t, conn); !strings.Contains(got, `{"event":"LOGIN_FAILED","current":false}`) {
		t.Errorf("first came %s", got)
	}
	close(known)
	trying.Wait()
	began := wall()
	here.ask(t, token, `mutation { logout { endedSessions } }`, nil)
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
	began := wall()
	if err := s.drain(t); err != nil {
		t.Error(err)
	}
	if took := wall().Sub(began); took > drainLimit {
		t.Errorf("it took %v", took)
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
