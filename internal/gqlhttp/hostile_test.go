package gqlhttp_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/internal/fault"
	"gatehouse/internal/gqlhttp"
)

// wire is one end of a WebSocket without a library: it sends what it likes, and answers nothing.
type wire struct {
	net.Conn

	t      testing.TB
	reader *bufio.Reader
}

// wire opens a WebSocket.
func (l *live) wire(t testing.TB) *wire {
	t.Helper()
	address := strings.TrimSuffix(strings.TrimPrefix(l.url, "http://"), "/graphql")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n")
	must(t, err)
	w := &wire{conn, t, bufio.NewReader(conn)}
	answer, err := http.ReadResponse(w.reader, nil)
	must(t, err)
	if answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake: %s", answer.Status)
	}
	return w
}

// The opcodes of frames that begin a message and end a socket (RFC 6455 section 5.2).
const (
	opText  = 1
	opClose = 8
)

// begin sends the header of a final frame, masked with zeros, and as much of its payload as there is.
func (w *wire) begin(opcode byte, size int, payload string) {
	w.t.Helper()
	frame := []byte{0x80 | opcode, 0x80 | 127}
	frame = binary.BigEndian.AppendUint64(frame, uint64(size))
	frame = append(frame, 0, 0, 0, 0)
	_, err := w.Write(append(frame, payload...))
	must(w.t, err)
}

func (w *wire) send(text string) { w.begin(opText, len(text), text) }

// frame returns the next frame of the server's, whose payloads are short here.
func (w *wire) frame() (opcode byte, payload string, err error) {
	must(w.t, w.SetReadDeadline(time.Now().Add(20*time.Second)))
	var header [2]byte
	if _, err := io.ReadFull(w.reader, header[:]); err != nil {
		return 0, "", err
	}
	text := make([]byte, header[1]&0x7f)
	_, err = io.ReadFull(w.reader, text)
	return header[0] & 0x0f, string(text), err
}

// gone expects the server to hang up, after whatever else it sends.
func (w *wire) gone() {
	w.t.Helper()
	for {
		_, _, err := w.frame()
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			w.t.Fatal("the server never hangs up")
		}
		if err != nil {
			return
		}
	}
}

// TestSocketIsHungUp: whoever is told that the socket ends, and neither agrees nor finishes what they say, is not waited for.
func TestSocketIsHungUp(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{InitTimeout: 50 * time.Millisecond, Patience: time.Second / 2})
	for name, stall := range map[string]func(w *wire){
		"silent":      func(*wire) {},
		"mid-message": func(w *wire) { w.begin(opText, 1<<40, "x") },
		"mid-close":   func(w *wire) { w.begin(opClose, 2, "") },
	} {
		t.Run(name, func(t *testing.T) {
			w := l.wire(t)
			if opcode, payload, err := w.frame(); opcode != opClose || err != nil ||
				binary.BigEndian.Uint16([]byte(payload)) != 4408 {
				t.Fatalf("got %d %q, %v", opcode, payload, err)
			}
			stall(w)
			w.gone()
		})
	}
}

// TestFarewellIsNotLogged: the words with which a client closes a socket may be anything, so no log repeats them.
func TestFarewellIsNotLogged(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{InitTimeout: 50 * time.Millisecond})
	w := l.wire(t)
	_, _, err := w.frame() // 4408
	must(t, err)
	reply := "\x0f\xa0canary" // 4000
	w.begin(opClose, len(reply), reply)
	w.gone()
	must(t, l.Drain(t.Context()))
	if logged := l.logged.String(); strings.Contains(logged, "canary") {
		t.Error(logged)
	}
}

// TestSocketMessageTakesTooLong: a message that has begun has to arrive, whatever signs of life come in between.
func TestSocketMessageTakesTooLong(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{Patience: 200 * time.Millisecond})
	w := l.wire(t)
	w.send(hello("ann"))
	w.begin(opText, 1000, "{")
	w.gone()
}

// TestSocketMessageTooLong: whoever sends too much hears so, also if they listen only when they have sent all of it.
func TestSocketMessageTooLong(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{})
	w := l.wire(t)
	w.send(hello("ann"))
	w.send(strings.Repeat("x", 4<<20))
	for {
		opcode, payload, err := w.frame()
		must(t, err)
		if opcode != opClose {
			continue
		}
		if got := binary.BigEndian.Uint16([]byte(payload)); got != 1009 {
			t.Errorf("closed with %d", got)
		}
		break
	}
}

