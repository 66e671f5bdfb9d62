// Package request owns what is known of a request besides its authority: its id and where it came from. web puts it into
// the context; whoever writes a log line, an error or a session row reads it there.
//
// It must never decide anything: what a caller may do is auth's business.
package request

import "context"

// Info describes one HTTP request.
type Info struct {
	ID        string // also the X-Request-Id response header
	Address   string // the client's IP address, after trusted proxies
	UserAgent string // as sent, cut to 512 bytes, valid UTF-8

	// Operation is where operation notes what was asked, as soon as it knows, for the log; nil when nobody will read it. Only
	// the goroutine that serves the request may touch it.
	Operation *Operation
}

// Operation names the GraphQL operation of a request. It is noted only for a document that could be parsed, so that both
// fields are words of GraphQL's grammar and not whatever a client sent; empty means unknown or, for Name, anonymous.
type Operation struct {
	Name string // as in the document; whoever logs it cuts it to size
	Type string // "query", "mutation" or "subscription"
}

type contextKey struct{}

// NewContext returns a context that carries info.
func NewContext(ctx context.Context, info Info) context.Context {
	return context.WithValue(ctx, contextKey{}, info)
}

// FromContext returns the request's info; outside a request it is the zero Info.
func FromContext(ctx context.Context) Info {
	info, _ := ctx.Value(contextKey{}).(Info)
	return info
}
