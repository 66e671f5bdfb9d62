package fault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/fault"
)

func TestErrorKeepsItsCauseToItself(t *testing.T) {
	t.Parallel()
	err := &fault.Error{Code: fault.Unavailable, Message: "Try again.", Cause: fmt.Errorf("canary: %w", io.ErrUnexpectedEOF)}
	if got, want := err.Error(), "SERVICE_UNAVAILABLE: Try again."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is not found behind the error")
	}
	text, marshalErr := json.Marshal(err.Extensions())
	if marshalErr != nil || strings.Contains(string(text), "canary") {
		t.Errorf("%s, %v", text, marshalErr)
	}
	if (&fault.Error{}).Unwrap() != nil {
		t.Error("no cause is not nil")
	}
}

func TestExtensions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		err  fault.Error
		want string
	}{
		{"code alone", fault.Error{Code: fault.Internal, Message: "m", Cause: io.EOF}, `{"code":"INTERNAL_SERVER_ERROR"}`},
		{
			"reason and coordinate",
			fault.Error{Code: fault.Unauthenticated, Reason: fault.Expired, Coordinate: "Query.me"},
			`{"code":"UNAUTHENTICATED","coordinate":"Query.me","reason":"EXPIRED"}`,
		},
		{
			"scopes",
			fault.Error{Code: fault.Forbidden, RequiredScopes: [][]string{{"a", "b"}, {"c"}}},
			`{"code":"FORBIDDEN","requiredScopes":[["a","b"],["c"]]}`,
		},
		{
			"a step up",
			fault.Error{Code: fault.StepUpRequired, MaxAge: 5 * time.Minute, ACR: "mfa", Coordinate: "Mutation.erase"},
			`{"acr":"mfa","code":"STEP_UP_REQUIRED","coordinate":"Mutation.erase","maxAge":300}`,
		},
		{"half a step", fault.Error{Code: fault.StepUpRequired, ACR: "mfa"}, `{"acr":"mfa","code":"STEP_UP_REQUIRED"}`},
		{"a nanosecond", fault.Error{Code: fault.Unavailable, RetryAfter: 1}, `{"code":"SERVICE_UNAVAILABLE","retryAfter":1}`},
		{
			"a second",
			fault.Error{Code: fault.Unavailable, RetryAfter: time.Second},
			`{"code":"SERVICE_UNAVAILABLE","retryAfter":1}`,
		},
		{
			"a second and a bit",
			fault.Error{Code: fault.Unavailable, RetryAfter: time.Second + 1},
			`{"code":"SERVICE_UNAVAILABLE","retryAfter":2}`,
		},
		{"unknown wait", fault.Error{Code: fault.Unavailable}, `{"code":"SERVICE_UNAVAILABLE"}`},
		{"nonsense wait", fault.Error{Code: fault.Unavailable, RetryAfter: -time.Hour}, `{"code":"SERVICE_UNAVAILABLE"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(test.err.Extensions())
			if err != nil || string(got) != test.want {
				t.Errorf("%s, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	known := &fault.Error{Code: fault.Forbidden, Message: "No."}
	for name, err := range map[string]error{
		"itself":        known,
		"wrapped":       fmt.Errorf("a: %w", fmt.Errorf("b: %w", known)),
		"joined":        errors.Join(io.EOF, known),
		"behind a path": &fs.PathError{Op: "open", Path: "canary", Err: known},
	} {
		if got := fault.From(err); got != known {
			t.Errorf("%s: %v, want the error itself", name, got)
		}
	}
	for name, err := range map[string]error{
		"anything else": errors.New("canary"),
		"user errors":   fault.User(fault.EmailTaken, "email", "canary"),
	} {
		got := fault.From(err)
		if got.Code != fault.Internal || got.Message != fault.InternalMessage || strings.Contains(got.Error(), "canary") {
			t.Errorf("%s: %v, want it masked", name, got)
		}
		if got.Cause == nil || got.Cause.Error() != err.Error() {
			t.Errorf("%s: cause %v, want %v", name, got.Cause, err)
		}
	}
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, reason := range []fault.Reason{fault.Missing, fault.Expired, fault.Invalid, fault.Revoked} {
		err := fault.Anonymous(reason)
		if err.Code != fault.Unauthenticated || err.Reason != reason || err.Message == "" || seen[err.Message] {
			t.Errorf("%s: %+v", reason, err)
		}
		seen[err.Message] = true
	}
}

func TestUser(t *testing.T) {
	t.Parallel()
	want := fault.UserErrors{{Code: fault.EmailTaken, Message: "Taken.", Field: []string{"input", "email"}}}
	if diff := cmp.Diff(want, fault.User(fault.EmailTaken, "email", "Taken.")); diff != "" {
		t.Error(diff)
	}
	if got := fault.User(fault.InvalidCredentials, "", "Wrong."); got[0].Field != nil {
		t.Errorf("field %v, want none", got[0].Field)
	}
}

func TestUserErrorsNameOnlyTheirCodes(t *testing.T) {
	t.Parallel()
	errs := append(fault.User(fault.EmailTaken, "email", "canary"), fault.User(fault.PasswordTooShort, "password", "canary")...)
	if got, want := errs.Error(), "user errors: EMAIL_TAKEN, PASSWORD_TOO_SHORT"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	users := fault.User(fault.EmailTaken, "email", "Taken.")
	for _, test := range []struct {
		name  string
		err   error
		users fault.UserErrors
		other error
	}{
		{"nothing", nil, nil, nil},
		{"user errors", users, users, nil},
		{"wrapped user errors", fmt.Errorf("account: %w", users), users, nil},
		{"something else", io.EOF, nil, io.EOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			users, other := fault.Split(test.err)
			if diff := cmp.Diff(test.users, users); diff != "" {
				t.Error(diff)
			}
			if !errors.Is(other, test.other) || (other == nil) != (test.other == nil) {
				t.Errorf("%v, want %v", other, test.other)
			}
		})
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	err := fault.Outage(fmt.Errorf("canary: %w", io.ErrUnexpectedEOF))
	if err.Code != fault.Unavailable || err.RetryAfter <= 0 || strings.Contains(err.Error(), "canary") {
		t.Errorf("%+v, want SERVICE_UNAVAILABLE with RetryAfter and a masked cause", err)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is not found behind the error")
	}
}
