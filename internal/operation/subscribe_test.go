package operation_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
)

// TestSubscribe: a subscription has a response for each event, everything else the one that Execute gives.
func TestSubscribe(t *testing.T) {
	h := newHouse(t)
	n := 0
	for response := range h.Subscribe(h.as(t), operation.Request{Query: `subscription S { a: events }`}) {
		if got := text(t, response); got != `{"data":{"ok":true}}` || response.OperationName != "S" ||
			response.OperationType != "subscription" || response.Stage != operation.Executed {
			t.Errorf("got %s, %+v", got, response)
		}
		n++
		if n == 3 {
			break
		}
	}
	if len(h.engine.calls) != 3 || h.engine.calls[0].Query != `subscription{a:events}` {
		t.Errorf("the engine was asked %+v", h.engine.calls)
	}
	for _, query := range []string{
		`{ hello }`, `{ __typename }`, `mutation { login(input: {password: "a"}) { id } }`, `{`, `{ nope }`, `{ node(id: "1") { id } }`,
		`subscription { events events2: events }`, `subscription { __typename }`,
		`subscription { ...A ...B } fragment A on Subscription { a: events } fragment B on Subscription { ... { b: events } }`,
	} {
		want := text(t, newHouse(t).Execute(h.as(t), operation.Request{Query: query}))
		var got []string
		for response := range newHouse(t).Subscribe(h.as(t), operation.Request{Query: query}) {
			if got = append(got, text(t, response)); len(got) == 2 {
				break
			}
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %s", query, got, want)
		}
	}
	denied := newHouse(t)
	for response := range denied.Subscribe(t.Context(), operation.Request{Query: `subscription { events }`}) {
		if response.Stage != operation.Denied || response.Errors[0].Extensions["code"] != "UNAUTHENTICATED" {
			t.Errorf("got %s", text(t, response))
		}
	}
	if len(denied.engine.calls) > 0 {
		t.Error("the engine ran for somebody who may not")
	}
}

// interrupted returns the responses of a subscription whose context ends after the first one, when the engine begins to fail.
func interrupted(t *testing.T, h *house, cause error) (got []string) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(h.as(t))
	defer cancel(nil)
	for response := range h.Subscribe(ctx, operation.Request{Query: `subscription { events }`}) {
		if got = append(got, text(t, response)); len(got) == 3 {
			break
		}
		cancel(cause)
		h.engine.result = operation.Result{Errors: []operation.ResolverError{{Err: errors.New("secret")}}}
	}
	return got
}

// TestSubscribeEnds: the last response says why the context ended, if that is a fault; the engine's own word of it goes nowhere.
func TestSubscribeEnds(t *testing.T) {
	for _, test := range []struct {
		cause error
		want  string
	}{
		{fault.Anonymous(fault.Expired), `"reason":"EXPIRED"`},
		{fault.Anonymous(fault.Revoked), `"reason":"REVOKED"`},
		{fault.Outage(errors.New("away")), `"code":"SERVICE_UNAVAILABLE"`},
		{errors.New("gone"), ""},
		{nil, ""},
	} {
		h := newHouse(t)
		got := interrupted(t, h, test.cause)
		switch {
		case test.want == "" && len(got) != 1, test.want != "" && (len(got) != 2 || !strings.Contains(got[1], test.want)):
			t.Errorf("%v: got %q", test.cause, got)
		}
		if strings.Contains(h.log.String(), "secret") {
			t.Errorf("%v: the log has it: %s", test.cause, h.log)
		}
	}
}

// TestSubscribePanics: the engine's panic is an internal error; the consumer's is its own.
func TestSubscribePanics(t *testing.T) {
	h := newHouse(t)
	h.engine.panics = "hunter2"
	n := 0
	for response := range h.Subscribe(h.as(t), operation.Request{Query: `subscription { events }`}) {
		n++
		if got := text(t, response); !strings.Contains(got, "INTERNAL_SERVER_ERROR") || response.Stage != operation.Failed {
			t.Errorf("got %s", got)
		}
	}
	if n != 1 || strings.Contains(h.log.String(), "hunter2") {
		t.Errorf("%d responses; the log: %s", n, h.log)
	}
	defer func() {
		if v := recover(); v != "mine" {
			t.Errorf("recovered %v", v)
		}
	}()
	for range newHouse(t).Subscribe(h.as(t), operation.Request{Query: `subscription { events }`}) {
		panic("mine")
	}
}

// TestSubscribePanicsWhenNobodyListens: an engine that panics as it cleans up, after the consumer has had enough, is logged.
func TestSubscribePanicsWhenNobodyListens(t *testing.T) {
	h := newHouse(t)
	h.engine.ending = func() { panic("hunter2") }
	for range h.Subscribe(h.as(t), operation.Request{Query: `subscription { events }`}) {
		break
	}
	if got := h.log.String(); !strings.Contains(got, "panic") || strings.Contains(got, "hunter2") {
		t.Errorf("the log: %s", got)
	}
}
