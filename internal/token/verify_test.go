package token_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/keyring"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/token"
)

func TestVerifyReturnsWhomATokenWasMintedFor(t *testing.T) {
	t.Parallel()
	for _, algorithm := range algorithms() {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			s, g := newSetup(t, algorithm), grant()
			caller, err := s.Verify(t.Context(), s.mint(t, g))
			if err != nil {
				t.Fatal(err)
			}
			want := &auth.Caller{
				AccountID: g.AccountID,
				SessionID: g.SessionID,
				Roles:     g.Roles,
				Scopes:    s.vocabulary.Set("users:read"),
				AuthTime:  g.AuthTime.Truncate(time.Second),
				AMR:       g.AMR,
				ExpiresAt: start().Truncate(time.Second).Add(ttl),
				KeyID:     s.ring.Signing().ID,
			}
			if diff := cmp.Diff(want, caller); diff != "" {
				t.Errorf("the caller differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScopesThatNobodyKnowsGrantNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		scopes []string
		want   []string
	}{
		"none":            {nil, nil},
		"all":             {[]string{"users:write", "users:read"}, []string{"users:read", "users:write"}},
		"unknown":         {[]string{"everything", "*"}, nil},
		"beside a known":  {[]string{"everything", "users:write"}, []string{"users:write"}},
		"in another case": {[]string{"USERS:READ"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, g := newSetup(t, keyring.HS256), grant()
			g.Scopes = test.scopes
			caller, err := s.Verify(t.Context(), s.mint(t, g))
			if err != nil {
				t.Fatal(err)
			}
			if want := s.vocabulary.Set(test.want...); caller.Scopes != want {
				t.Errorf("the scopes are %v, want %v", caller.Scopes, want)
			}
		})
	}
}

func TestATokenIsVerifiedOnceAndSharedByAll(t *testing.T) {
	t.Parallel()
	s := newSetup(t, keyring.ES256)
	raw := s.mint(t, grant())
	first, err := s.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if caller, err := s.Verify(t.Context(), raw); err != nil || caller != first {
				t.Errorf("the caller is %p, %v; want the same as before, %p", caller, err, first)
			}
		})
	}
	group.Wait()
	if caller, err := s.Verify(t.Context(), s.mint(t, grant())); err != nil || caller == first {
		t.Errorf("the caller of another token is %p, %v; of the first, %p", caller, err, first)
	}
}

// A token ends at exp, to the nanosecond, whether it was verified before or not.
func TestExpiryHasNoLeeway(t *testing.T) {
	t.Parallel()
	s, g := newSetup(t, keyring.ES256), grant()
	access, err := s.Mint(g)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(t.Context(), access.Token); err != nil {
		t.Fatal(err)
	}
	s.clock.advance(access.ExpiresAt.Sub(s.clock.now()) - 1)
	for name, service := range map[string]*token.Service{"seen": s.Service, "not seen": s.another()} {
		if _, err := service.Verify(t.Context(), access.Token); err != nil {
			t.Errorf("%s before: a nanosecond before its end the token is refused: %v", name, err)
		}
	}
	s.clock.advance(1)
	for name, service := range map[string]*token.Service{"seen": s.Service, "not seen": s.another()} {
		caller, err := service.Verify(t.Context(), access.Token)
		if got := refusal(t, caller, err); got.Code != fault.Unauthenticated || got.Reason != fault.Expired {
			t.Errorf("%s before: at its end the token is refused with %v %s, want EXPIRED", name, got, got.Reason)
		}
		if caller.Lapsed != g.SessionID {
			t.Errorf("%s before: it is said to be of the session %s, want %s", name, caller.Lapsed, g.SessionID)
		}
	}
}

// claims is an honest token's, to be changed by a test.
func (s *setup) claims(changes map[string]any) map[string]any {
	g, now := grant(), s.clock.now()
	claims := map[string]any{
		"iss": s.cfg.Issuer, "aud": s.cfg.Audience, "client_id": "gatehouse",
		"sub": g.AccountID, "sid": g.SessionID, "jti": g.SessionID,
		"iat": now.Unix(), "exp": now.Unix() + 600, "auth_time": now.Unix(),
		"scope": "", "roles": []string{}, "amr": []string{},
	}
	maps.Copy(claims, changes)
	return claims
}

