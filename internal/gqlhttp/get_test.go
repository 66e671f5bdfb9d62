package gqlhttp_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
)

// get returns a request with the parameters in its URL, which are names and values in turn.
func get(t testing.TB, caller *auth.Caller, parameters ...string) *http.Request {
	t.Helper()
	r := newRequest(t, caller, http.NoBody)
	r.Method = http.MethodGet
	r.Header.Del("Content-Type")
	values := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		values.Add(parameters[i], parameters[i+1])
	}
	r.URL.RawQuery = values.Encode()
	return r
}

// TestGet plays what a request in a URL can come to, in every media type.
func TestGet(t *testing.T) {
	t.Parallel()
	const (
		greeting = `query Greet($name: String) { hello(name: $name) }`
		login    = `mutation Login { login(input: {email: "a", password: "b"}) }`
	)
	h, _ := newHandler(t, 0)
	tests := map[string]struct {
		parameters []string

		code                    string // of the first error
		data                    string
		strict, unnamed, legacy int // statuses
	}{
		"a query": {
			parameters: []string{"query", "{ hello }"},
			data:       `{"hello":"world"}`, strict: 200, unnamed: 200, legacy: 200,
		},
		"null for what is JSON": {
			parameters: []string{"query", "{ hello }", "variables", "null", "extensions", "null"},
			data:       `{"hello":"world"}`, strict: 200, unnamed: 200, legacy: 200,
		},
		"with variables": {
			parameters: []string{"query", greeting, "variables", `{"name":"Åsa & Co"}`},
			data:       `{"hello":"Åsa & Co"}`, strict: 200, unnamed: 200, legacy: 200,
		},
		"with everything": {
			parameters: []string{
				"query", greeting + " query Other { hello }", "operationName", "Greet", "variables", `{"name":"A"}`,
				"extensions", `{"a":1}`, "unknown", "b",
			},
			data: `{"hello":"A"}`, strict: 200, unnamed: 200, legacy: 200,
		},
		"a query among mutations": {
			parameters: []string{"query", `query Q { hello } ` + login, "operationName", "Q"},
			data:       `{"hello":"world"}`, strict: 200, unnamed: 200, legacy: 200,
		},
		"without a token": {
			parameters: []string{"query", "{ me }"},
			code:       "UNAUTHENTICATED", strict: 401, unnamed: 200, legacy: 200,
		},
		"a syntax error": {
			parameters: []string{"query", "{ hello"},
			code:       "GRAPHQL_PARSE_FAILED", strict: 400, unnamed: 400, legacy: 200,
		},
		"an operation that is not in it": {
			parameters: []string{"query", "query A { hello }", "operationName", "B"},
			code:       "BAD_USER_INPUT", strict: 400, unnamed: 400, legacy: 200,
		},
	}
	for name, parameters := range map[string][]string{
		"a mutation":               {"query", login},
		"a mutation among queries": {"query", `query Q { hello } ` + login, "operationName", "Login"},
		"a subscription":           {"query", "subscription { beats }"},
	} {
		test := tests[name]
		test.parameters, test.code, test.strict, test.unnamed, test.legacy = parameters, "BAD_USER_INPUT", 405, 405, 405
		tests[name] = test
	}
	for name, parameters := range map[string][]string{
		"nothing":                 nil,
		"an empty query":          {"query", ""},
		"two queries":             {"query", "{ hello }", "query", "{ hello }"},
		"variables, twice":        {"query", "{ hello }", "variables", "{}", "variables", "{}"},
		"variables, a list":       {"query", "{ hello }", "variables", "[]"},
		"variables, empty":        {"query", "{ hello }", "variables", ""},
		"variables, more":         {"query", "{ hello }", "variables", "{}{}"},
		"variables, a name twice": {"query", "{ hello }", "variables", `{"a":1,"a":2}`},
		"extensions, no JSON":     {"query", "{ hello }", "extensions", "{"},
		"NUL in a variable":       {"query", "{ hello }", "variables", `{"a":"\u0000"}`},
		"NUL in the query":        {"query", "{ hello }\x00"},
		"an escape in the name":   {"query", "{ hello }", "operationName", "\x1b[2J"},
		"no UTF-8 in the query":   {"query", "{ hello }\xff"},
		"no UTF-8 in a variable":  {"query", "{ hello }", "variables", "{\"a\":\"\xff\"}"},
	} {
		test := tests[name]
		test.parameters, test.code, test.strict, test.unnamed, test.legacy = parameters, "BAD_USER_INPUT", 400, 400, 400
		tests[name] = test
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for accept, want := range map[string]int{
				strictType: test.strict, jsonType: test.legacy, "*/*": test.unnamed, "": test.unnamed,
			} {
				r := get(t, anonymous(fault.Missing), test.parameters...)
				if accept != "" {
					r.Header.Set("Accept", accept)
				}
				w := serve(h, r)
				a := read(t, w)
				if w.Code != want || a.code() != test.code || string(a.Data) != test.data {
					t.Errorf("Accept %q: %d %s, want %d", accept, w.Code, w.Body, want)
				}
				allow := map[bool]string{true: "POST"}[want == http.StatusMethodNotAllowed]
				if got := w.Header(); got.Get("Allow") != allow || got.Get("Cache-Control") != "no-store" {
					t.Errorf("Accept %q: %v", accept, got)
				}
			}
		})
	}
}

