package session

import (
	"context"

	"gatehouse/internal/fault"
)

// Carrier takes a client's refresh tokens off its hands, such as into a cookie that no script reads. It belongs to one request
// and is not safe for concurrent use. Whoever opens, prolongs or ends a session for a client asks for it: see [CarrierFrom].
type Carrier interface {
	// Ready returns nil where the request can come with a refresh token and go with the next one, else a *fault.Error. Ask before
	// anything happens to a session: a token that cannot be delivered would be lost.
	Ready() error
	// Presented returns the refresh token that the client comes with; argument is the one it names itself, empty where it names
	// none. The error is a *fault.Error: Ready's, or BAD_USER_INPUT where there are two.
	Presented(argument string) (refreshToken string, err error)
	// Keep takes the refresh token from the tokens and returns the rest, for the client itself.
	Keep(t Tokens) Tokens
	// Drop forgets the refresh token. Only a logout is a reason: a refusal may come late, when the next token is there already.
	Drop()
}

type carrierKey struct{}

// WithCarrier returns a context that carries the carrier.
func WithCarrier(ctx context.Context, c Carrier) context.Context {
	return context.WithValue(ctx, carrierKey{}, c)
}

// CarrierFrom returns the request's carrier; where none was put in, one that leaves everything to the client. It never returns
// nil.
func CarrierFrom(ctx context.Context) Carrier {
	if c, ok := ctx.Value(carrierKey{}).(Carrier); ok {
		return c
	}
	return byHand{}
}

// Detached returns a context for what outlives the request of ctx, such as a WebSocket, and holds on to nothing of it. Where the
// request has a carrier, the carrier of what outlives it is never ready: there is no answer any more that a token could go with.
func Detached(ctx context.Context) context.Context {
	detached := context.Background()
	if _, carried := ctx.Value(carrierKey{}).(Carrier); carried {
		return WithCarrier(detached, outlived{})
	}
	return detached
}

// byHand is the carrier of clients that keep their refresh tokens themselves.
type byHand struct{}

func (byHand) Ready() error { return nil }

func (byHand) Presented(argument string) (string, error) { return argument, nil }

func (byHand) Keep(t Tokens) Tokens { return t }

func (byHand) Drop() {}

// outlived is the carrier of what goes on after its request.
type outlived struct{}

func (outlived) Ready() error {
	return &fault.Error{
		Code: fault.BadUserInput, Message: "No cookie can be set on a connection that stays open: send a POST request of its own.",
	}
}

func (o outlived) Presented(string) (string, error) { return "", o.Ready() }

func (outlived) Keep(t Tokens) Tokens {
	t.Refresh = RefreshToken{}
	return t
}

func (outlived) Drop() {}