// sign returns the claims as a token under the service's key.
func (s *setup) sign(tb testing.TB, claims map[string]any) string {
	tb.Helper()
	key := s.ring.Signing()
	segments := make([]string, 0, 3)
	for _, object := range []map[string]any{{"alg": key.Algorithm, "kid": key.ID, "typ": "at+jwt"}, claims} {
		text, err := json.Marshal(object)
		if err != nil {
			tb.Fatal(err)
		}
		segments = append(segments, base64.RawURLEncoding.EncodeToString(text))
	}
	signature, err := key.Sign(strings.Join(segments, "."))
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Join(append(segments, base64.RawURLEncoding.EncodeToString(signature)), ".")
}

// Clocks differ: iat and nbf may be a little ahead. What a newer replica might add is no reason to refuse a token.
func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	now := start().Unix()
	tests := map[string]map[string]any{
		"an honest token":          {},
		"iat as far as may be":     {"iat": now + 30},
		"nbf as far as may be":     {"nbf": now + 30},
		"nbf that is past":         {"nbf": now - 600},
		"exp in the next second":   {"exp": now + 1},
		"exp in the year 9999":     {"exp": int64(253402300799)},
		"an unknown claim":         {"acr": "mfa"},
		"an unknown nested claim":  {"cnf": map[string]any{"jwk": map[string]any{"kty": []string{"EC"}}}},
		"text beyond ASCII":        {"roles": []string{"Prüfer", "審査員"}},
		"a login a long time ago":  {"auth_time": 1},
		"an audience, and no more": {"azp": "another"},
	}
	for name, changes := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, keyring.HS256)
			if _, err := s.Verify(t.Context(), s.sign(t, s.claims(changes))); err != nil {
				t.Errorf("refused: %v, because of %v", err, errors.Unwrap(err))
			}
		})
	}
}

// Only whoever could use the token otherwise is told that it has expired.
func TestExpiredIsSaidOfGenuineTokensAlone(t *testing.T) {
	t.Parallel()
	now := start().Unix()
	tests := map[string]struct {
		changes map[string]any
		reason  fault.Reason
	}{
		"nothing else":     {map[string]any{"exp": now}, fault.Expired},
		"another issuer":   {map[string]any{"exp": now, "iss": "https://attacker.example"}, fault.Invalid},
		"another audience": {map[string]any{"exp": now, "aud": "another"}, fault.Invalid},
		"no subject":       {map[string]any{"exp": now, "sub": ""}, fault.Invalid},
		"no session":       {map[string]any{"exp": now, "sid": ""}, fault.Invalid},
		"issued later":     {map[string]any{"exp": now, "iat": now + 31}, fault.Invalid},
		"too deep":         {map[string]any{"exp": now, "x": [][][][]int{{{{}}}}}, fault.Invalid},
		"exp out of range": {map[string]any{"exp": -now}, fault.Invalid},
		"exp not a number": {map[string]any{"exp": "0"}, fault.Invalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, keyring.HS256)
			caller, err := s.Verify(t.Context(), s.sign(t, s.claims(test.changes)))
			if got := refusal(t, caller, err).Reason; got != test.reason {
				t.Errorf("refused for the reason %s, want %s", got, test.reason)
			}
		})
	}
	t.Run("another signature", func(t *testing.T) {
		t.Parallel()
		s := newSetup(t, keyring.HS256)
		raw := s.sign(t, s.claims(map[string]any{"exp": now}))
		other := s.sign(t, s.claims(map[string]any{"exp": now, "x": 1}))
		forged := raw[:strings.LastIndexByte(raw, '.')] + other[strings.LastIndexByte(other, '.'):]
		caller, err := s.Verify(t.Context(), forged)
		if got := refusal(t, caller, err).Reason; got != fault.Invalid {
			t.Errorf("refused for the reason %s, want INVALID", got)
		}
	})
}

