package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/internal/store/storetest"
)

// TestCrossSite sends, with the cookie of somebody who is signed in, what a page of another site could make a browser send, and
// more than that: SameSite would keep the cookie from most of it. Nothing comes of it.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind, cookieMode)
			ada := s.visitor(t)
			const (
				evil    = "Origin: https://evil.example"
				refresh = `{"query":"mutation { refresh { tokens { accessToken } } }"}`
				logout  = `{"query":"mutation { logout { endedSessions } }"}`
				login   = `{"query":"mutation { login(input: {email: \"ada@example.com\", password: \"` + goodPassword +
					`\"}) { user { id } } }"}`
				inForm = "query=mutation+%7B+logout+%7B+endedSessions+%7D+%7D"
				asForm = "Content-Type: application/x-www-form-urlencoded"
				asText = "Content-Type: text/plain"
				asJSON = "Content-Type: application/json"
				image  = "/graphql?query=mutation%7Blogout%7BendedSessions%7D%7D"
			)
			cookie := "Cookie: " + refreshCookie + "=" + ada.cookie
			for _, c := range []struct {
				name, method, target, payload string
				headers                       []string
				status                        int
			}{
				{"a form", "POST", "/graphql", inForm, []string{evil, asForm}, 403},
				{"a form, its origin kept back", "POST", "/graphql", inForm, []string{asForm}, 415},
				{"a form of a neighbour", "POST", "/graphql", inForm, []string{"Sec-Fetch-Site: same-site"}, 403},
				{"a form with files", "POST", "/graphql", "--b\r\n\r\n", []string{"Content-Type: multipart/form-data; boundary=b"}, 415},
				{"plain text", "POST", "/graphql", logout, []string{evil, asText}, 403},
				{"plain text, its origin kept back", "POST", "/graphql", logout, []string{asText}, 415},
				{"plain text from an allowed page", "POST", "/graphql", logout, []string{"Origin: " + s.URL, asText}, 415},
				{
					"plain text that says it was preflighted", "POST", "/graphql", logout,
					[]string{asText, "Apollo-Require-Preflight: 1"},
					415,
				},
				{"no type", "POST", "/graphql", logout, nil, 415},
				{"JSON of another origin", "POST", "/graphql", refresh, []string{evil, asJSON}, 403},
				{"JSON of a sandbox", "POST", "/graphql", logout, []string{"Origin: null", asJSON}, 403},
				{"JSON of a neighbour", "POST", "/graphql", logout, []string{asJSON, "Sec-Fetch-Site: same-site"}, 403},
				{"a login to another's account", "POST", "/graphql", login, []string{evil, asJSON}, 403},
				{"a preflight", "OPTIONS", "/graphql", "", []string{evil, "Access-Control-Request-Method: POST"}, 403},
				{"an image", "GET", image, "", []string{"Sec-Fetch-Site: cross-site"}, 403},
				{"a socket", "GET", "/graphql", "", []string{
					evil, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
					"Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
				}, 403},
			} {
				got := s.send(t, c.method, c.target, c.payload, append(c.headers, cookie)...)
				if got.Status != c.status || len(got.Errors) != 1 || got.Data != nil {
					t.Errorf("%s: %d %s, want %d", c.name, got.Status, got.Body, c.status)
				}
				keepsItsCookie(t, c.name, got)
				if from := got.Header.Get("Access-Control-Allow-Origin"); from != "" && from != s.URL {
					t.Errorf("%s: pages of %s may read the answer", c.name, from)
				}
			}
			if got := s.generations(t); got != "[0]" {
				t.Errorf("something came of it: %s", got)
			}
			ada.sign(t, "refresh", map[string]any{})
		})
	}
}

