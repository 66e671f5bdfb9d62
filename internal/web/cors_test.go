package web_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/origin"
	"gatehouse/internal/web"
)

const (
	app  = "https://app.example.com"
	evil = "https://evil.example"
)

// inProduction lets in the pages of app, and those that the server itself has.
func inProduction(cfg *web.Config) {
	cfg.URL = "https://auth.example.com"
	cfg.Origins = origin.Policy{Own: origin.Of(cfg.URL), Listed: []origin.Origin{app}}
}

// corsHeaders returns the headers of an answer that concern pages of other origins.
func corsHeaders(h http.Header) map[string]string {
	found := map[string]string{}
	for name, values := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			found[name] = strings.Join(values, "|")
		}
	}
	return found
}

func vary(h http.Header) string { return strings.Join(h.Values("Vary"), ", ") }

func TestPreflight(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{
		"Access-Control-Allow-Origin":  app,
		"Access-Control-Allow-Methods": "GET, HEAD, POST",
		"Access-Control-Allow-Headers": "Authorization, Content-Type, X-Request-Id, Gatehouse-Session, Apollo-Require-Preflight, " +
			"X-Apollo-Operation-Name, Apollographql-Client-Name, Apollographql-Client-Version, " +
			"Traceparent, Tracestate, Baggage, Sentry-Trace",
		"Access-Control-Max-Age": "7200",
	}
	withCookies := map[string]string{"Access-Control-Allow-Credentials": "true"}
	for name, value := range allowed {
		withCookies[name] = value
	}
	for _, c := range []struct {
		name    string
		origin  string
		cookies bool
		target  string
		status  int
		want    map[string]string
	}{
		{"an allowed origin", app, false, "/graphql", 204, allowed},
		{"an allowed origin, with cookies", app, true, "/graphql", 204, withCookies},
		{"the schema", app, false, "/schema.graphqls", 204, allowed},
		{"another origin", evil, true, "/graphql", 403, nil},
		{"no origin that has a name", "null", true, "/graphql", 403, nil},
		{"a wildcard", "*", true, "/graphql", 403, nil},
		{"over http", "http://app.example.com", true, "/graphql", 403, nil},
		{"with a path", app + "/", true, "/graphql", 403, nil},
		{"something that nobody else may read", app, true, "/healthz", 405, nil},
		{"nothing at all", app, true, "/nothing", 404, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(func(cfg *web.Config) {
				inProduction(cfg)
				cfg.Cookies = c.cookies
				cfg.GraphQL = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the preflight came through") })
			})
			response := s.ask(t, "OPTIONS", "https://auth.example.com"+c.target, "Origin: "+c.origin,
				"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type")
			if response.StatusCode != c.status {
				t.Errorf("%d %s, want %d", response.StatusCode, body(t, response), c.status)
			}
			sameHeaders(t, corsHeaders(response.Header), c.want)
			const names = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
			if shared := c.status == 204 || c.status == 403; shared != strings.HasPrefix(vary(response.Header), names) {
				t.Errorf("Vary: %s", vary(response.Header))
			}
			if strings.Contains(s.log.String(), "example") {
				t.Errorf("the log has the origin: %s", s.log.String())
			}
		})
	}
}

func sameHeaders(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %q, want %q", name, got[name], value)
		}
	}
	for name, value := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %q, want none", name, value)
		}
	}
}

// TestNotAPreflight: OPTIONS without what makes it one is a request like any other.
func TestNotAPreflight(t *testing.T) {
	t.Parallel()
	for _, headers := range [][]string{nil, {"Origin: " + app}, {"Access-Control-Request-Method: POST"}} {
		response := newSite(inProduction).ask(t, "OPTIONS", "https://auth.example.com/graphql", headers...)
		if text := body(t, response); text != "answer" || vary(response.Header) != "Origin" {
			t.Errorf("%v: %d %s, Vary: %s", headers, response.StatusCode, text, vary(response.Header))
		}
	}
}

