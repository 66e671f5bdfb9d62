package gqlhttp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/request"
)

// TestOutcomes plays every outcome of a well-formed request in every media type.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, 0)
	outage := auth.Anonymous(&fault.Error{Code: fault.Unavailable, Message: "No.", RetryAfter: 3 * time.Second})
	tests := map[string]struct {
		query  string
		caller *auth.Caller

		code            string // of the first error
		data            string
		strict, unnamed int // statuses; over named application/json it is always 200
		header, value   string
	}{
		"success": {
			query: `{ hello }`, caller: anonymous(fault.Missing),
			data: `{"hello":"world"}`, strict: 200, unnamed: 200,
		},
		"syntax error": {
			query: `{ hello`, caller: anonymous(fault.Missing),
			code: "GRAPHQL_PARSE_FAILED", strict: 400, unnamed: 400,
		},
		"validation error": {
			query: `{ nothing }`, caller: anonymous(fault.Missing),
			code: "GRAPHQL_VALIDATION_FAILED", strict: 400, unnamed: 400,
		},
		"no token": {
			query: `{ me }`, caller: anonymous(fault.Missing),
			code: "UNAUTHENTICATED", strict: 401, unnamed: 200,
			header: "WWW-Authenticate", value: `Bearer realm="gatehouse"`,
		},
		"an invalid token": {
			query: `{ me }`, caller: anonymous(fault.Invalid),
			code: "UNAUTHENTICATED", strict: 401, unnamed: 200,
			header: "WWW-Authenticate", value: `Bearer realm="gatehouse", error="invalid_token"`,
		},
		"an expired token": {
			query: `{ admin }`, caller: anonymous(fault.Expired),
			code: "UNAUTHENTICATED", strict: 401, unnamed: 200,
			header: "WWW-Authenticate", value: `Bearer realm="gatehouse", error="invalid_token"`,
		},
		"a revoked session": {
			query: `{ me }`, caller: anonymous(fault.Revoked),
			code: "UNAUTHENTICATED", strict: 401, unnamed: 200,
			header: "WWW-Authenticate", value: `Bearer realm="gatehouse", error="invalid_token"`,
		},
		"too few scopes": {
			query: `{ me admin }`, caller: &auth.Caller{},
			code: "FORBIDDEN", strict: 403, unnamed: 200,
			header: "WWW-Authenticate", value: `Bearer realm="gatehouse", error="insufficient_scope", scope="users:read users:write"`,
		},
		"signed in too long ago": {
			query: `{ me recent }`, caller: signedIn(301 * time.Second),
			code: "STEP_UP_REQUIRED", strict: 401, unnamed: 200,
			header: "WWW-Authenticate", value: `Bearer realm="gatehouse", error="insufficient_user_authentication", max_age="300"`,
		},
		"signed in too weakly": {
			query: `{ recent strong }`, caller: signedIn(299 * time.Second),
			code: "STEP_UP_REQUIRED", strict: 401, unnamed: 200,
			header: "WWW-Authenticate",
			value:  `Bearer realm="gatehouse", error="insufficient_user_authentication", acr_values="mfa", max_age="900"`,
		},
		"too long ago, and too weakly": {
			query: `{ strong recent }`, caller: signedIn(time.Hour),
			code: "STEP_UP_REQUIRED", strict: 401, unnamed: 200,
			header: "WWW-Authenticate",
			value:  `Bearer realm="gatehouse", error="insufficient_user_authentication", acr_values="mfa", max_age="300"`,
		},
		"too long ago, and too few scopes": {
			query: `{ recent admin }`, caller: signedIn(time.Hour),
			code: "STEP_UP_REQUIRED", strict: 403, unnamed: 200,
			header: "WWW-Authenticate", value: `Bearer realm="gatehouse", error="insufficient_scope", scope="users:read users:write"`,
		},
		"recently enough": {
			query: `{ recent }`, caller: signedIn(300 * time.Second),
			data: `{"hello":"world"}`, strict: 200, unnamed: 200,
		},
		"nobody can tell who it is": {
			query: `{ me }`, caller: outage,
			code: "SERVICE_UNAVAILABLE", strict: 503, unnamed: 200,
			header: "Retry-After", value: "3",
		},
		"nobody can tell, but it does not matter": {
			query: `{ hello }`, caller: outage,
			data: `{"hello":"world"}`, strict: 200, unnamed: 200,
		},
		"an outage of one field": {
			query: `{ fails(how: "unavailable") }`, caller: &auth.Caller{},
			code: "SERVICE_UNAVAILABLE", data: `{"fails":null}`, strict: 294, unnamed: 200,
		},
		"a resolver's refusal": {
			query: `{ fails(how: "input") }`, caller: &auth.Caller{},
			code: "BAD_USER_INPUT", data: `{"fails":null}`, strict: 294, unnamed: 200,
		},
		"a resolver's fault": {
			query: `{ fails(how: "internal") }`, caller: &auth.Caller{},
			code: "INTERNAL_SERVER_ERROR", data: `{"fails":null}`, strict: 294, unnamed: 200,
		},
		"an outage that leaves nothing": {
			query: `{ fails(how: "entirely") }`, caller: &auth.Caller{},
			code: "SERVICE_UNAVAILABLE", data: `null`, strict: 294, unnamed: 200,
		},
		"a panic": {
			query: `{ fails(how: "panic") }`, caller: &auth.Caller{},
			code: "INTERNAL_SERVER_ERROR", strict: 500, unnamed: 200,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for accept, want := range map[string]struct {
				status      int
				contentType string
			}{
				strictType: {test.strict, strictType},
				jsonType:   {200, jsonType},
				"*/*":      {test.unnamed, jsonType},
				"":         {test.unnamed, jsonType},
			} {
				r := newRequest(t, test.caller, query(test.query))
				if accept != "" {
					r.Header.Set("Accept", accept)
				}
				w := serve(h, r)
				if w.Code != want.status {
					t.Errorf("Accept %q: status %d, want %d", accept, w.Code, want.status)
				}
				if got := w.Header().Get("Content-Type"); got != want.contentType+"; charset=utf-8" {
					t.Errorf("Accept %q: Content-Type %q", accept, got)
				}
				if got := w.Header(); got.Get("Cache-Control") != "no-store" || got.Get("Vary") != "Accept, Authorization" {
					t.Errorf("Accept %q: Cache-Control %q, Vary %q", accept, got.Get("Cache-Control"), got.Get("Vary"))
				}
				for _, header := range []string{"WWW-Authenticate", "Retry-After"} {
					expected := ""
					if accept == strictType && header == test.header {
						expected = test.value
					}
					if got := w.Header().Get(header); got != expected {
						t.Errorf("Accept %q: %s %q, want %q", accept, header, got, expected)
					}
				}
				a := read(t, w)
				if a.code() != test.code || string(a.Data) != test.data {
					t.Errorf("Accept %q: code %q and data %q, want %q and %q", accept, a.code(), a.Data, test.code, test.data)
				}
				if strings.Contains(w.Body.String(), canary) {
					t.Errorf("Accept %q: the cause of a fault is shown: %s", accept, w.Body)
				}
			}
		})
	}
}

