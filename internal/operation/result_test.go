package operation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
	"gatehouse/internal/request"
)

func TestExecuteReportsResolverErrors(t *testing.T) {
	h := newHouse(t)
	h.engine.result = operation.Result{
		Data: json.RawMessage(`{"all":[{"pal":null}]}`),
		Errors: []operation.ResolverError{
			{Path: []any{"all", 0, "pal"}, Err: errors.New("row 42 is broken")},
			{Path: []any{"all"}, Err: fmt.Errorf("wrapped: %w", &fault.Error{
				Code: fault.Unauthenticated, Message: "Log in again.", Reason: fault.Revoked,
			})},
			{Err: &fault.Error{Code: fault.Internal, Message: "row 43 is broken", Cause: errors.New("row 44 is broken")}},
			{Path: []any{"nowhere"}, Err: &fault.Error{Code: fault.BadUserInput, Message: "Ask for less."}},
		},
	}
	r := h.Execute(h.as(t, "users:read"), operation.Request{Query: "{\n  all: users { ...F }\n}\nfragment F on User " +
		"{\n  pal: friend { id }\n}"})
	if r.Stage != operation.Executed {
		t.Errorf("stage %v", r.Stage)
	}
	want := `{"errors":[` +
		`{"message":"internal error","locations":[{"line":5,"column":3}],"path":["all",0,"pal"],` +
		`"extensions":{"code":"INTERNAL_SERVER_ERROR","requestId":"req-1"}},` +
		`{"message":"Log in again.","locations":[{"line":2,"column":3}],"path":["all"],` +
		`"extensions":{"code":"UNAUTHENTICATED","reason":"REVOKED","requestId":"req-1"}},` +
		`{"message":"internal error","extensions":{"code":"INTERNAL_SERVER_ERROR","requestId":"req-1"}},` +
		`{"message":"Ask for less.","path":["nowhere"],"extensions":{"code":"BAD_USER_INPUT","requestId":"req-1"}}` +
		`],"data":{"all":[{"pal":null}]}}`
	if got := text(t, r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, logged := range []string{"row 42 is broken", "coordinate=User.friend", "row 44 is broken", "requestId=req-1"} {
		if !strings.Contains(h.log.String(), logged) {
			t.Errorf("the log lacks %q: %s", logged, h.log)
		}
	}
	if strings.Contains(h.log.String(), "pal") || strings.Contains(h.log.String(), "Log in again") {
		t.Errorf("the log has an alias or an error that is no fault of ours: %s", h.log)
	}
}

func TestUnavailableAnywhereMarksTheResponse(t *testing.T) {
	h := newHouse(t)
	h.engine.result = operation.Result{Errors: []operation.ResolverError{
		{Path: []any{"hello"}, Err: &fault.Error{
			Code: fault.Unavailable, Message: "Try again.",
			RetryAfter: 1500 * time.Millisecond,
		}},
	}}
	r := h.Execute(t.Context(), operation.Request{Query: `{ hello }`})
	if r.Stage != operation.Unavailable {
		t.Errorf("stage %v", r.Stage)
	}
	want := `{"errors":[{"message":"Try again.","locations":[{"line":1,"column":3}],"path":["hello"],` +
		`"extensions":{"code":"SERVICE_UNAVAILABLE","retryAfter":2}}],"data":null}`
	if got := text(t, r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestUnavailableIsLogged: why we could not answer is for the log, and for nobody else.
func TestUnavailableIsLogged(t *testing.T) {
	down := &fault.Error{Code: fault.Unavailable, Message: "Try again.", Cause: errors.New("the disk is full")}
	busy := &fault.Error{Code: fault.Unavailable, Message: "There is a queue."}
	inside := request.NewContext(t.Context(), request.Info{ID: "req-1"})
	gone, leave := context.WithCancel(inside)
	leave()
	for name, test := range map[string]struct {
		ctx   context.Context
		query string
		fails *fault.Error
		want  []string // in the log's only line; none when there is to be no line
	}{
		"a resolver": {inside, `{ secret: hello }`, down, []string{
			"level=WARN", `error="the disk is full"`, "coordinate=Query.hello", "requestId=req-1",
		}},
		"without a cause": {inside, `{ secret: hello }`, busy, []string{`error="SERVICE_UNAVAILABLE: There is a queue."`}},
		"the caller": {auth.NewContext(inside, auth.Anonymous(down)), `{ secret: me { id } b: me { id } }`, nil, []string{
			`error="the disk is full"`, "coordinate=Query.me", "requestId=req-1",
		}},
		"nobody is there to be answered": {gone, `{ secret: hello }`, fault.Outage(context.Canceled), nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			if test.fails != nil {
				h.engine.result.Errors = []operation.ResolverError{{Path: []any{"secret"}, Err: test.fails}}
			}
			if r := h.Execute(test.ctx, operation.Request{Query: test.query}); r.Stage != operation.Unavailable ||
				strings.Contains(text(t, r), "disk") {
				t.Errorf("%v: %s", r.Stage, text(t, r))
			}
			log := h.log.String()
			if lines := strings.Count(log, "\n"); lines != min(len(test.want), 1) || strings.Contains(log, "secret") {
				t.Errorf("%d lines: %s", lines, log)
			}
			for _, want := range test.want {
				if !strings.Contains(log, want) {
					t.Errorf("the log lacks %s: %s", want, log)
				}
			}
		})
	}
}

func TestExecuteSurvivesPanics(t *testing.T) {
	var none map[string]int
	for name, test := range map[string]struct {
		panics any
		logged string
	}{
		"text":    {"secret-1", "panic=string"},
		"error":   {fmt.Errorf("%s", "secret-1"), "panic=*fmt.wrapError"},
		"runtime": {func() { none["secret-1"] = 1 }, "assignment to entry in nil map"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.engine.panics = test.panics
			if f, ok := test.panics.(func()); ok {
				h.engine.panics = provoke(f)
			}
			r := h.Execute(h.as(t), operation.Request{Query: `{ hello }`})
			want := `{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL_SERVER_ERROR","requestId":"req-1"}}]}`
			if got := text(t, r); r.Stage != operation.Failed || got != want {
				t.Errorf("%v: %s", r.Stage, got)
			}
			if !strings.Contains(h.log.String(), "operation_test.(*engine).Execute") || !strings.Contains(h.log.String(),
				"requestId=req-1") {
				t.Errorf("the log does not say where: %s", h.log)
			}
			if strings.Contains(h.log.String(), "secret-1") {
				t.Errorf("the log has the value: %s", h.log)
			}
			h.engine.panics = nil
			if r := h.Execute(h.as(t), operation.Request{Query: `{ hello }`}); r.Stage != operation.Executed {
				t.Errorf("after the panic: %s", text(t, r))
			}
		})
	}
}

// provoke returns what f panics with.
func provoke(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

func TestStageHasAName(t *testing.T) {
	for stage, want := range map[operation.Stage]string{
		operation.Refused: "refused", operation.Denied: "denied", operation.Unavailable: "unavailable",
		operation.Failed: "failed", operation.Executed: "executed", operation.Stage(9): "stage 9",
	} {
		if got := stage.String(); got != want {
			t.Errorf("%d: %q, want %q", stage, got, want)
		}
	}
}

// A panic behind the engine, here over a nil that is no error, leaves nothing of the result.
func TestExecuteSurvivesAResultThatMakesNoSense(t *testing.T) {
	h := newHouse(t)
	h.engine.result = operation.Result{
		Data: json.RawMessage(`{"hello":"there"}`),
		Errors: []operation.ResolverError{
			{Err: &fault.Error{Code: fault.BadUserInput, Message: "Ask for less."}},
			{Err: (*fault.Error)(nil)},
		},
	}
	r := h.Execute(t.Context(), operation.Request{Query: `{ hello }`})
	want := `{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`
	if got := text(t, r); r.Stage != operation.Failed || got != want {
		t.Errorf("%v: %s", r.Stage, got)
	}
}
