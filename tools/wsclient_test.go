package tools_test

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"testing"
)

// played is what clients of subscriptions went through; times are milliseconds.
type played struct {
	Events, Streamed []string
	Stubborn         struct {
		Connected int
		Codes     []int
		Thrown    int
		First     int
	}
	Refreshing struct {
		Connected int
		Codes     []int
		Events    []string
	}
	Revoked struct{ Code, After, Thrown int }
	Restart struct {
		Stopped, Attempts, Soonest, Latest int
		Back                               bool
		Codes                              []int
	}
}

// TestSubscriptionClients has graphql-ws and graphql-sse, as people use them, follow the events of an account: while they happen,
// over the end of an access token and of a session, and over a restart of the server. No end makes a client come back at once and
// for ever.
func TestSubscriptionClients(t *testing.T) {
	var got played
	play(t, &got, "wsclient", "clients.js", build(t))
	const expired, invalid, restarted = 4403, 4401, 1012
	happened := []string{"LOGIN_FAILED", "LOGGED_IN", "LOGGED_OUT"}
	if !slices.Equal(got.Events, happened) {
		t.Errorf("over a WebSocket came %q", got.Events)
	}
	if want := slices.Concat(happened, []string{"UNAUTHENTICATED", "complete"}); !slices.Equal(got.Streamed, want) {
		t.Errorf("as server-sent events came %q", got.Streamed)
	}
	// The token lives for six seconds, of which some have passed when the connection is there.
	if s := got.Stubborn; s.Connected != 1 || !slices.Equal(s.Codes, []int{expired, expired, expired}) || s.Thrown != expired ||
		s.First > 7000 {
		t.Errorf("a client that always comes with the same token: %+v", s)
	}
	if r := got.Refreshing; r.Connected != 2 || !slices.Equal(r.Codes, []int{expired}) ||
		!slices.Equal(r.Events, []string{"LOGIN_FAILED"}) {
		t.Errorf("a client that refreshes its token: %+v", r)
	}
	if r := got.Revoked; r.Code != expired || r.After > 1000 || r.Thrown != invalid {
		t.Errorf("a client whose session is ended: %+v", r)
	}
	if r := got.Restart; !r.Back || !slices.Equal(r.Codes, []int{restarted}) || r.Attempts > 3 || r.Soonest < 1000 ||
		r.Stopped > 5000 {
		t.Errorf("a server that is started anew: %+v", r)
	}
}

// TestManySockets opens a thousand sockets, or as many as SOCKETS says. Those on which nobody says who they are are closed within
// ten seconds; those that listen take little memory each, and end within a second of their tokens.
func TestManySockets(t *testing.T) {
	count := 1000 // with fewer, what the server holds in any case weighs too much
	if given, err := strconv.Atoi(os.Getenv("SOCKETS")); err == nil {
		count = given
	}
	var got struct {
		Idle struct {
			Opened, Longest int
			Codes           []int
		}
		Live   struct{ Acknowledged, Each, Events, Expected int }
		Expiry struct {
			Codes  []int
			Latest int
		}
	}
	play(t, &got, "wsclient", "load.js", build(t), strconv.Itoa(count))
	text, _ := json.Marshal(got)
	t.Logf("%d sockets: %s", count, text)
	if i := got.Idle; i.Opened != count || i.Longest > 10_000 || !slices.Equal(i.Codes, []int{4408}) {
		t.Errorf("sockets that say nothing: %+v", i)
	}
	if l := got.Live; l.Acknowledged != count || l.Each > 64<<10 || l.Events != l.Expected {
		t.Errorf("sockets that listen: %+v", l)
	}
	if e := got.Expiry; !slices.Equal(e.Codes, []int{4403}) || e.Latest > 1000 {
		t.Errorf("sockets whose tokens expire: %+v", e)
	}
}