// TestSocketsOfOneAccount: they may not all have as much running as each of them may alone.
func TestSocketsOfOneAccount(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{Operations: 2, AccountOperations: 3})
	first, second, other := l.greet(t, "ann"), l.greet(t, "ann"), l.greet(t, "bob")
	for _, c := range []*client{first, second, other} {
		c.send(ask("1", `subscription { pulse }`))
	}
	first.send(ask("2", `subscription { pulse }`))
	eventually(t, "four listen", func() bool { return l.source.listening() == 4 })
	refused := func() bool {
		second.send(ask("2", `{ hello }`))
		text, err := second.next()
		must(t, err)
		if strings.Contains(text, `"type":"error"`) && strings.Contains(text, "BAD_USER_INPUT") {
			return true
		}
		second.expect(`{"id":"2","type":"complete"}`)
		return false
	}
	if !refused() {
		t.Error("there is room for a fourth")
	}
	other.send(ask("2", `{ hello }`))
	other.expect(`{"id":"2","type":"next","payload":{"data":{"hello":"world"}}}`, `{"id":"2","type":"complete"}`)
	first.send(`{"type":"complete","id":"2"}`)
	eventually(t, "there is room again", func() bool { return !refused() })
	must(t, first.Close(websocket.StatusNormalClosure, ""))
	eventually(t, "one of it listens, and the other", func() bool { return l.source.listening() == 2 })
}

// TestSocketHasRoomAgain: whoever hears that an operation is over has room for the next, however it ended.
func TestSocketHasRoomAgain(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{Operations: 1, AccountOperations: 1})
	c := l.greet(t, "ann")
	for range 500 {
		c.send(ask("1", `{ hello }`))
		c.expect(`{"id":"1","type":"next","payload":{"data":{"hello":"world"}}}`, `{"id":"1","type":"complete"}`)
		c.send(ask("2", `{ nope }`))
		if text, err := c.next(); !strings.Contains(text, "GRAPHQL_VALIDATION_FAILED") {
			t.Fatalf("got %s (%v)", text, err)
		}
	}
}

// TestPlacesAreGivenBack: however an operation is broken off, another may run.
func TestPlacesAreGivenBack(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{AccountOperations: 1})
	for name, end := range map[string]func(c *client){
		"completed": func(c *client) { c.send(`{"type":"complete","id":"1"}`) },
		"closed":    func(c *client) { must(t, c.Close(websocket.StatusNormalClosure, "")) },
		"broken":    func(c *client) { must(t, c.CloseNow()) },
		"a breach":  func(c *client) { c.send(ask("1", `{ hello }`)) },
		"lapsed":    func(*client) { l.sessions.end("ann", fault.Anonymous(fault.Expired)) },
	} {
		c := l.greet(t, "ann")
		c.send(ask("1", `subscription { pulse }`))
		eventually(t, name+": it listens", func() bool { return l.source.listening() == 1 })
		end(c)
		eventually(t, name+": another may run", func() bool {
			next := l.dial(t)
			defer func() { _ = next.CloseNow() }()
			next.send(hello("ann"))
			if text, _ := next.next(); text != `{"type":"connection_ack"}` {
				return false
			}
			next.send(ask("1", `{ hello }`))
			if text, _ := next.next(); !strings.Contains(text, `"next"`) {
				return false
			}
			next.expect(`{"id":"1","type":"complete"}`)
			return true
		})
		_ = c.CloseNow() // it may be closed
		eventually(t, name+": nobody listens", func() bool { return l.source.listening() == 0 })
	}
}

// TestSlowReaderOfEvents: who does not take the events that they asked for is cut off, and their place is free again.
func TestSlowReaderOfEvents(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{Sockets: 1, Patience: 200 * time.Millisecond})
	slow := l.listen(t, "ann", "text/event-stream", `subscription { count(to: 2000000000) }`) // and reads nothing
	if slow.StatusCode != http.StatusOK {
		t.Fatalf("got %s", slow.Status)
	}
	eventually(t, "the place is free again", func() bool {
		answer := l.listen(t, "bob", "text/event-stream", `{ hello }`)
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}
