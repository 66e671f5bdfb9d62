package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
)

// authenticator answers by the token, and fails the test for one that it was not meant to see.
type authenticator map[string]func() (*auth.Caller, error)

func (a authenticator) Authenticate(_ context.Context, accessToken string) (*auth.Caller, error) {
	answer, ok := a[accessToken]
	if !ok {
		return nil, errors.New("asked about a token that was not presented")
	}
	return answer()
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	alice := &auth.Caller{AccountID: id.ID{1}}
	basic := http.Header{"Authorization": {"Basic alice"}}
	broken := errors.New("connection refused")
	expired, revoked := fault.Anonymous(fault.Expired), fault.Anonymous(fault.Revoked)
	busy := &fault.Error{Code: fault.Unavailable, Message: "busy", Cause: broken}
	a := authenticator{
		"alice":    func() (*auth.Caller, error) { return alice, nil },
		"expired":  func() (*auth.Caller, error) { return nil, fmt.Errorf("session: %w", expired) },
		"busy":     func() (*auth.Caller, error) { return nil, busy },
		"broken":   func() (*auth.Caller, error) { return nil, broken },
		"internal": func() (*auth.Caller, error) { return nil, fault.From(broken) },
		"nobody":   func() (*auth.Caller, error) { return nil, nil },
		"lapsed":   func() (*auth.Caller, error) { return &auth.Caller{Refusal: expired, Lapsed: id.ID{2}}, expired },
		// What no authenticator may return: nothing of it may get through.
		"careless": func() (*auth.Caller, error) { return &auth.Caller{AccountID: id.ID{1}, Lapsed: id.ID{2}}, revoked },
	}
	tests := map[string]struct {
		header http.Header
		caller *auth.Caller // when signed in
		code   fault.Code
		reason fault.Reason
		cause  error
		lapsed id.ID
	}{
		"signed in":              {bearer("alice"), alice, "", "", nil, id.ID{}},
		"no credential":          {http.Header{}, nil, fault.Unauthenticated, fault.Missing, nil, id.ID{}},
		"not a bearer token":     {basic, nil, fault.Unauthenticated, fault.Invalid, nil, id.ID{}},
		"bad token":              {bearer("expired"), nil, fault.Unauthenticated, fault.Expired, nil, id.ID{}},
		"fault, as it is":        {bearer("busy"), nil, fault.Unavailable, "", broken, id.ID{}},
		"any other error":        {bearer("broken"), nil, fault.Unavailable, "", broken, id.ID{}},
		"a code that says else":  {bearer("internal"), nil, fault.Unavailable, "", broken, id.ID{}},
		"neither caller nor why": {bearer("nobody"), nil, fault.Unavailable, "", auth.ErrNoVerdict, id.ID{}},
		"expired token":          {bearer("lapsed"), nil, fault.Unauthenticated, fault.Expired, nil, id.ID{2}},
		"a caller beside a no":   {bearer("careless"), nil, fault.Unauthenticated, fault.Revoked, nil, id.ID{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var caller *auth.Caller
			next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				caller = auth.FromContext(r.Context())
				w.WriteHeader(http.StatusTeapot)
			})
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", http.NoBody)
			r.Header = test.header
			w := httptest.NewRecorder()
			auth.Middleware(a, next).ServeHTTP(w, r)

			if w.Code != http.StatusTeapot {
				t.Fatalf("the middleware answered %d by itself", w.Code)
			}
			if test.caller != nil {
				if caller != test.caller || !caller.SignedIn() {
					t.Errorf("the caller is %+v", caller)
				}
				return
			}
			if caller.SignedIn() || caller.AccountID != (id.ID{}) || caller.Scopes != (auth.ScopeSet{}) {
				t.Fatalf("the caller is %+v, want nobody", caller)
			}
			if got := caller.Refusal; got.Code != test.code || got.Reason != test.reason {
				t.Errorf("refused with %s %s, want %s %s", got.Code, got.Reason, test.code, test.reason)
			}
			if !errors.Is(caller.Refusal.Cause, test.cause) {
				t.Errorf("the cause is %v, want %v", caller.Refusal.Cause, test.cause)
			}
			if caller.Lapsed != test.lapsed {
				t.Errorf("the lapsed session is %s, want %s", caller.Lapsed, test.lapsed)
			}
		})
	}
}

func BenchmarkMiddleware(b *testing.B) {
	alice := &auth.Caller{AccountID: id.ID{1}}
	a := authenticator{"alice": func() (*auth.Caller, error) { return alice, nil }}
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, h := range map[string]http.Header{"signed in": bearer("alice"), "anonymous": {}} {
		b.Run(name, func(b *testing.B) {
			handler := auth.Middleware(a, next)
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/graphql", http.NoBody)
			r.Header = h
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(w, r)
			}
		})
	}
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