func TestWhichPagesMayRead(t *testing.T) {
	t.Parallel()
	readable := func(from string) map[string]string {
		return map[string]string{
			"Access-Control-Allow-Origin":   from,
			"Access-Control-Expose-Headers": "X-Request-Id, WWW-Authenticate, Retry-After",
		}
	}
	inDevelopment := func(cfg *web.Config) {
		cfg.Origins = origin.Policy{Own: origin.Of(cfg.URL), Loopback: true}
	}
	for _, c := range []struct {
		name      string
		configure func(*web.Config)
		url       string
		origins   []string
		want      map[string]string
	}{
		{"listed", inProduction, "https://auth.example.com/graphql", []string{app}, readable(app)},
		{"the schema", inProduction, "https://auth.example.com/schema.graphqls", []string{app}, readable(app)},
		{
			"its own", inProduction, "https://auth.example.com/graphql",
			[]string{"https://auth.example.com"},
			readable("https://auth.example.com"),
		},
		{"none", inProduction, "https://auth.example.com/graphql", nil, nil},
		{"another", inProduction, "https://auth.example.com/graphql", []string{evil}, nil},
		{"a neighbour", inProduction, "https://auth.example.com/graphql", []string{"https://blog.example.com"}, nil},
		{"null", inProduction, "https://auth.example.com/graphql", []string{"null"}, nil},
		{"empty", inProduction, "https://auth.example.com/graphql", []string{""}, nil},
		{"two", inProduction, "https://auth.example.com/graphql", []string{app, app}, nil},
		{"localhost in production", inProduction, "https://auth.example.com/graphql", []string{"http://localhost:5173"}, nil},
		{
			"localhost", inDevelopment, "http://localhost:8080/graphql",
			[]string{"http://localhost:5173"},
			readable("http://localhost:5173"),
		},
		{
			"127.0.0.1", inDevelopment, "http://localhost:8080/graphql",
			[]string{"http://127.0.0.1:3000"},
			readable("http://127.0.0.1:3000"),
		},
		{"another in development", inDevelopment, "http://localhost:8080/graphql", []string{app}, nil},
		{"the front page", inProduction, "https://auth.example.com/", []string{app}, nil},
		{"the health", inProduction, "https://auth.example.com/healthz", []string{app}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var headers []string
			for _, from := range c.origins {
				headers = append(headers, "Origin: "+from)
			}
			for _, cookies := range []bool{false, true} {
				s := newSite(func(cfg *web.Config) {
					c.configure(cfg)
					cfg.Cookies = cookies
				})
				response := s.ask(t, "GET", c.url, headers...)
				got := corsHeaders(response.Header)
				credentials := got["Access-Control-Allow-Credentials"]
				delete(got, "Access-Control-Allow-Credentials")
				sameHeaders(t, got, c.want)
				if want := map[bool]string{true: "true"}[cookies && c.want != nil]; credentials != want {
					t.Errorf("with cookies %t: Access-Control-Allow-Credentials: %q, want %q", cookies, credentials, want)
				}
				shared := strings.HasSuffix(c.url, "/graphql") || strings.HasSuffix(c.url, "/schema.graphqls")
				if got := strings.HasPrefix(vary(response.Header), "Origin"); got != shared {
					t.Errorf("Vary: %s", vary(response.Header))
				}
			}
		})
	}
}

// TestPagesMayReadWhatWentWrong: an answer that a page cannot read looks to it as if the server were down.
func TestPagesMayReadWhatWentWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		configure func(*web.Config)
		target    string
		method    string
		status    int
	}{
		"a panic": {func(cfg *web.Config) {
			cfg.GraphQL = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("at the disco") })
		}, "/graphql", "POST", 500},
		"a refused schema": {func(cfg *web.Config) {
			cfg.Schema = func(*auth.Caller) (string, error) { return "", fault.Outage(errors.New("down")) }
		}, "/schema.graphqls", "GET", 503},
		"a method": {func(*web.Config) {}, "/schema.graphqls", "POST", 405},
		"a word that is none": {func(cfg *web.Config) {
			cfg.GraphQL = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it came through") })
		}, "/graphql", "GET", 400},
	} {
		s := newSite(func(cfg *web.Config) {
			inProduction(cfg)
			c.configure(cfg)
		})
		headers := []string{"Origin: " + app}
		if c.status == 400 {
			headers = append(headers, "Gatehouse-Session: biscuit")
		}
		response := s.ask(t, c.method, c.target, headers...)
		if from := response.Header.Get("Access-Control-Allow-Origin"); response.StatusCode != c.status || from != app {
			t.Errorf("%s: %d, Access-Control-Allow-Origin: %s", name, response.StatusCode, from)
		}
	}
}

// TestVaryOfTheSchema: it depends on the page and on the caller.
func TestVaryOfTheSchema(t *testing.T) {
	t.Parallel()
	if got := vary(newSite(inProduction).ask(t, "GET", "/schema.graphqls").Header); got != "Origin, Authorization" {
		t.Errorf("Vary: %s", got)
	}
}
