package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/graph"
	"gatehouse/graph/graphtest"
	"gatehouse/internal/audit"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/operation"
	"gatehouse/internal/store/storetest"
)

// listen subscribes in the name of whoever the access token belongs to, and returns the responses as they come.
func listen(t *testing.T, h *graphtest.House, accessToken, query string) <-chan *operation.Response {
	t.Helper()
	caller, err := h.Sessions.Authenticate(t.Context(), accessToken)
	must(t, err)
	ctx, cancel := context.WithCancel(auth.NewContext(t.Context(), caller))
	responses, done := make(chan *operation.Response), make(chan struct{})
	go func() {
		defer close(done)
		for response := range h.Executor.Subscribe(ctx, operation.Request{Query: query}) {
			select {
			case responses <- response:
			case <-ctx.Done():
				return
			}
		}
		close(responses)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return responses
}

// watch has the feed of a house watched until the test ends.
func watch(t *testing.T, h *graphtest.House) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Features.Feed.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
	})
}

func next(t *testing.T, responses <-chan *operation.Response) *operation.Response {
	t.Helper()
	select {
	case response, ok := <-responses:
		if !ok {
			t.Fatal("there are no more responses")
		}
		return response
	case <-time.After(20 * time.Second):
		t.Fatal("no response came")
		return nil
	}
}

// probe is the detail of what is recorded to find out whether a subscription has begun, since nothing says so.
const probe = "probe"

