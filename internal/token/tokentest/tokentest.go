// Package tokentest owns the attacks on access tokens: it forges every entry of the catalogue in token's testdata, and
// presents it to a verifier in the same process or to a server over HTTP.
//
//	for _, a := range tokentest.Attacks(t, target) {
//		if a.By == tokentest.BySettings {
//			… // the server must not start with a.JWTSecret
//		} else if err := a.Present(ctx, url); err != nil {
//			t.Errorf("%s/%s: %v", a.ID, a.Name, err)
//		}
//	}
//
// It is for tests alone. It must never tell an attack from an honest token by any other means than the catalogue's word.
package tokentest

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/fault"
	"gatehouse/internal/keyring"
	"gatehouse/internal/token"
)

// Target is the server to be attacked, as far as the attacker is lent it: much of the catalogue is correctly signed.
type Target struct {
	Ring   *keyring.Ring    // the server's own keys
	Config token.Config     // what the server mints with
	Now    func() time.Time // the server's clock

	Live     token.Grant // an account that may sign in and a session that lives
	Disabled token.Grant // a deleted or disabled account; its session may be as it likes
	Revoked  token.Grant // an account that may sign in, and a session that was ended

	// Slack is the longest time that may pass between the forging and the presenting. Attacks that are to be refused for a
	// moment too early are forged that much earlier still. Zero where the clock stands still.
	Slack time.Duration
}

// Outcome is what an attack must come to.
type Outcome string

// The outcomes.
const (
	Accept        Outcome = "accept"          // it is no attack: the caller is Target.Live
	Reject        Outcome = "reject"          // the caller is nobody, for Attack.Reason
	RefuseToStart Outcome = "refuse to start" // the setting Attack.JWTSecret is not accepted
)

// Decider is the part of the server that knows the answer.
type Decider string

// The deciders.
const (
	ByToken    Decider = "token"    // auth.Bearer and token.Service: all that the token itself tells
	BySession  Decider = "session"  // genuine to the former: session and account have the say
	BySettings Decider = "settings" // the server's settings, before there is any token
)

// Attack is one thing to present, and what must come of it.
type Attack struct {
	ID   string // of the catalogue
	Name string // tells apart the attacks with one ID; unique among them

	Header    http.Header // the Authorization headers to send, byte for byte: they may hold what no HTTP client sends
	Query     string      // the query of the URL to send them to, without its question mark
	JWTSecret string      // instead of a request: the HS256 secret to configure (RefuseToStart)

	Want   Outcome
	Reason fault.Reason // Reject: why the caller is nobody
	By     Decider

	account string // Accept: whose account the server must see
}

// Attacks forges the whole catalogue against target. The servers whose addresses stand in some of the tokens listen until tb
// ends; tb fails if anybody has asked them for anything by then.
func Attacks(tb testing.TB, target Target) []Attack {
	tb.Helper()
	f := newForger(tb, target)
	f.algorithms()
	f.keys()
	f.headers()
	f.forms()
	f.claims()
	f.transports()
	f.settings()
	return f.attacks
}

// IDs returns the catalogue's IDs that the attacks cover, sorted.
func IDs(attacks []Attack) []string {
	ids := make(map[string]bool)
	for _, a := range attacks {
		ids[a.ID] = true
	}
	return slices.Sorted(maps.Keys(ids))
}
