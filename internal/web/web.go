// Package web owns everything between the socket and GraphQL: which path leads where, and what happens around every request.
//
// A request passes, from the outside in:
//
//  1. identify: a request id, the client's address behind trusted proxies, the user agent; in the context for all below
//  2. log: one line when the request is over, whatever became of it
//  3. recover: a panic becomes a 500 and the process lives
//  4. secure: the response headers that keep browsers from doing harm
//  5. route: the path's handler; before /graphql and the schema, which pages may read them, and [auth.Middleware]; before
//     /graphql alone, the cookie that keeps a refresh token
//
// It must never log what a client made up: no query, variables, headers, query string, unknown path or unknown method.
package web

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/id"
	"gatehouse/internal/origin"
	"gatehouse/internal/request"
)

// Config is what the handler is made of. Only the fields that say so may be left out.
type Config struct {
	Logger        *slog.Logger
	Now           func() time.Time
	GraphQL       http.Handler                // answers /graphql, in every method
	Authenticator auth.Authenticator          // says who calls /graphql, and who asks for the schema
	Ready         func(context.Context) error // nil when requests should come here; see [ErrDraining]
	Discovery     Discovery                   // what those who verify access tokens can learn; without Keys, nothing

	URL            string         // where clients reach the server, without a final slash; https makes browsers stay with it
	Origins        origin.Policy  // whose pages may read the API's answers, and use the cookie
	Cookies        bool           // whether refresh tokens go into a cookie, unless a client asks for them
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed; none when empty
	Version        string         // shown on the front page unless empty
	Playground     fs.FS          // shown to browsers at /, from [Playground]; the front page says so where it is empty; nil: none

	// Schema returns the schema as the caller may see it, in SDL, for /schema.graphqls; an error that is UNAUTHENTICATED is
	// answered with 401, any other with 503.
	Schema func(caller *auth.Caller) (string, error)
}

// New returns the handler of the public listener.
func New(cfg Config) http.Handler {
	return identify(cfg, logged(cfg, recovered(cfg, secured(cfg, routed(cfg)))))
}

// exchange is one request being answered: the response writer that all layers share, and what the log will say of it.
type exchange struct {
	http.ResponseWriter

	info      request.Info
	operation request.Operation // noted by operation
	account   id.ID             // the caller's; zero for an anonymous one
	route     string            // the path of the route that answered; empty when none did
	status    int               // as sent; zero until then
	bytes     int64             // of the body
}

// step is a layer around the ones further in.
type step func(x *exchange, r *http.Request)

// WriteHeader notes the final status; informational ones pass, but for that by which a connection becomes a WebSocket.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes of the body.
func (x *exchange) Write(body []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(body)
	x.bytes += int64(n)
	return n, err
}

// Unwrap lets an http.ResponseController reach what the connection can do.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }
