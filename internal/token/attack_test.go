package token_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/keyring"
	"gatehouse/internal/secret"
	"gatehouse/internal/token/tokentest"
)

func forge(tb testing.TB, s *setup) []tokentest.Attack {
	tb.Helper()
	return tokentest.Attacks(tb, tokentest.Target{
		Ring: s.ring, Config: s.cfg, Now: s.clock.now, Live: grant(), Disabled: grant(), Revoked: grant(),
	})
}

// The forger knows the whole catalogue, nothing else, and wants what the catalogue wants.
func TestTheCatalogueIsForgedWhole(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/attack-catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	var catalogue []struct{ ID, Want string }
	if err := json.Unmarshal(text, &catalogue); err != nil {
		t.Fatal(err)
	}
	if len(catalogue) != 55 {
		t.Errorf("the catalogue has %d entries", len(catalogue))
	}
	attacks := forge(t, newSetup(t, keyring.ES256))
	ids := make([]string, 0, len(catalogue))
	for _, entry := range catalogue {
		ids = append(ids, entry.ID)
		if !slices.Contains(tokentest.IDs(attacks), entry.ID) {
			t.Errorf("%s is not forged", entry.ID)
		}
	}
	// How the catalogue says what it wants.
	words := map[tokentest.Outcome][]string{
		tokentest.Accept: {"accept"}, tokentest.Reject: {"reject", "401"}, tokentest.RefuseToStart: {"refuse to start"},
	}
	names := make(map[string]bool)
	for _, a := range attacks {
		at := slices.Index(ids, a.ID)
		if at < 0 {
			t.Errorf("%s is not in the catalogue", a.ID)
			continue
		}
		want := catalogue[at].Want
		if !slices.ContainsFunc(words[a.Want], func(word string) bool { return strings.HasPrefix(want, word) }) {
			t.Errorf("%s is forged to be met with %q, the catalogue says %q", a.ID, a.Want, want)
		}
		if name := a.ID + "/" + a.Name; names[name] {
			t.Errorf("two attacks are called %s", name)
		} else {
			names[name] = true
		}
	}
}

// Every attack, under every algorithm, in this process.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	for _, algorithm := range algorithms() {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, algorithm)
			for _, a := range forge(t, s) {
				t.Run(a.ID+"/"+a.Name, func(t *testing.T) {
					if a.By == tokentest.BySettings {
						if key, err := secret.ParseKey(a.JWTSecret); err == nil {
							t.Errorf("accepted as a secret of %d bytes", len(key))
						}
						return
					}
					caller, err := s.present(t, a.Header)
					// Of those that the session has the say on this much is to be shown: nothing else is wrong with them.
					if a.Want == tokentest.Accept || a.By == tokentest.BySession {
						if err != nil {
							t.Errorf("refused: %v, because of %v", err, errors.Unwrap(err))
						}
						return
					}
					got, want := refusal(t, caller, err), fault.Anonymous(a.Reason)
					// The same answer to all: what was wrong is for the log alone.
					if got.Code != want.Code || got.Reason != want.Reason || got.Message != want.Message {
						t.Errorf("refused with %v, reason %s; want %v, %s", got, got.Reason, want, want.Reason)
					}
					if because := cause(got); !slices.Contains(causes()[a.ID], because) {
						t.Errorf("refused because %q, which is not what is wrong with it", because)
					}
				})
			}
		})
	}
}

// present does what the middleware does.
func (s *setup) present(t *testing.T, h http.Header) (*auth.Caller, error) {
	t.Helper()
	raw, refused := auth.Bearer(h)
	if refused != nil {
		return nil, refused
	}
	return s.Verify(t.Context(), raw)
}

func cause(refusal *fault.Error) string {
	if refusal.Cause == nil {
		return "bearer" // auth.Bearer gives no cause: the header's form says it all
	}
	return strings.TrimPrefix(refusal.Cause.Error(), "token: ")
}

// causes is why each attack is to be refused. An attack that fails for another reason than its own proves nothing.
func causes() map[string][]string {
	const (
		bearer    = "bearer"
		form      = "not three segments of base64url"
		header    = "the header is not strict JSON with alg, kid and typ alone"
		typ       = "typ is not that of an access token"
		key       = "no key of ours has this kid"
		algorithm = "alg is not that of the key"
		signature = "the signature is not the key's"
		payload   = "the payload is not strict JSON with claims of the right types"
		issuer    = "issued by another"
		audience  = "meant for another audience"
		date      = "a date is missing or out of range"
		early     = "issued, or valid from, later than now"
		ids       = "sub, sid or jti is missing or not an id"
		client    = "client_id is missing"
		expired   = "past its exp"
	)
	return map[string][]string{
		"alg-none":         {form, algorithm}, // an empty signature is no segment; our own one does not make none ours
		"alg-None":         {form},
		"alg-missing":      {algorithm},
		"alg-empty":        {algorithm},
		"alg-array":        {header},
		"alg-lowercase":    {algorithm},
		"rs-hs-confusion":  {algorithm, signature}, // the latter where HS256 is what we use
		"other-asym-alg":   {algorithm, signature},
		"psychic":          {algorithm, signature},
		"es256-der":        {algorithm, signature},
		"embedded-jwk":     {header},
		"jku":              {header},
		"x5u":              {header},
		"x5c":              {header},
		"kid-sqli":         {key},
		"kid-path":         {key},
		"kid-url":          {key},
		"kid-nul":          {key},
		"kid-1MB":          {bearer},
		"kid-missing":      {key},
		"crit-unknown":     {header},
		"crit-empty":       {header},
		"b64-false":        {header},
		"zip-def":          {header},
		"typ-refresh":      {typ},
		"typ-id":           {typ},
		"typ-absent":       {typ},
		"newline-in-token": {bearer},
		"trailing-bits":    {form},
		"padding":          {form, bearer}, // a b64token may end in =, but not hold one
		"std-b64":          {form},
		"dup-claim":        {payload},
		"dup-alg":          {header},
		"utf16":            {payload},
		"deep-json":        {payload, bearer}, // 10,000 levels are too long already
		"exp-missing":      {date},
		"exp-past":         {expired},
		"nbf-future":       {early},
		"iat-future":       {early, date},
		"exp-string":       {payload},
		"exp-float":        {payload, date},
		"iss-wrong":        {issuer, payload},
		"aud-missing":      {audience},
		"aud-other":        {audience, payload},
		"aud-prefix":       {audience},
		"sub-missing":      {ids, payload, client},
		"dots-5M":          {bearer, form},
		"two-bearers":      {bearer},
		"bearer-in-query":  {bearer},
		"empty-bearer":     {bearer},
	}
}

// Refusing takes little memory, whatever was sent: also past the check of the header's length.
func TestRefusingIsCheap(t *testing.T) {
	s := newSetup(t, keyring.ES256)
	for _, a := range forge(t, s) {
		if a.Want != tokentest.Reject || a.By != tokentest.ByToken {
			continue
		}
		raw := strings.TrimPrefix(a.Header.Get("Authorization"), "Bearer ")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, headerErr := s.present(t, a.Header)
		_, err := s.Verify(t.Context(), raw)
		runtime.ReadMemStats(&after)
		if headerErr == nil || err == nil && a.ID != "two-bearers" {
			t.Errorf("%s/%s: accepted", a.ID, a.Name)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 64<<10 {
			t.Errorf("%s/%s: refusing it took %d bytes", a.ID, a.Name, spent)
		}
	}
}

// endpoint answers { me { id } } as the GraphQL endpoint does.
func endpoint(t *testing.T, a auth.Authenticator) string {
	t.Helper()
	me := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := auth.FromContext(r.Context())
		if caller.SignedIn() {
			fmt.Fprintf(w, `{"data":{"me":{"id":%q}}}`, caller.AccountID)
			return
		}
		fmt.Fprintf(w, `{"data":null,"errors":[{"extensions":{"code":%q,"reason":%q}}]}`, caller.Refusal.Code, caller.Refusal.Reason)
	})
	server := httptest.NewUnstartedServer(auth.Middleware(a, me))
	server.Config.MaxHeaderBytes = 64 << 10
	server.Config.ReadTimeout = time.Minute
	server.Start()
	t.Cleanup(server.Close)
	return server.URL + "/graphql"
}

// Every attack over a connection: what the header does on its way is part of it.
func TestCatalogueOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSetup(t, keyring.ES256)
	url := endpoint(t, authenticate(s.Verify))
	for _, a := range forge(t, s) {
		if a.By != tokentest.ByToken {
			continue
		}
		t.Run(a.ID+"/"+a.Name, func(t *testing.T) {
			t.Parallel()
			if err := a.Present(t.Context(), url); err != nil {
				t.Error(err)
			}
		})
	}
}
