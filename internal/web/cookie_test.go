package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/fault"
	"gatehouse/internal/session"
	"gatehouse/internal/web"
)

// held is the cookie of a browser that is signed in.
const held = "Cookie: __Host-gatehouse-refresh=" + canary

// asking is a GraphQL handler that does what a resolver does which needs the refresh token, and answers with what came of it: the
// token, "by hand" where the client keeps it, or the message of the refusal.
func asking(argument string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		carrier := session.CarrierFrom(r.Context())
		presented, err := carrier.Presented(argument)
		if err != nil {
			refusal := fault.From(err)
			_, _ = fmt.Fprintf(w, "%s: %s", refusal.Code, refusal.Message)
			return
		}
		_, _ = fmt.Fprintf(w, "%T %s", carrier, presented)
	})
}

const (
	carriedByHand   = "session.byHand "
	carriedByCookie = "*web.carrier "
)

// TestWhoMayUseTheCookie asks for the refresh token in every way in which browsers, and others, send a request.
func TestWhoMayUseTheCookie(t *testing.T) {
	t.Parallel()
	const (
		jsonType   = "Content-Type: application/json"
		foreign    = `"code":"FORBIDDEN"`
		notPost    = "BAD_USER_INPUT: A session in a cookie begins"
		simple     = "BAD_USER_INPUT: Send \"Content-Type: application/json\""
		elsewhere  = "BAD_USER_INPUT: This page is of another site"
		yes        = carriedByCookie + canary
		sameOrigin = "Sec-Fetch-Site: same-origin"
	)
	for _, c := range []struct {
		name    string
		method  string
		headers []string
		want    string
	}{
		{"a page of an allowed origin", "POST", []string{jsonType, "Origin: " + app, "Sec-Fetch-Site: same-site"}, yes},
		{"a page of the server's own", "POST", []string{jsonType, "Origin: https://auth.example.com", sameOrigin}, yes},
		{"behind a proxy with names of its own", "POST", []string{jsonType, "Origin: https://www.example.net", sameOrigin}, yes},
		{"an old browser", "POST", []string{jsonType, "Origin: " + app}, yes},
		{"no browser", "POST", []string{jsonType}, yes},
		{"the address bar", "POST", []string{jsonType, "Sec-Fetch-Site: none"}, yes},
		{"JSON with a charset", "POST", []string{"Content-Type: Application/JSON; charset=utf-8"}, yes},
		{"Apollo's header", "POST", []string{"Content-Type: text/plain", "Apollo-Require-Preflight: true"}, yes},
		{"Apollo's other header", "POST", []string{"X-Apollo-Operation-Name: Refresh"}, yes},
		{"our header", "POST", []string{"Gatehouse-Session: cookie"}, yes},

		{"an allowed origin of another site", "POST", []string{jsonType, "Origin: " + app, "Sec-Fetch-Site: cross-site"}, elsewhere},

		{"another origin", "POST", []string{jsonType, "Origin: " + evil, "Sec-Fetch-Site: cross-site"}, foreign},
		{"a neighbour", "POST", []string{jsonType, "Origin: https://blog.example.com", "Sec-Fetch-Site: same-site"}, foreign},
		{"a sandbox", "POST", []string{jsonType, "Origin: null", "Sec-Fetch-Site: cross-site"}, foreign},
		{"an empty origin", "POST", []string{jsonType, "Origin: "}, foreign},
		{"two origins", "POST", []string{jsonType, "Origin: " + app, "Origin: " + app}, foreign},
		{"an old browser, another origin", "POST", []string{jsonType, "Origin: " + evil}, foreign},
		{"its own, over http", "POST", []string{jsonType, "Origin: http://auth.example.com"}, foreign},
		{"no origin, another site", "POST", []string{jsonType, "Sec-Fetch-Site: cross-site"}, foreign},
		{"no origin, a neighbour", "POST", []string{jsonType, "Sec-Fetch-Site: same-site"}, foreign},
		{"a word nobody knows", "POST", []string{jsonType, "Sec-Fetch-Site: perhaps"}, foreign},
		{"another origin, all the other proofs", "POST", []string{jsonType, "Origin: " + evil, "Apollo-Require-Preflight: 1"}, foreign},

		{"a form", "POST", []string{"Content-Type: application/x-www-form-urlencoded", "Origin: " + app}, simple},
		{"a form with files", "POST", []string{"Content-Type: multipart/form-data; boundary=application/json"}, simple},
		{"plain text", "POST", []string{"Content-Type: text/plain", "Origin: " + app}, simple},
		{"plain text that says JSON", "POST", []string{"Content-Type: text/plain; application/json"}, simple},
		{"plain text and JSON", "POST", []string{"Content-Type: text/plain", jsonType}, simple},
		{"no type", "POST", nil, simple},
		{"an empty header", "POST", []string{"Apollo-Require-Preflight: "}, simple},
		{"a link", "GET", []string{"Sec-Fetch-Site: none"}, notPost},
		{"GET, for all its proofs", "GET", []string{jsonType, "Origin: " + app, "Apollo-Require-Preflight: 1"}, notPost},
		{"a WebSocket", "GET", []string{"Origin: " + app, "Connection: Upgrade", "Upgrade: websocket"}, notPost},
		{"PUT", "PUT", []string{jsonType}, notPost},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(func(cfg *web.Config) {
				inProduction(cfg)
				cfg.Cookies, cfg.GraphQL = true, asking("")
			})
			response := s.ask(t, c.method, "https://auth.example.com/graphql", append(c.headers, held)...)
			text := body(t, response)
			if !strings.HasPrefix(text, c.want) && (c.want != foreign || !strings.Contains(text, foreign)) {
				t.Errorf("%d %s, want %s", response.StatusCode, text, c.want)
			}
			if refused := c.want == foreign; refused != (response.StatusCode == http.StatusForbidden) {
				t.Errorf("the status is %d", response.StatusCode)
			}
			if set := response.Header.Get("Set-Cookie"); set != "" {
				t.Errorf("Set-Cookie: %s", set)
			}
			if strings.Contains(s.log.String(), canary) {
				t.Errorf("the log has the cookie: %s", s.log.String())
			}
		})
	}
}