// TestPagesOfOtherOrigins asks a whole server, in either mode, whether a page may read its answers.
func TestPagesOfOtherOrigins(t *testing.T) {
	t.Parallel()
	const app = "https://app.example.com"
	for _, c := range []struct {
		name    string
		flags   []string
		origins map[string]bool
	}{
		{"development", nil, map[string]bool{"http://localhost:5173": true, "http://127.0.0.1:3000": true, app: false, "null": false}},
		{"development, and one more", []string{"--cors-origins=" + app}, map[string]bool{"http://localhost:5173": true, app: true}},
		{"production", inProduction, map[string]bool{
			"http://localhost:5173": false, "http://127.0.0.1:3000": false, app: false, "null": false,
		}},
		{"production, and one more", append([]string{"--cors-origins=" + app}, inProduction...), map[string]bool{
			app: true, "http://localhost:5173": false, "https://app.example.com.evil.example": false, "https://evil.example": false,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, storetest.SQLite, c.flags...)
			c.origins[s.URL] = true
			for from, allowed := range c.origins {
				for _, headers := range [][]string{
					{"POST", "Content-Type: application/json"},
					{"POST", "Content-Type: text/plain"}, // refused, and even that is for allowed pages alone
					{"OPTIONS", "Access-Control-Request-Method: POST"},
				} {
					got := s.send(t, headers[0], "/graphql", `{"query":"{ __typename }"}`, headers[1], "Origin: "+from)
					want := map[bool]string{true: from}[allowed]
					if read := got.Header.Get("Access-Control-Allow-Origin"); read != want {
						t.Errorf("%s from %s: %d, may be read by %q, want %q", headers, from, got.Status, read, want)
					}
					if !strings.HasPrefix(strings.Join(got.Header.Values("Vary"), ", "), "Origin") {
						t.Errorf("%s: Vary: %q", headers, got.Header.Values("Vary"))
					}
					if got.Header.Get("Access-Control-Allow-Credentials") != "" {
						t.Errorf("%s: credentials without cookies", headers)
					}
				}
			}
			for _, public := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration"} {
				got := s.send(t, http.MethodGet, public, "", "Origin: https://evil.example")
				if got.Header.Get("Access-Control-Allow-Origin") != "*" || got.Header.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s: %v", public, got.Header)
				}
			}
		})
	}
}

// TestNoCookieOnALineThatStaysOpen: over a WebSocket, and in a stream of events, no cookie can be set. What would have to is
// refused before anything comes of it.
func TestNoCookieOnALineThatStaysOpen(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.SQLite, cookieMode)
	ada := &browser{server: s, origin: s.URL}
	ada.sign(t, "register", map[string]any{"email": "ada@example.com", "password": goodPassword})
	cookie := "Cookie: " + refreshCookie + "=" + ada.cookie
	for _, operation := range []string{
		`mutation { refresh { tokens { accessToken } } }`, `mutation { logout { endedSessions } }`,
		`mutation { login(input: {email: \"ada@example.com\", password: \"` + goodPassword + `\"}) { tokens { refreshToken } } }`,
	} {
		payload := `{"query":"` + operation + `"}`
		streamed := s.send(t, http.MethodPost, "/graphql", payload,
			"Content-Type: application/json", "Accept: text/event-stream", "Origin: "+s.URL, cookie)
		keepsItsCookie(t, operation, streamed)
		for name, text := range map[string]string{"a stream": streamed.Body, "a socket": s.overSocket(t, payload, cookie)} {
			if !strings.Contains(text, `"code":"BAD_USER_INPUT"`) || strings.Contains(text, "ghrt_") {
				t.Errorf("%s: %s: %s", name, operation, text)
			}
		}
	}
	if got := s.generations(t); got != "[0]" {
		t.Errorf("something came of it: %s", got)
	}
	ada.sign(t, "refresh", map[string]any{})
}

// overSocket sends an operation over a WebSocket, from a page of the server's own, and returns the message that answers it.
func (s *testServer) overSocket(t *testing.T, payload string, headers ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	options := &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Origin": {s.URL}}}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		options.HTTPHeader.Add(name, value)
	}
	socket, response, err := websocket.Dial(ctx, s.URL+"/graphql", options)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body != nil {
		defer response.Body.Close()
	}
	defer socket.CloseNow()
	for _, message := range []string{`{"type":"connection_init"}`, `{"id":"1","type":"subscribe","payload":` + payload + `}`} {
		if err := socket.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	for {
		_, message, err := socket.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(message); strings.Contains(text, `"id":"1"`) {
			return text
		}
	}
}
