// Package auth owns the caller: who is asking, with which scopes, and how that travels in a context.
//
// It must never reject a request. Whoever presents no credential, or a bad one, is anonymous with a reason; what an
// anonymous caller may do is for policy to say.
package auth

import (
	"context"
	"encoding/hex"
	"time"

	"gatehouse/internal/fault"
	"gatehouse/internal/id"
)

// Caller is who is asking. It is immutable and may be shared between requests.
type Caller struct {
	AccountID id.ID     // whose account; zero for an anonymous caller
	SessionID id.ID     // the session that the access token belongs to
	Roles     []string  // role names, as the token carries them
	Scopes    ScopeSet  // what the caller may do
	AuthTime  time.Time // when the caller last proved who they are
	AMR       []string  // how they proved it (RFC 8176), such as "pwd"
	ExpiresAt time.Time // when the access token ends
	KeyID     string    // of the key that signed the access token, with which the token ends, too

	// Refusal is why the caller is anonymous: UNAUTHENTICATED with its reason, or SERVICE_UNAVAILABLE when a storage fault
	// kept us from finding out. It is nil exactly when the caller is signed in.
	Refusal *fault.Error

	// Lapsed is the session of an anonymous caller whose access token is genuine in everything but its exp, and whose Refusal
	// says EXPIRED; zero otherwise. It is proof enough to end that session, and of nothing else.
	Lapsed id.ID
}

// SignedIn reports whether the caller proved who they are.
func (c *Caller) SignedIn() bool { return c.Refusal == nil }

// Owns reports whether accountID is the caller's own, in the one spelling that id.Parse accepts. Nobody owns the zero ID, and
// whoever is anonymous owns nothing. It allocates nothing.
func (c *Caller) Owns(accountID string) bool {
	const length = 36 // of the canonical form: 8-4-4-4-12 digits
	if len(accountID) != length || !c.SignedIn() || c.AccountID == (id.ID{}) {
		return false
	}
	var own [length]byte
	hex.Encode(own[:8], c.AccountID[:4])
	hex.Encode(own[9:13], c.AccountID[4:6])
	hex.Encode(own[14:18], c.AccountID[6:8])
	hex.Encode(own[19:23], c.AccountID[8:10])
	hex.Encode(own[24:], c.AccountID[10:])
	own[8], own[13], own[18], own[23] = '-', '-', '-', '-'
	return string(own[:]) == accountID
}

// Anonymous returns the caller who is nobody, for the given reason.
func Anonymous(refusal *fault.Error) *Caller { return &Caller{Refusal: refusal} }

type contextKey struct{}

// NewContext returns a context that carries the caller.
func NewContext(ctx context.Context, caller *Caller) context.Context {
	return context.WithValue(ctx, contextKey{}, caller)
}

// FromContext returns the caller; where none was put in, one who sent no credential. It never returns nil.
func FromContext(ctx context.Context) *Caller {
	if caller, ok := ctx.Value(contextKey{}).(*Caller); ok {
		return caller
	}
	return Anonymous(fault.Anonymous(fault.Missing))
}