// TestCookieOrBearer: which of the two a request goes by.
func TestCookieOrBearer(t *testing.T) {
	t.Parallel()
	const (
		two     = "BAD_USER_INPUT: There are two refresh tokens"
		unknown = `"The header Gatehouse-Session is`
		off     = `"This server keeps no sessions in cookies`
	)
	for _, c := range []struct {
		name     string
		cookies  bool // whether the server has them
		headers  []string
		argument string
		want     string
	}{
		{"off", false, []string{held}, "", carriedByHand},
		{"off, and an argument", false, []string{held}, "ghrt_1", carriedByHand + "ghrt_1"},
		{"off, and asked for", false, []string{held, "Gatehouse-Session: cookie"}, "", off},
		{"off, and not asked for", false, []string{"Gatehouse-Session: bearer"}, "ghrt_1", carriedByHand + "ghrt_1"},
		{"on", true, []string{held}, "", carriedByCookie + canary},
		{"on, and asked for", true, []string{held, "Gatehouse-Session: cookie"}, "", carriedByCookie + canary},
		{"on, and no cookie", true, nil, "", carriedByCookie},
		{"on, and an empty cookie", true, []string{"Cookie: __Host-gatehouse-refresh="}, "", carriedByCookie},
		{"on, and other cookies", true, []string{"Cookie: gatehouse-refresh=a; __host-gatehouse-refresh=b"}, "", carriedByCookie},
		{"on, and an argument", true, nil, "ghrt_1", carriedByCookie + "ghrt_1"},
		{"on, and both", true, []string{held}, "ghrt_1", two},
		{"on, and the same twice", true, []string{held}, canary, two},
		{"on, and by hand", true, []string{"Gatehouse-Session: bearer"}, "ghrt_1", carriedByHand + "ghrt_1"},
		{"on, and by hand beside a cookie", true, []string{held, "Gatehouse-Session: bearer"}, "ghrt_1", carriedByHand + "ghrt_1"},
		{"on, by hand, with nothing in it", true, []string{held, "Gatehouse-Session: bearer"}, "", carriedByHand},
		{"by hand, from anywhere", true, []string{"Origin: " + evil, "Gatehouse-Session: bearer"}, "ghrt_1", carriedByHand + "ghrt_1"},
		{"two cookies", true, []string{held, held}, "", "BAD_USER_INPUT: There are two cookies"},
		{"another word", true, []string{held, "Gatehouse-Session: " + canary}, "", unknown},
		{"in capitals", true, []string{held, "Gatehouse-Session: Bearer"}, "", unknown},
		{"an empty word", false, []string{"Gatehouse-Session: "}, "", unknown},
		{"both words", true, []string{held, "Gatehouse-Session: bearer", "Gatehouse-Session: cookie"}, "", unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(func(cfg *web.Config) { cfg.Cookies, cfg.GraphQL = c.cookies, asking(c.argument) })
			response := s.ask(t, "POST", "/graphql", append(c.headers, "Content-Type: application/json")...)
			text := body(t, response)
			refused := c.want == unknown || c.want == off
			if refused != (response.StatusCode == http.StatusBadRequest) || refused && !strings.Contains(text, `"requestId":"`) {
				t.Errorf("%d %s", response.StatusCode, text)
			}
			if exact := c.want == text || strings.HasPrefix(text, c.want) && strings.HasPrefix(c.want, "BAD"); !exact &&
				(!refused || !strings.Contains(text, c.want)) {
				t.Errorf("%s, want %s", text, c.want)
			}
			if refused && strings.Contains(text, canary) || strings.Contains(s.log.String(), canary) {
				t.Errorf("%s\n%s", text, s.log.String())
			}
		})
	}
}