// TestRefusals plays requests that are no GraphQL requests: their status is the same in every media type.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const limit = 1 << 10
	h, _ := newHandler(t, limit)
	wellFormed := `{"query":"{ hello }"}`
	with := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	method := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Method = name }
	}
	sending := func(body io.Reader) func(*http.Request) {
		return func(r *http.Request) { r.Body = io.NopCloser(body) }
	}
	none := func(*http.Request) {}
	tests := map[string]struct {
		body          string
		change        func(*http.Request)
		status        int
		header, value string
	}{
		"PUT":                     {wellFormed, method(http.MethodPut), 405, "Allow", "GET, HEAD, OPTIONS, POST"},
		"a method of their own":   {wellFormed, method("GRAPHQL"), 405, "Allow", "GET, HEAD, OPTIONS, POST"},
		"no content type":         {wellFormed, with("Content-Type"), 415, "Accept", jsonType},
		"a form":                  {"query={hello}", with("Content-Type", formType), 415, "Accept", jsonType},
		"plain text":              {wellFormed, with("Content-Type", "text/plain"), 415, "Accept", jsonType},
		"another charset":         {wellFormed, with("Content-Type", "application/json; charset=latin1"), 415, "Accept", jsonType},
		"two content types":       {wellFormed, with("Content-Type", jsonType, "text/plain"), 415, "Accept", jsonType},
		"a broken content type":   {wellFormed, with("Content-Type", "application/json; charset"), 415, "Accept", jsonType},
		"gzip":                    {wellFormed, with("Content-Encoding", "gzip"), 415, "Accept-Encoding", "identity"},
		"gzip behind identity":    {wellFormed, with("Content-Encoding", "identity", "gzip"), 415, "Accept-Encoding", "identity"},
		"too large":               {`{"query":"` + strings.Repeat("a", limit) + `"}`, none, 413, "", ""},
		"one byte too large":      {wellFormed + strings.Repeat(" ", limit-len(wellFormed)+1), none, 413, "", ""},
		"too large, no length":    {strings.Repeat(" ", limit+1), func(r *http.Request) { r.ContentLength = -1 }, 413, "", ""},
		"too large, a false one":  {strings.Repeat(" ", limit+1), func(r *http.Request) { r.ContentLength = 10 }, 413, "", ""},
		"a false length alone":    {wellFormed, func(r *http.Request) { r.ContentLength = limit + 1 }, 413, "", ""},
		"nothing":                 {"", none, 400, "", ""},
		"no JSON":                 {"hello", none, 400, "", ""},
		"a batch":                 {"[" + wellFormed + "]", none, 400, "", ""},
		"no query":                {`{"variables":{}}`, none, 400, "", ""},
		"variables of wrong type": {`{"query":"{ hello }","variables":[]}`, none, 400, "", ""},
		"NUL":                     {`{"query":"{ hello }","variables":{"a":"\u0000"}}`, none, 400, "", ""},
		"invalid UTF-8":           {"{\"query\":\"{ hello }\",\"variables\":{\"a\":\"\xff\"}}", none, 400, "", ""},
		"a body that breaks off":  {"", sending(iotest.ErrReader(errors.New(canary))), 400, "", ""},
		"a body that ends too soon": {"", sending(
			io.MultiReader(strings.NewReader(wellFormed), iotest.ErrReader(io.ErrUnexpectedEOF)),
		), 400, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for accept, contentType := range map[string]string{"": jsonType, "*/*": jsonType, jsonType: jsonType, strictType: strictType} {
				r := newRequest(t, &auth.Caller{}, strings.NewReader(test.body))
				if accept != "" {
					r.Header.Set("Accept", accept)
				}
				test.change(r)
				w := serve(h, r)
				if w.Code != test.status {
					t.Errorf("Accept %q: status %d, want %d: %s", accept, w.Code, test.status, w.Body)
				}
				if got := w.Header().Get("Content-Type"); got != contentType+"; charset=utf-8" {
					t.Errorf("Accept %q: Content-Type %q", accept, got)
				}
				if got := w.Header(); got.Get("Cache-Control") != "no-store" || got.Get("Vary") != "Accept, Authorization" {
					t.Errorf("Accept %q: Cache-Control %q, Vary %q", accept, got.Get("Cache-Control"), got.Get("Vary"))
				}
				if test.header != "" && w.Header().Get(test.header) != test.value {
					t.Errorf("Accept %q: %s %q, want %q", accept, test.header, w.Header().Get(test.header), test.value)
				}
				a := read(t, w)
				if a.code() != "BAD_USER_INPUT" || a.Data != nil || a.Errors[0].Extensions["requestId"] != requestID {
					t.Errorf("Accept %q: answered %s", accept, w.Body)
				}
			}
		})
	}
	t.Run("PUT that accepts a page", func(t *testing.T) {
		t.Parallel()
		r := newRequest(t, &auth.Caller{}, strings.NewReader(wellFormed))
		r.Method = http.MethodPut
		r.Header.Set("Accept", "text/html")
		w := serve(h, r)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD, OPTIONS, POST" {
			t.Errorf("got %d, Allow %q", w.Code, w.Header().Get("Allow"))
		}
	})
	t.Run("not acceptable", func(t *testing.T) {
		t.Parallel()
		r := newRequest(t, &auth.Caller{}, strings.NewReader(wellFormed))
		r.Header.Set("Accept", "text/html")
		w := serve(h, r)
		if w.Code != http.StatusNotAcceptable || read(t, w).code() != "BAD_USER_INPUT" {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	})
	t.Run("exactly the limit", func(t *testing.T) {
		t.Parallel()
		r := newRequest(t, &auth.Caller{}, strings.NewReader(wellFormed+strings.Repeat(" ", limit-len(wellFormed))))
		r.Header.Set("Content-Encoding", "identity")
		if w := serve(h, r); w.Code != http.StatusOK {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	})
}

// TestChunked sends an endless body over a real connection: it is cut off at the limit, whatever the client goes on to send.
func TestChunked(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, 4<<10)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: test\r\n"+
		"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
	must(t, err)
	for range 5 {
		_, err = io.WriteString(conn, "400\r\n"+strings.Repeat(" ", 0x400)+"\r\n")
		must(t, err)
	}
	answer := make([]byte, 1<<10)
	n, err := conn.Read(answer)
	must(t, err)
	if !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 413 ") {
		t.Errorf("answered %s", answer[:n])
	}
}

