package web_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/request"
	"gatehouse/internal/store"
	"gatehouse/internal/web"
)

// canary must never be seen in a log.
const canary = "hunter2-canary"

// accountID is whose every access token is, in these tests.
var accountID = id.ID{1, 2, 3}

// sdl is the schema that everybody sees, in these tests.
const sdl = "type Query { me: String }"

type anyToken struct{}

func (anyToken) Authenticate(context.Context, string) (*auth.Caller, error) {
	return &auth.Caller{AccountID: accountID}, nil
}

// site is a handler under test and what it logged.
type site struct {
	http.Handler
	log bytes.Buffer
}

func newSite(configure func(*web.Config)) *site {
	s := new(site)
	cfg := web.Config{
		Logger:        slog.New(request.LogHandler(slog.NewJSONHandler(&s.log, nil))),
		Now:           func() time.Time { return time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) },
		GraphQL:       http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answer") }),
		Authenticator: anyToken{},
		Ready:         func(context.Context) error { return nil },
		URL:           "http://localhost:8080",
		Schema:        func(*auth.Caller) (string, error) { return sdl, nil },
	}
	if configure != nil {
		configure(&cfg)
	}
	s.Handler = web.New(cfg)
	return s
}

// ask sends a request with the given headers, "Name: value" each.
func (s *site) ask(t *testing.T, method, target string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, r)
	response := recorder.Result()
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// entry returns the only line in the log.
func (s *site) entry(t *testing.T) map[string]any {
	t.Helper()
	var entry map[string]any
	if err := json.Unmarshal(s.log.Bytes(), &entry); err != nil {
		t.Fatalf("not one line of JSON: %v\n%s", err, s.log.String())
	}
	return entry
}

func TestSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		refusal          *fault.Error
		status           int
		challenge, retry string
	}{
		{fault.Anonymous(fault.Missing), 401, `Bearer realm="gatehouse"`, ""},
		{fault.Anonymous(fault.Expired), 401, `Bearer realm="gatehouse", error="invalid_token"`, ""},
		{fault.Outage(errors.New("the database is down")), 503, "", "1"},
		{&fault.Error{Code: fault.Unavailable, RetryAfter: 3 * time.Second}, 503, "", "3"},
	} {
		site := newSite(func(cfg *web.Config) {
			cfg.Schema = func(*auth.Caller) (string, error) { return "", c.refusal }
		})
		response := site.ask(t, "GET", "/schema.graphqls")
		text := body(t, response)
		if response.StatusCode != c.status || !strings.Contains(text, `"requestId":"`) || strings.Contains(text, "database is down") {
			t.Errorf("%s: %d %s", c.refusal.Code, response.StatusCode, text)
		}
		if challenge := response.Header.Get("WWW-Authenticate"); challenge != c.challenge {
			t.Errorf("%s: WWW-Authenticate: %q", c.refusal.Code, challenge)
		}
		if retry := response.Header.Get("Retry-After"); retry != c.retry {
			t.Errorf("%s: Retry-After: %q, want %q", c.refusal.Code, retry, c.retry)
		}
		cache, depends := response.Header.Get("Cache-Control"), vary(response.Header)
		if cache != "no-store" || depends != "Origin, Accept, Authorization" {
			t.Errorf("%s: Cache-Control %q, Vary %q", c.refusal.Code, cache, depends)
		}
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	site := newSite(nil)
	for _, c := range []struct {
		method, target string
		status         int
		mediaType      string
		body           string
	}{
		{"POST", "/graphql", 200, "text/plain; charset=utf-8", "answer"},
		{"PUT", "/graphql", 200, "text/plain; charset=utf-8", "answer"}, // its own to refuse
		{"GET", "/healthz", 200, "application/json", `{"status":"ok"}`},
		{"HEAD", "/healthz", 200, "application/json", ""},
		{"GET", "/readyz", 200, "application/json", `{"status":"ready"}`},
		{"GET", "/", 200, "text/plain; charset=utf-8", "POST http://localhost:8080/graphql"},
		{"GET", "/schema.graphqls", 200, "text/plain; charset=utf-8", sdl},
		{"GET", "/" + canary, 404, "application/json", `"requestId":"`},
		{"GET", "/graphql/", 404, "application/json", "Nothing answers here."},
		{"GET", "//graphql", 404, "application/json", "Nothing answers here."},
		{"POST", "/healthz", 405, "application/json", `"error":"This path answers GET and HEAD."`},
		{"DELETE", "/", 405, "application/json", `"requestId":"`},
	} {
		response := site.ask(t, c.method, c.target)
		text := body(t, response)
		if response.StatusCode != c.status || !strings.Contains(text, c.body) || strings.Contains(text, canary) {
			t.Errorf("%s %s: %d %s", c.method, c.target, response.StatusCode, text)
		}
		if got := response.Header.Get("Content-Type"); got != c.mediaType && c.body != "answer" {
			t.Errorf("%s %s: content type %q, want %q", c.method, c.target, got, c.mediaType)
		}
		if allow := response.Header.Get("Allow"); (c.status == 405) != (allow == "GET, HEAD") {
			t.Errorf("%s %s: Allow: %q", c.method, c.target, allow)
		}
		if response.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s %s: no request id", c.method, c.target)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{web.ErrDraining, "draining"},
		{fmt.Errorf("check: %w", store.ErrSchemaOlder), "schema"},
		{fmt.Errorf("check: %w", store.ErrSchemaNewer), "schema"},
		{store.ErrUnavailable, "database"},
		{errors.New("anything"), "database"},
	} {
		s := newSite(func(cfg *web.Config) { cfg.Ready = func(context.Context) error { return c.err } })
		response := s.ask(t, "GET", "/readyz")
		want := fmt.Sprintf("{\"status\":\"unavailable\",\"reason\":%q}\n", c.want)
		if got := body(t, response); response.StatusCode != http.StatusServiceUnavailable || got != want {
			t.Errorf("%v: %d %s", c.err, response.StatusCode, got)
		}
		if why := strings.ReplaceAll(c.err.Error(), `"`, `\"`); !strings.Contains(s.log.String(), why) {
			t.Errorf("%v: the log does not say why: %s", c.err, s.log.String())
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	for sent, kept := range map[string]bool{
		"a1.B-2_c":              true,
		strings.Repeat("x", 64): true,
		strings.Repeat("x", 65): false,
		"":                      false,
		"two words":             false,
		"a\"b":                  false,
		"ünlaut":                false,
	} {
		var inside request.Info
		s := newSite(func(cfg *web.Config) {
			cfg.GraphQL = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				inside = request.FromContext(r.Context())
			})
		})
		response := s.ask(t, "POST", "/graphql", "X-Request-Id: "+sent)
		got := response.Header.Get("X-Request-Id")
		if (got == sent) != kept || got == "" || got != inside.ID || got != s.entry(t)["requestId"] {
			t.Errorf("%q: answered %q, inside %q, logged %v", sent, got, inside.ID, s.entry(t)["requestId"])
		}
	}
	s := newSite(nil)
	response := s.ask(t, "GET", "/", "X-Request-Id: one", "X-Request-Id: two")
	if got := response.Header.Get("X-Request-Id"); got == "one" || got == "two" {
		t.Errorf("of two ids %q was believed", got)
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:99", nil, "192.0.2.1"},
		{"192.0.2.1:99", []string{"198.51.100.7"}, "192.0.2.1"}, // no proxy of ours: hearsay
		{"10.0.0.1:99", nil, "10.0.0.1"},
		{"10.0.0.1:99", []string{"198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:99", []string{"6.6.6.6, 198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:99", []string{"6.6.6.6, 198.51.100.7, 10.2.3.4"}, "198.51.100.7"},
		{"10.0.0.1:99", []string{"6.6.6.6", "198.51.100.7 , 10.2.3.4"}, "198.51.100.7"},
		{"10.0.0.1:99", []string{"10.9.9.9"}, "10.9.9.9"},
		{"10.0.0.1:99", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		{"10.0.0.1:99", []string{"198.51.100.7,,"}, "10.0.0.1"},
		{"10.0.0.1:99", []string{"198.51.100.7:1234"}, "198.51.100.7"},
		{"10.0.0.1:99", []string{"[2001:db8::1]:1234"}, "2001:db8::1"},
		{"10.0.0.1:99", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"[::ffff:10.0.0.1]:99", []string{"198.51.100.7"}, "198.51.100.7"},
		{"[fd00::1]:99", []string{"2001:db8::1"}, "2001:db8::1"},
		{"[fe80::1%eth0]:99", nil, "fe80::1"},
		{"@", nil, ""}, // a unix socket
	} {
		var got string
		s := newSite(func(cfg *web.Config) {
			cfg.TrustedProxies = trusted
			cfg.GraphQL = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = request.FromContext(r.Context()).Address
			})
		})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", http.NoBody)
		r.RemoteAddr = c.remote
		r.Header["X-Forwarded-For"] = c.forwarded
		s.ServeHTTP(httptest.NewRecorder(), r)
		if got != c.want {
			t.Errorf("%s forwarded for %q: got %q, want %q", c.remote, c.forwarded, got, c.want)
		}
	}
}

func TestUserAgentIsCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 511)
	for sent, want := range map[string]string{
		"curl/8":         "curl/8",
		long + "é":       long, // the second byte of é would be the 513th
		long + "ab":      long + "a",
		"bad \xff bytes": "bad  bytes",
		"日本語":            "日本語",

		"aa" + strings.Repeat("語", 171): "aa" + strings.Repeat("語", 170),
	} {
		var got string
		s := newSite(func(cfg *web.Config) {
			cfg.GraphQL = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = request.FromContext(r.Context()).UserAgent
			})
		})
		s.ask(t, "POST", "/graphql", "User-Agent: "+sent)
		if got != want {
			t.Errorf("%q: got %q, want %q", sent, got, want)
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"Cache-Control":                "no-store",
		"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Strict-Transport-Security":    "",
	}
	s := newSite(func(cfg *web.Config) {
		cfg.GraphQL = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("X-Frame-Options", "SAMEORIGIN") // one answer's addition must not show in the next
			panic("torn")
		})
	})
	s.ask(t, "POST", "/graphql")
	for _, target := range []string{"/healthz", "/readyz", "/", "/nowhere"} {
		response := s.ask(t, "GET", target)
		for name, value := range want {
			if got := strings.Join(response.Header.Values(name), "|"); got != value {
				t.Errorf("%s: %s is %q, want %q", target, name, got, value)
			}
		}
	}
	secure := newSite(func(cfg *web.Config) { cfg.URL = "https://auth.example.com" })
	if got := secure.ask(t, "GET", "/nowhere").Header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("over https: Strict-Transport-Security is %q", got)
	}
}