// TestRawURL plays URLs that no client library would make.
func TestRawURL(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, 0)
	longest := "query=%7Bhello%7D&a="
	longest += strings.Repeat("a", 8<<10-len(longest))
	for raw, want := range map[string]int{
		longest:                                200,
		longest + "a":                          414,
		"query=%7Bhello%7D":                    200,
		"query={hello}":                        200,
		"&&query=%7Bhello%7D&=&":               200,
		"query=%7Bhello%7D&QUERY=1":            200,
		"query=%7Bhello%7D;variables=1":        400,
		"query=%7Bhello%7":                     400,
		"query=%zz":                            400,
		"query":                                400,
		"query=%7Bhello%7D&a=" + canary + "%z": 400,
	} {
		r := get(t, &auth.Caller{})
		r.URL.RawQuery = raw
		w := serve(h, r)
		if w.Code != want || (read(t, w).code() == "") != (want == 200) || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: %d %s", raw, w.Code, w.Body)
		}
	}
}

// TestOtherMethods: HEAD is GET without a body, OPTIONS says what there is.
func TestOtherMethods(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, 0)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	for _, test := range []struct {
		method, target string
		status         int
		allow          string
		length         string
	}{
		{http.MethodHead, "?query=%7Bhello%7D", 200, "", "26"},
		{http.MethodHead, "", 400, "", ""},
		{http.MethodHead, "?query=mutation%7Blogin(input:%7Bemail:%22a%22,password:%22b%22%7D)%7D", 405, "POST", ""},
		{http.MethodOptions, "", 204, "GET, HEAD, OPTIONS, POST", ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+test.target, http.NoBody)
		must(t, err)
		response, err := server.Client().Do(r)
		must(t, err)
		must(t, response.Body.Close())
		if response.StatusCode != test.status || response.Header.Get("Allow") != test.allow {
			t.Errorf("%s %s: %d, Allow %q", test.method, test.target, response.StatusCode, response.Header.Get("Allow"))
		}
		if length := response.Header.Get("Content-Length"); test.length != "" && length != test.length {
			t.Errorf("%s %s: Content-Length %q", test.method, test.target, length)
		}
	}
}

// FuzzURL: a URL is answered, whatever is in it, and says the same as the body that it stands for.
func FuzzURL(f *testing.F) {
	f.Add("{ hello }", "", "{}")
	f.Add("query($name: String) { hello(name: $name) }", "", `{"name":"a"}`)
	f.Add("query A { hello } query B { me }", "B", "null")
	f.Add("{ hello }\x00", "", `{"a":"\u0000"}`)
	h, _ := newHandler(f, 0)
	f.Fuzz(func(t *testing.T, query, name, variables string) {
		byURL := serve(h, get(t, anonymous(fault.Missing), "query", query, "operationName", name, "variables", variables))
		a := read(t, byURL)
		body, err := json.Marshal(map[string]any{
			"query": query, "operationName": name, "variables": json.RawMessage(variables),
		})
		onlyInURLs := byURL.Code == http.StatusMethodNotAllowed || byURL.Code == http.StatusRequestURITooLong
		if err != nil || onlyInURLs || strings.ContainsRune(query+name, '\ufffd') {
			return // no JSON, or text that JSON cannot hold as it was
		}
		byBody := serve(h, newRequest(t, anonymous(fault.Missing), strings.NewReader(string(body))))
		if b := read(t, byBody); byURL.Code != byBody.Code || a.code() != b.code() {
			t.Errorf("by URL %d %s, by body %d %s", byURL.Code, byURL.Body, byBody.Code, byBody.Body)
		}
	})
}