// TestSlowBody sends half a body and then nothing: the answer says what was amiss, and the connection ends, so that what arrives
// late is not taken for another request.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, 0)
	server := httptest.NewUnstartedServer(h)
	server.Config.ReadHeaderTimeout, server.Config.ReadTimeout = time.Minute, 200*time.Millisecond // the header always arrives
	server.Start()
	t.Cleanup(server.Close)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: test\r\n"+
		"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"query\":")
	must(t, err)
	answer, err := io.ReadAll(conn) // to its end
	must(t, err)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "took too long") {
		t.Errorf("answered %s", answer)
	}
}

// TestOperationIsNoted: the access log learns what was asked, and nothing of what could not be parsed.
func TestOperationIsNoted(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, 0)
	for text, want := range map[string]request.Operation{
		`{ hello }`:             {Type: "query"},
		`query Greet { hello }`: {Name: "Greet", Type: "query"},
		`query Denied { me }`:   {Name: "Denied", Type: "query"},
		`mutation Let { login(input: {email: "a", password: "b"}) }`: {Name: "Let", Type: "mutation"},
		`query Broken { hello `: {},
	} {
		var got request.Operation
		ctx := request.NewContext(auth.NewContext(t.Context(), anonymous(fault.Missing)), request.Info{Operation: &got})
		serve(h, newRequest(t, anonymous(fault.Missing), query(text)).WithContext(ctx))
		if got != want {
			t.Errorf("%s: noted %+v, want %+v", text, got, want)
		}
	}
}

