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
	Resumed []string
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
	// The token lives for eight seconds, of which some have passed when the connection is there.
	if s := got.Stubborn; s.Connected != 1 || !slices.Equal(s.Codes, []int{expired, expired, expired}) || s.Thrown != expired ||
		s.First > 9000 {
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
	if want := []string{"LOGIN_FAILED", "LOGIN_FAILED"}; !slices.Equal(got.Resumed, want) {
		t.Errorf("server-sent events, before and after a restart: %q", got.Resumed)
	}
}

// TestManySockets opens two thousand sockets, or as many as SOCKETS says. Those that listen take little memory each. When the
// server is restarted they are sent away and come back by themselves, spread over some seconds and while others are served. They
// end within a second of their tokens; and those on which nobody says who they are, within ten seconds.
func TestManySockets(t *testing.T) {
	count := 2000 // with fewer than half of that, what the server holds in any case weighs too much
	if given, err := strconv.Atoi(os.Getenv("SOCKETS")); err == nil {
		count = given
	}
	type heard struct{ Events, Expected int }
	var got struct {
		Live struct {
			heard

			Connected, Each int
		}
		Restart struct {
			heard

			Stopped, Slowest, Back, Attempts, Soonest, Latest int
			Codes                                             []int
		}
		Expiry struct {
			Codes  []int
			Latest int
		}
		Idle struct {
			Opened, Longest int
			Codes           []int
		}
	}
	play(t, &got, "wsclient", "load.js", build(t), strconv.Itoa(count))
	text, _ := json.Marshal(got)
	t.Logf("%d sockets: %s", count, text)
	if l := got.Live; l.Connected != count || l.Each > 64<<10 || l.Events != l.Expected || l.Events == 0 {
		t.Errorf("sockets that listen: %+v", l)
	}
	if r := got.Restart; !slices.Equal(r.Codes, []int{1012}) || r.Stopped > 5000 || r.Back != count || r.Attempts > 3 ||
		r.Soonest < 1000 || r.Latest-r.Soonest < 2000 || r.Slowest > 2000 || r.Events != r.Expected || r.Events == 0 {
		t.Errorf("sockets whose server is restarted: %+v", r)
	}
	if e := got.Expiry; !slices.Equal(e.Codes, []int{4403}) || e.Latest > 1000 {
		t.Errorf("sockets whose tokens expire: %+v", e)
	}
	if i := got.Idle; i.Opened != count || i.Longest > 10_000 || !slices.Equal(i.Codes, []int{4408}) {
		t.Errorf("sockets that say nothing: %+v", i)
	}
}