// The header's grammar keeps most of these out; the verifier does not rely on it.
func TestATokenHasOneSpelling(t *testing.T) {
	t.Parallel()
	s := newSetup(t, keyring.ES256)
	honest := s.mint(t, grant())
	if _, err := s.Verify(t.Context(), honest); err != nil {
		t.Fatal(err)
	}
	at := len(honest) - 10
	dot := strings.LastIndexByte(honest, '.')
	tests := map[string]string{
		"line feed at the end":      honest + "\n",
		"line break at the end":     honest + "\r\n",
		"line feed inside":          honest[:at] + "\n" + honest[at:],
		"carriage return inside":    honest[:at] + "\r" + honest[at:],
		"line feed in front":        "\n" + honest,
		"space at the end":          honest + " ",
		"space inside":              honest[:at] + " " + honest[at:],
		"NUL at the end":            honest + "\x00",
		"padding":                   honest + "==",
		"dot at the end":            honest + ".",
		"dot in front":              "." + honest,
		"fourth segment":            honest + ".AAAA",
		"no signature":              honest[:dot],
		"empty signature":           honest[:dot+1],
		"empty payload":             honest[:strings.IndexByte(honest, '.')] + "." + honest[dot:],
		"dots alone":                "..",
		"dots, as many as may be":   strings.Repeat(".", 8_000),
		"longer than is looked at":  honest + strings.Repeat("A", auth.MaxCredential),
		"a byte beyond ASCII":       honest[:at] + "\xff" + honest[at+1:],
		"another alphabet":          honest[:at] + "+" + honest[at+1:],
		"a million dots":            strings.Repeat(".", 1_000_000),
		"signature one byte longer": honest + "AA",
	}
	for name, raw := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caller, err := s.Verify(t.Context(), raw)
			if got := refusal(t, caller, err); got.Reason != fault.Invalid {
				t.Errorf("refused with %v, reason %s; want INVALID", got, got.Reason)
			}
		})
	}
}

func TestVerifyNothing(t *testing.T) {
	t.Parallel()
	caller, err := newSetup(t, keyring.HS256).Verify(t.Context(), "")
	if got := refusal(t, caller, err).Reason; got != fault.Missing {
		t.Errorf("refused for the reason %s, want MISSING", got)
	}
}

// When the keys cannot be read nobody knows whether a token is good: that is not the token's fault. Good tokens that were
// verified before, or whose key is known, go on.
func TestAStorageFaultIsNotAnInvalidToken(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Config{URL: storetest.MigratedURL(t, storetest.SQLite)})
	if err != nil {
		t.Fatal(err)
	}
	master, err := secret.Parse("Qr7cXh0mWl4C1zqkP9vJ3e8sYbT5uNfA6dGiOaRw2Es=")
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := newSetup(t, keyring.HS256), newSetup(t, keyring.ES256)
	if ours.ring, err = keyring.Open(t.Context(), db, master, ours.clock.now, keyring.Config{}); err != nil {
		t.Fatal(err)
	}
	ours.Service = ours.another()
	good, foreign := ours.mint(t, grant()), theirs.mint(t, grant())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ours.clock.advance(time.Minute)

	caller, err := ours.Verify(t.Context(), foreign)
	got := refusal(t, caller, err)
	if got.Code != fault.Unavailable || got.Reason != "" || got.RetryAfter <= 0 {
		t.Errorf("refused with %v, reason %q, retry after %v; want SERVICE_UNAVAILABLE", got, got.Reason, got.RetryAfter)
	}
	if got.Cause == nil {
		t.Error("nobody will know what happened: the refusal has no cause")
	}
	if _, err := ours.Verify(t.Context(), good); err != nil {
		t.Errorf("a token under a known key is refused: %v", err)
	}
}

// The hot path: a token seen before costs a hash and a lookup.
func TestAHitAllocatesNothing(t *testing.T) {
	s := newSetup(t, keyring.ES256)
	raw := s.mint(t, grant())
	n := testing.AllocsPerRun(100, func() {
		if _, err := s.Verify(t.Context(), raw); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, algorithm := range algorithms() {
		s := newSetup(b, algorithm)
		raw := s.mint(b, grant())
		b.Run(string(algorithm)+"/hit", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(algorithm)+"/miss", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				fresh := s.another()
				b.StartTimer()
				if _, err := fresh.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
