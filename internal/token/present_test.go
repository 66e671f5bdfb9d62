package token_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/keyring"
	"gatehouse/internal/token/tokentest"
)

// authenticate makes an authenticator of a function.
type authenticate func(ctx context.Context, accessToken string) (*auth.Caller, error)

// Authenticate calls the function.
func (f authenticate) Authenticate(ctx context.Context, accessToken string) (*auth.Caller, error) {
	return f(ctx, accessToken)
}

// attackByID returns the first attack with an ID.
func attackByID(t *testing.T, attacks []tokentest.Attack, catalogueID string) tokentest.Attack {
	t.Helper()
	for _, a := range attacks {
		if a.ID == catalogueID {
			return a
		}
	}
	t.Fatalf("there is no attack %s", catalogueID)
	return tokentest.Attack{}
}

// Presenting an attack to a server that answers wrongly must fail: otherwise it proves nothing of one that does not.
func TestPresentNoticesABadServer(t *testing.T) {
	t.Parallel()
	s := newSetup(t, keyring.ES256)
	attacks := forge(t, s)
	honest, forged := attackByID(t, attacks, "typ-full"), attackByID(t, attacks, "alg-none")

	anybody := authenticate(func(context.Context, string) (*auth.Caller, error) { return &auth.Caller{AccountID: id.ID{1}}, nil })
	nobody := authenticate(func(context.Context, string) (*auth.Caller, error) { return nil, fault.Anonymous(fault.Revoked) })
	broken := authenticate(func(context.Context, string) (*auth.Caller, error) { return nil, fault.Outage(nil) })
	crashed := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	empty := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	missing := httptest.NewServer(http.NotFoundHandler())
	missing.Close()

	tests := map[string]struct {
		url    string
		attack tokentest.Attack
	}{
		"accepts a forged token":            {endpoint(t, anybody), forged},
		"takes the caller for another":      {endpoint(t, anybody), honest},
		"rejects an honest token":           {endpoint(t, nobody), honest},
		"rejects for another reason":        {endpoint(t, nobody), forged},
		"cannot tell, about a forged token": {endpoint(t, broken), forged},
		"cannot tell, about an honest one":  {endpoint(t, broken), honest},
		"crashes":                           {serve(t, crashed), forged},
		"says nothing":                      {serve(t, empty), forged},
		"says nothing to an honest token":   {serve(t, empty), honest},
		"is not there":                      {missing.URL, forged},
		"is not asked":                      {endpoint(t, nobody), attackByID(t, attacks, "weak-hs-secret")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := test.attack.Present(t.Context(), test.url); err == nil {
				t.Error("nothing was noticed")
			}
		})
	}
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
