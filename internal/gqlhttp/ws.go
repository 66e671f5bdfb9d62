package gqlhttp

import (
	"bufio"
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"gatehouse/internal/auth"
	"gatehouse/internal/request"
	"gatehouse/internal/session"
)

// subprotocol is the protocol that is spoken over WebSockets, and the name by which clients ask for it.
const subprotocol = "graphql-transport-ws"

// The refusals of a handshake. A browser tells its page no more than that there was one.
var (
	errHandshake = &refusal{
		status: http.StatusBadRequest, message: "The WebSocket handshake is not well-formed (RFC 6455 section 4.2.1).",
		header: "Sec-WebSocket-Version", value: "13",
	}
	errSubprotocol = &refusal{
		status: http.StatusBadRequest, message: "Ask for the subprotocol " + subprotocol + ": no other is spoken here.",
	}
)

// isUpgrade reports whether the request asks for a WebSocket.
func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && lists(r.Header["Upgrade"], "websocket")
}

// lists reports whether a header that is a list has the word among its elements, in any case.
func lists(values []string, word string) bool {
	for _, value := range values {
		for element := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(element), word) {
				return true
			}
		}
	}
	return false
}

// handshake says why a request for a WebSocket is refused, nil where it is not.
//
// The check of its origin is what keeps pages of others out: browsers open WebSockets to anywhere, and ask nobody before. What is
// no browser sends no origin, and has nothing in it that a page could make use of.
func (l *Live) handshake(r *http.Request) *refusal {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	switch origins := r.Header["Origin"]; {
	case !r.ProtoAtLeast(1, 1), !lists(r.Header["Connection"], "Upgrade"), len(r.Header["Sec-Websocket-Key"]) != 1,
		err != nil, len(key) != 16, r.Header.Get("Sec-WebSocket-Version") != "13":
		return errHandshake
	case len(origins) > 1, len(origins) == 1 && !l.cfg.Origins.Allows(origins[0], r.Host):
		return errOrigin
	case !lists(r.Header["Sec-Websocket-Protocol"], subprotocol):
		return errSubprotocol
	}
	return nil
}

// serveSocket turns the request's connection into a WebSocket, which is served until it is closed. It returns as soon as that has
// begun: what belongs to the request is free then, a third of what a socket would hold otherwise.
func (l *Live) serveSocket(w http.ResponseWriter, r *http.Request) *refusal {
	if refused := l.handshake(r); refused != nil {
		return refused
	}
	// Nothing of the request's context but this: it is about an exchange that is over now.
	ctx, cancel := context.WithCancelCause(session.Detached(r.Context()))
	end := func(why closure) { cancel(why) }
	info := request.FromContext(r.Context())
	info.Operation = nil // it is part of the exchange
	open, refused := l.enter(info.Address, end)
	if refused != nil {
		cancel(nil)
		return refused
	}
	from := &hijacker{ResponseWriter: w}
	conn, err := websocket.Accept(from, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil { // it has answered
		cancel(nil)
		l.leave(open)
		l.cfg.Logger.DebugContext(r.Context(), "a connection did not become a WebSocket", "error", err)
		return nil
	}
	s := &socket{
		Live: l, line: open, conn: conn, raw: from.conn, end: end, info: info, caller: auth.FromContext(r.Context()),
		operations: make(map[string]*activity),
	}
	go func() {
		defer l.leave(open)
		s.serve(ctx)
	}()
	return nil
}

// hijacker keeps the connection that a handshake takes from the HTTP server.
type hijacker struct {
	http.ResponseWriter

	conn net.Conn
}

// Hijack implements [http.Hijacker].
func (h *hijacker) Hijack() (_ net.Conn, _ *bufio.ReadWriter, err error) {
	conn, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, buffered, err
}
