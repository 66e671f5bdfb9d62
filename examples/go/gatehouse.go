package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	realm    = "reports"       // what a token opens here, by the name that clients see
	lifespan = 5 * time.Minute // for which fetched keys are used, and so the longest that a revoked key is still believed
	pause    = 5 * time.Second // from one fetch to the next, however many unknown keys are asked for
	timeout  = 5 * time.Second // to wait for Gatehouse
	maxBody  = 1 << 20         // bytes
)

// algorithms are those that Gatehouse signs with and publishes keys for.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.EdDSA}

// Refused says why a request is refused.
type Refused struct {
	Status int
	Detail string // for the developer of the client
	Header string // the name and the value of the header that goes with it
	Value  string
}

func (r *Refused) Error() string { return r.Detail }

// challenge refuses what another token would mend (RFC 6750 section 3). Where there was no token, there is no code to name.
func challenge(status int, detail, code string, more ...string) *Refused {
	value := fmt.Sprintf("Bearer realm=%q", realm)
	if code != "" {
		value += fmt.Sprintf(", error=%q, error_description=%q", code, detail)
	}
	return &Refused{status, detail, "WWW-Authenticate", strings.Join(append([]string{value}, more...), ", ")}
}

// User is who is calling, as the token says.
type User struct {
	ID      string
	Session string
	Scopes  []string
}

// Require refuses a user whose token lacks the scope.
func (u *User) Require(scope string) error {
	if !slices.Contains(u.Scopes, scope) {
		return challenge(http.StatusForbidden, "The access token lacks a scope.", "insufficient_scope", fmt.Sprintf("scope=%q", scope))
	}
	return nil
}

// Verifier accepts the tokens that one issuer made for one audience. It is safe for concurrent use.
type Verifier struct {
	Issuer, Audience string
	Keys             *Keys
}

// claims is what the token says; see docs/tokens.md.
type claims struct {
	jwt.Claims

	Session  string `json:"sid"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
}

// Verify returns who the token speaks for. The error is a *Refused.
func (v *Verifier) Verify(ctx context.Context, token string) (*User, error) {
	if token == "" {
		return nil, challenge(http.StatusUnauthorized, "An access token is required.", "")
	}
	c, err := v.claims(ctx, token)
	switch refused := (*Refused)(nil); {
	case errors.As(err, &refused):
		return nil, refused
	case errors.Is(err, jwt.ErrExpired):
		return nil, challenge(http.StatusUnauthorized, "The access token has expired.", "invalid_token")
	case err != nil:
		return nil, challenge(http.StatusUnauthorized, "The access token is not valid here.", "invalid_token")
	}
	return &User{ID: c.Subject, Session: c.Session, Scopes: strings.Fields(c.Scope)}, nil
}

func (v *Verifier) claims(ctx context.Context, token string) (*claims, error) {
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return nil, err
	}
	header := parsed.Headers[0]
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	if t := strings.ToLower(typ); t != "at+jwt" && t != "application/at+jwt" {
		return nil, errors.New("not an access token")
	}
	key, err := v.Keys.find(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	if key.Algorithm != header.Algorithm {
		return nil, errors.New("not the algorithm of the key")
	}
	c := new(claims)
	if err := parsed.Claims(key, c); err != nil {
		return nil, err
	}
	now := time.Now()
	// Validate allows for clocks that differ by a minute, which suits iat. A token never lives longer than it says.
	if err := c.Validate(jwt.Expected{Issuer: v.Issuer, AnyAudience: jwt.Audience{v.Audience}, Time: now}); err != nil {
		return nil, err
	}
	if c.Expiry == nil || c.IssuedAt == nil || c.Subject == "" || c.ID == "" || c.Session == "" || c.ClientID == "" {
		return nil, errors.New("a claim is missing")
	}
	if !now.Before(c.Expiry.Time()) {
		return nil, jwt.ErrExpired
	}
	return c, nil
}

// Keys are the issuer's public keys.
type Keys struct {
	URL string

	known atomic.Pointer[keySet] // nil before the first

	mu     sync.Mutex // held while fetching, so that those who come meanwhile share the outcome
	next   time.Time  // when the next fetch may be
	failed bool       // the last fetch
}

type keySet struct {
	jose.JSONWebKeySet
	expires time.Time
}

// find returns the key named kid. It fetches the keys where they are too old, and where the kid is unknown.
func (k *Keys) find(ctx context.Context, kid string) (*jose.JSONWebKey, error) {
	if key := k.known.Load().find(kid); key != nil {
		return key, nil
	}
	if !k.refresh(ctx) {
		return nil, &Refused{http.StatusServiceUnavailable, "The issuer's keys cannot be had at present.", "Retry-After", "5"}
	}
	if key := k.known.Load().find(kid); key != nil {
		return key, nil
	}
	return nil, errors.New("no such key")
}

func (s *keySet) find(kid string) *jose.JSONWebKey {
	if s == nil || time.Now().After(s.expires) {
		return nil
	}
	if found := s.Key(kid); len(found) == 1 {
		return &found[0]
	}
	return nil
}

// refresh fetches the keys, unless that was tried a moment ago. It reports whether they are there.
func (k *Keys) refresh(ctx context.Context) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.next) {
		return !k.failed
	}
	set, err := fetch(ctx, k.URL)
	if k.failed = err != nil; k.failed {
		slog.WarnContext(ctx, "no keys", "url", k.URL, "error", err)
	} else {
		k.known.Store(&keySet{set, time.Now().Add(lifespan)})
	}
	k.next = time.Now().Add(pause)
	return !k.failed
}

var client = &http.Client{Timeout: timeout}

func fetch(ctx context.Context, url string) (set jose.JSONWebKeySet, err error) {
	// The keys are for everybody: fetching them does not end with the request that happened to need them first.
	request, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, url, http.NoBody)
	if err != nil {
		return set, err
	}
	response, err := client.Do(request)
	if err != nil {
		return set, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return set, fmt.Errorf("the issuer answered %s", response.Status)
	}
	err = json.NewDecoder(http.MaxBytesReader(nil, response.Body, maxBody)).Decode(&set)
	return set, err
}
