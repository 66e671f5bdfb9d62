package token_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/id"
	"gatehouse/internal/keyring"
	"gatehouse/internal/token"
)

// decoded returns a segment of a token as JSON.
func decoded(t *testing.T, raw string, segment int) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[segment])
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestMintWritesTheProfileAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, algorithm := range algorithms() {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			s, g := newSetup(t, algorithm), grant()
			access, err := s.Mint(g)
			if err != nil {
				t.Fatal(err)
			}
			header := map[string]any{"alg": string(algorithm), "kid": s.ring.Signing().ID, "typ": "at+jwt"}
			if diff := cmp.Diff(header, decoded(t, access.Token, 0)); diff != "" {
				t.Errorf("the header differs (-want +got):\n%s", diff)
			}
			payload := decoded(t, access.Token, 1)
			tokenID, _ := payload["jti"].(string)
			if _, err := id.Parse(tokenID); err != nil {
				t.Errorf("jti is %v", payload["jti"])
			}
			want := map[string]any{
				"iss": "https://gatehouse.example", "aud": "gatehouse", "client_id": "gatehouse",
				"sub": g.AccountID.String(), "sid": g.SessionID.String(), "jti": tokenID,
				"iat": json.Number("1767323045"), "exp": json.Number("1767323645"), "auth_time": json.Number("1767322985"),
				"scope": "users:read", "roles": []any{"ADMIN", "USER"}, "amr": []any{"pwd"},
			}
			if diff := cmp.Diff(want, payload); diff != "" {
				t.Errorf("the claims differ (-want +got):\n%s", diff)
			}
			issued := start().Truncate(time.Second)
			if !access.IssuedAt.Equal(issued) || !access.ExpiresAt.Equal(issued.Add(ttl)) {
				t.Errorf("it says that it lasts from %v to %v", access.IssuedAt, access.ExpiresAt)
			}
		})
	}
}

func TestNotAfterShortensAToken(t *testing.T) {
	t.Parallel()
	issued := start().Truncate(time.Second)
	for _, test := range []struct {
		name     string
		notAfter time.Time
		want     time.Time
	}{
		{"none", time.Time{}, issued.Add(ttl)},
		{"later", issued.Add(time.Hour), issued.Add(ttl)},
		{"sooner", issued.Add(time.Minute), issued.Add(time.Minute)},
		{"between two seconds", issued.Add(time.Minute + 999*time.Millisecond), issued.Add(time.Minute)},
		{"in another zone", issued.Add(time.Minute).In(time.FixedZone("", 3600)), issued.Add(time.Minute)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, g := newSetup(t, keyring.EdDSA), grant()
			g.NotAfter = test.notAfter
			access, err := s.Mint(g)
			if err != nil {
				t.Fatal(err)
			}
			exp := json.Number(strconv.FormatInt(test.want.Unix(), 10))
			if got := decoded(t, access.Token, 1)["exp"]; got != exp || !access.ExpiresAt.Equal(test.want) {
				t.Errorf("exp %v, said to be %v; want %v", got, access.ExpiresAt, test.want)
			}
			s.clock.nanoseconds.Store(test.want.Add(-1).UnixNano())
			if _, err := s.Verify(t.Context(), access.Token); err != nil {
				t.Errorf("before: %v", err)
			}
			s.clock.nanoseconds.Store(test.want.UnixNano())
			if _, err := s.Verify(t.Context(), access.Token); err == nil {
				t.Error("accepted afterwards")
			}
		})
	}

	s, g := newSetup(t, keyring.EdDSA), grant()
	g.NotAfter = start().Add(-time.Hour)
	access, err := s.Mint(g)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(t.Context(), access.Token); err == nil {
		t.Error("a token is accepted that ended before it was minted")
	}
}

func TestMintWritesWhatIsEmpty(t *testing.T) {
	t.Parallel()
	s, g := newSetup(t, keyring.HS256), grant()
	g.Roles, g.Scopes, g.AMR = nil, nil, nil
	payload := decoded(t, s.mint(t, g), 1)
	for claim, want := range map[string]any{"scope": "", "roles": []any{}, "amr": []any{}} {
		if diff := cmp.Diff(want, payload[claim]); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", claim, diff)
		}
	}
}

func TestEveryTokenHasAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	s, g := newSetup(t, keyring.HS256), grant()
	seen := make(map[any]bool)
	for range 100 {
		jti := decoded(t, s.mint(t, g), 1)["jti"]
		if seen[jti] {
			t.Fatalf("two tokens are both %v", jti)
		}
		seen[jti] = true
	}
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*token.Grant){
		"no account":       func(g *token.Grant) { g.AccountID = id.ID{} },
		"no session":       func(g *token.Grant) { g.SessionID = id.ID{} },
		"no login":         func(g *token.Grant) { g.AuthTime = time.Time{} },
		"too many roles":   func(g *token.Grant) { g.Roles = slices.Repeat([]string{"ADMIN"}, 2_000) },
		"text not in UTF8": func(g *token.Grant) { g.Roles = []string{"\xff"} },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, g := newSetup(t, keyring.HS256), grant()
			spoil(&g)
			if access, err := s.Mint(g); err == nil || access.Token != "" {
				t.Errorf("minted a token of %d bytes, error %v", len(access.Token), err)
			}
		})
	}
}

// Others verify our tokens with ordinary libraries, strictly set.
func TestAnOrdinaryLibraryVerifiesOurTokens(t *testing.T) {
	t.Parallel()
	for _, algorithm := range algorithms() {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			s, g := newSetup(t, algorithm), grant()
			parser := jwt.NewParser(
				jwt.WithValidMethods([]string{string(algorithm)}), jwt.WithStrictDecoding(), jwt.WithTimeFunc(s.clock.now),
				jwt.WithIssuer(s.cfg.Issuer), jwt.WithAudience(s.cfg.Audience), jwt.WithSubject(g.AccountID.String()),
				jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
			)
			parsed, err := parser.Parse(s.mint(t, g), func(*jwt.Token) (any, error) {
				if algorithm == keyring.HS256 {
					return []byte("thirty-two bytes, random or not."), nil
				}
				return s.ring.Signing().Public, nil
			})
			if err != nil || !parsed.Valid {
				t.Errorf("it says %v", err)
			}
		})
	}
}

func TestAccessIsMasked(t *testing.T) {
	t.Parallel()
	access, err := newSetup(t, keyring.HS256).Mint(grant())
	if err != nil {
		t.Fatal(err)
	}
	// As part of something else, too.
	whole := struct{ Access token.Access }{access}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("minted", "access", access, "pointer", &access, "whole", whole)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("minted", "access", access, "pointer", &access, "whole", whole)
	marshalled, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	shown := string(marshalled)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown += " " + fmt.Sprintf(verb, access) + " " + fmt.Sprintf(verb, whole)
	}
	for segment := range strings.SplitSeq(access.Token, ".") {
		if strings.Contains(shown+logged.String(), segment) {
			t.Errorf("shows the token:\n%s\n%s", shown, logged.String())
		}
	}
	if !strings.Contains(shown, "[access token]") {
		t.Errorf("does not say that something is masked:\n%s", shown)
	}
}

func BenchmarkMint(b *testing.B) {
	for _, algorithm := range algorithms() {
		b.Run(string(algorithm), func(b *testing.B) {
			s, g := newSetup(b, algorithm), grant()
			b.ReportAllocs()
			for b.Loop() {
				s.mint(b, g)
			}
		})
	}
}