// TestConcurrently: requests share buffers one after the other, never at the same time.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, 0)
	var clients sync.WaitGroup
	for client := range 16 {
		clients.Go(func() {
			for turn := range 50 {
				name := strings.Repeat(fmt.Sprintf("%d-%d ", client, turn), 1+client*turn%40)
				body, err := json.Marshal(map[string]any{
					"query": `query($name: String) { hello(name: $name) }`, "variables": map[string]string{"name": name},
				})
				if err != nil {
					t.Error(err)
					return
				}
				w := serve(h, newRequest(t, &auth.Caller{}, bytes.NewReader(body)))
				want, err := json.Marshal(map[string]map[string]string{"data": {"hello": name}})
				if err != nil || w.Body.String() != string(want) {
					t.Errorf("answered %s, want %s", w.Body, want)
				}
			}
		})
	}
	clients.Wait()
}

// TestAllocations keeps a request cheap, the executor's part included: 8 allocations, and 3 more where the race detector makes
// pools forget.
func TestAllocations(t *testing.T) {
	h, _ := newHandler(t, 0)
	caller := &auth.Caller{}
	body := []byte(`{"query":"{ hello }"}`)
	reader := bytes.NewReader(body)
	r := newRequest(t, caller, reader)
	r.Header.Set("Accept", strictType)
	w := &discard{header: http.Header{}}
	total := testing.AllocsPerRun(200, func() {
		reader.Reset(body)
		clear(w.header)
		h.ServeHTTP(w, r)
	})
	const most = 13
	if total > most {
		t.Errorf("%v allocations, want at most %d", total, most)
	}
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