func TestFrontPage(t *testing.T) {
	t.Parallel()
	s := newSite(func(cfg *web.Config) { cfg.URL, cfg.Version = "https://auth.example.com/a&b", "v1.2.3" })
	page := s.ask(t, "GET", "/", "Accept: text/html,application/xhtml+xml")
	text := body(t, page)
	if got := page.Header.Get("Content-Type"); got != "text/html; charset=utf-8" || page.Header.Get("Vary") != "Accept" {
		t.Errorf("content type %q", got)
	}
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "style-src 'sha256-") ||
		!strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if strings.Contains(text, "<script") || strings.Contains(text, "style=") || strings.Contains(text, "{url}") ||
		!strings.Contains(text, "https://auth.example.com/a&amp;b/graphql") || !strings.Contains(text, "Gatehouse v1.2.3") {
		t.Error(text)
	}
	_, rest, _ := strings.Cut(text, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if hash := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(page.Header.Get("Content-Security-Policy"), hash) {
		t.Errorf("the policy does not let the style %s through: %s", hash, page.Header.Get("Content-Security-Policy"))
	}
	plain := body(t, s.ask(t, "GET", "/", "Accept: */*"))
	if !strings.Contains(plain, "curl -s https://auth.example.com/a&b/graphql -H") || strings.Contains(plain, "<") {
		t.Error(plain)
	}
}

func TestServerBounds(t *testing.T) {
	t.Parallel()
	s := web.Server(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout != 5*time.Second || s.ReadTimeout != 10*time.Second || s.WriteTimeout != 15*time.Second ||
		s.IdleTimeout != time.Minute || s.MaxHeaderBytes != 16<<10 {
		t.Errorf("got %+v", s)
	}
}

// TestLongestRequest: the longest URL that GraphQL is asked with comes through beside the longest access token, and what is
// longer than both is cut off.
func TestLongestRequest(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	server.Config = web.Server(newSite(nil), slog.New(slog.DiscardHandler))
	server.Start()
	t.Cleanup(server.Close)
	for length, status := range map[int]int{8 << 10: http.StatusOK, 16 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		target := server.URL + "/graphql?" + strings.Repeat("q", length)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+strings.Repeat("a", auth.MaxCredential-len("Bearer ")))
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _ = response.Body.Close(); response.StatusCode != status {
			t.Errorf("%d bytes of URL: %d, want %d", length, response.StatusCode, status)
		}
	}
}