// begin waits until a subscription has begun.
func begin(t *testing.T, h *graphtest.House, accountID id.ID, responses <-chan *operation.Response) {
	t.Helper()
	for range 200 {
		must(t, h.Features.Audit.Record(t.Context(), audit.Entry{Event: audit.RoleGranted, AccountID: &accountID, Detail: probe}))
		select {
		case <-responses:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatal("it never began")
}

// TestSecurityEvents: they are the account's own, with all that the schema says of them.
func TestSecurityEvents(t *testing.T) {
	each(t, func(t *testing.T, h *graphtest.House) {
		watch(t, h)
		accountID, ada := h.Register(t, "ada@example.com")
		_, eve := h.Register(t, "eve@example.com")
		must(t, h.Wait(t.Context(), time.Second))
		responses := listen(t, h, ada, `subscription Mine($yes: Boolean = true) { happened: securityEvents {
			id @include(if: $yes) createdAt event sessionId current ipAddress userAgent device detail __typename } }`)
		begin(t, h, accountID, responses)
		h.Ask(t.Context(), eve, operation.Request{Query: `mutation { logout { endedSessions } }`})
		refused := `mutation { login(input: {email: "ada@example.com", password: "not what it is"}) { userErrors { code } } }`
		h.Ask(t.Context(), "", operation.Request{Query: refused})
		must(t, h.Wait(t.Context(), time.Second))
		h.Ask(t.Context(), ada, operation.Request{Query: `mutation { logout { endedSessions } }`})
		type event struct {
			ID, CreatedAt, Event, SessionID, IPAddress, UserAgent, Device string
			Detail                                                        *string
			Current                                                       bool
		}
		var got []event
		for range 2 {
			response := next(t, responses)
			for strings.Contains(string(response.Data), probe) {
				response = next(t, responses)
			}
			var data struct{ Happened event }
			must(t, json.Unmarshal(response.Data, &data))
			if response.Errors != nil || response.OperationName != "Mine" ||
				!strings.HasSuffix(string(response.Data), `"SecurityEvent"}}`) {
				t.Errorf("got %s, %v", response.Data, response.Errors)
			}
			got = append(got, data.Happened)
		}
		for i, want := range []event{
			{Event: "LOGIN_FAILED", CreatedAt: "2026-01-31T12:00:01Z"},
			{Event: "LOGGED_OUT", CreatedAt: "2026-01-31T12:00:02Z", Current: true},
		} {
			e := got[i]
			if e.Event != want.Event || e.Current != want.Current || (e.SessionID != "") != want.Current || e.ID == "" ||
				e.CreatedAt != want.CreatedAt || e.IPAddress != "192.0.2.1" || e.Device != "Firefox on Linux" ||
				!strings.HasPrefix(e.UserAgent, "Mozilla/5.0") || e.Detail != nil {
				t.Errorf("got %+v", e)
			}
		}
	})
}

// TestSecurityEventsOfASlowClient: a client that does not take its events learns that some are missing.
func TestSecurityEventsOfASlowClient(t *testing.T) {
	each(t, func(t *testing.T, h *graphtest.House) {
		watch(t, h)
		accountID, ada := h.Register(t, "ada@example.com")
		must(t, h.Wait(t.Context(), time.Second))
		responses := listen(t, h, ada, `subscription { securityEvents { event } }`)
		begin(t, h, accountID, responses)
		var entries []audit.Entry
		for range 2000 {
			entries = append(entries, audit.Entry{Event: audit.LoginFailed, AccountID: &accountID})
		}
		must(t, h.Features.Audit.Record(t.Context(), entries...))
		// The responses are taken only now, when there are more than a follower may leave waiting.
		n := 0
		for {
			response := next(t, responses)
			if response.Errors == nil {
				n++
				continue
			}
			if response.Stage != operation.Unavailable || n == 0 || n >= 2000 {
				t.Errorf("after %d events came %v", n, response.Errors[0])
			}
			break
		}
		if _, more := <-responses; more {
			t.Error("it goes on after its end")
		}
	})
}

// subscription is a team's own.
type subscription struct{ *graph.Subscription }

// Countdown counts down to a panic or a failure.
func (subscription) Countdown(ctx context.Context, args struct{ From int32 }) (<-chan *number, error) {
	if args.From < 0 {
		return nil, &fault.Error{Code: fault.BadUserInput, Message: "No."}
	}
	numbers := make(chan *number)
	go func() {
		defer close(numbers)
		for i := args.From; i >= 0; i-- {
			select {
			case numbers <- &number{i}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return numbers, nil
}

type number struct{ value int32 }

// Value panics at zero.
func (n *number) Value() int32 { return 12 / n.value }

// TestSubscriptionOfATeam: events come in order, a panic takes one of them, and what a resolver refuses is told.
func TestSubscriptionOfATeam(t *testing.T) {
	p := plan(t)
	p.SDL += `
extend type Subscription { countdown(from: Int!): Number @public(reason: "Test.") }
type Number { value: Int! }`
	features := graphtest.New(t, storetest.SQLite, plan(t)).Features
	engine, err := graph.Extend(p.SDL, features, graph.Resolvers[graph.User]{
		User:         func(own graph.User) *graph.User { return &own },
		Subscription: func(own *graph.Subscription) any { return &subscription{own} },
	})
	must(t, err)
	x := graphtest.NewExecutor(t, p, engine, time.Now, features.Logger)
	play := func(query string) (got []string) {
		for response := range x.Subscribe(t.Context(), operation.Request{Query: query}) {
			text, err := json.Marshal(response)
			must(t, err)
			got = append(got, string(text))
		}
		return got
	}
	got := play(`subscription { countdown(from: 2) { value } }`)
	if len(got) != 3 || got[0] != `{"data":{"countdown":{"value":6}}}` || got[1] != `{"data":{"countdown":{"value":12}}}` ||
		!strings.Contains(got[2], "INTERNAL_SERVER_ERROR") || strings.Contains(got[2], "divide") {
		t.Errorf("got %q", got)
	}
	if got := play(`subscription { countdown(from: -1) { value } }`); len(got) != 1 || !strings.Contains(got[0], "BAD_USER_INPUT") {
		t.Errorf("got %q", got)
	}
}

// TestSubscribePanics: what the engine throws is an error of the subscription, and does not end the process.
func TestSubscribePanics(t *testing.T) {
	t.Parallel()
	request := operation.Request{Query: `subscription { securityEvents { id } }`}
	results := slices.Collect(new(graph.Engine).Subscribe(t.Context(), request))
	if len(results) != 1 || len(results[0].Errors) != 1 {
		t.Fatalf("an engine without a schema answered %v", results)
	}
	if err, ok := errors.AsType[*fault.Error](results[0].Errors[0].Err); !ok || err.Code != fault.Internal ||
		err.Message != fault.InternalMessage {
		t.Errorf("got %v", results[0].Errors[0].Err)
	}
}