// TestCookie: what is set, and what a request that goes on sees of it.
func TestCookie(t *testing.T) {
	t.Parallel()
	const attributes = "; HttpOnly; Secure; SameSite=Strict"
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) // as newSite has it
	for _, c := range []struct {
		name string
		do   func(t *testing.T, c session.Carrier)
		want string
	}{
		{"nothing", func(*testing.T, session.Carrier) {}, ""},
		{"only looked at", func(t *testing.T, c session.Carrier) { presented(t, c, canary) }, ""},
		{"kept", func(t *testing.T, c session.Carrier) {
			rest := c.Keep(session.Tokens{RefreshExpiresAt: now.Add(90 * time.Minute)})
			if rest.Refresh.Reveal() != "" || !rest.RefreshExpiresAt.Equal(now.Add(90*time.Minute)) {
				t.Errorf("left for the client: %+v", rest)
			}
		}, "__Host-gatehouse-refresh=; Path=/; Max-Age=5400" + attributes},
		{"dropped", func(t *testing.T, c session.Carrier) {
			c.Drop()
			presented(t, c, "")
		}, "__Host-gatehouse-refresh=; Path=/; Max-Age=0" + attributes},
		{"kept for no time", func(_ *testing.T, c session.Carrier) {
			c.Keep(session.Tokens{RefreshExpiresAt: now})
		}, "__Host-gatehouse-refresh=; Path=/; Max-Age=0" + attributes},
		{"kept, then dropped", func(_ *testing.T, c session.Carrier) {
			c.Keep(session.Tokens{RefreshExpiresAt: now.Add(time.Hour)})
			c.Drop()
		}, "__Host-gatehouse-refresh=; Path=/; Max-Age=0" + attributes},
		{"dropped, then kept", func(_ *testing.T, c session.Carrier) {
			c.Drop()
			c.Keep(session.Tokens{RefreshExpiresAt: now.Add(time.Hour)})
		}, "__Host-gatehouse-refresh=; Path=/; Max-Age=3600" + attributes},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(func(cfg *web.Config) {
				cfg.Cookies = true
				cfg.GraphQL = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					c.do(t, session.CarrierFrom(r.Context()))
					_, _ = io.WriteString(w, "answer")
				})
			})
			response := s.ask(t, "POST", "/graphql", held, "Content-Type: application/json")
			if set := response.Header.Values("Set-Cookie"); strings.Join(set, "|") != c.want {
				t.Errorf("Set-Cookie: %q, want %q", set, c.want)
			}
		})
	}
}

func presented(t *testing.T, c session.Carrier, want string) {
	t.Helper()
	if got, err := c.Presented(""); got != want || err != nil {
		t.Errorf("presented: %q, %v; want %q", got, err, want)
	}
}

// TestNoCookieOnceTheAnswerHasBegun: then a refresh token would be lost, so that none may be asked for.
func TestNoCookieOnceTheAnswerHasBegun(t *testing.T) {
	t.Parallel()
	s := newSite(func(cfg *web.Config) {
		cfg.Cookies = true
		cfg.GraphQL = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			carrier := session.CarrierFrom(r.Context())
			if err := carrier.Ready(); err != nil {
				t.Errorf("before: %v", err)
			}
			w.WriteHeader(http.StatusOK)
			if _, err := carrier.Presented(""); fault.From(err).Code != fault.BadUserInput {
				t.Errorf("after: %v", err)
			}
		})
	})
	s.ask(t, "POST", "/graphql", held, "Content-Type: application/json")
}

// TestRefusalsAreGraphQL: clients of /graphql look for errors with codes.
func TestRefusalsAreGraphQL(t *testing.T) {
	t.Parallel()
	s := newSite(func(cfg *web.Config) {
		inProduction(cfg)
		cfg.Cookies = true
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", bytes.NewReader([]byte(`{"query":"`+canary+`"}`)))
	r.Header.Set("Origin", evil)
	r.Header.Set("Accept", "application/graphql-response+json, application/json;q=0.9")
	r.Header.Set("X-Request-Id", "the-id")
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, r)
	var answer struct {
		Errors []struct {
			Message    string
			Extensions map[string]string
		}
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	const strict = "application/graphql-response+json; charset=utf-8"
	if got := recorder.Header(); got.Get("Content-Type") != strict || got.Get("WWW-Authenticate") != "" || len(answer.Errors) != 1 ||
		answer.Errors[0].Extensions["requestId"] != "the-id" || answer.Errors[0].Extensions["code"] != "FORBIDDEN" ||
		!strings.Contains(answer.Errors[0].Message, "CORS_ORIGINS") || strings.Contains(recorder.Body.String(), "evil") {
		t.Errorf("%d %s", recorder.Code, recorder.Body.String())
	}
}
