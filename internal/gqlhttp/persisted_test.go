package gqlhttp_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/auth"
)

func hashOf(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// persistedQuery is the extension by which clients name a document.
func persistedQuery(hash string) string {
	return `{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}`
}

// TestPersistedQuery plays the protocol, once in bodies and once in URLs: a hash nobody knows, the document with it, the hash.
func TestPersistedQuery(t *testing.T) {
	t.Parallel()
	const document = `query Greet($name: String) { hello(name: $name) }`
	const unknown = `{"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND",` +
		`"requestId":"` + requestID + `"}}]}`
	hash := hashOf(document)
	for name, send := range map[string]func(t *testing.T, members ...string) *http.Request{
		"in bodies": func(t *testing.T, members ...string) *http.Request {
			t.Helper()
			body := map[string]any{}
			for i := 0; i+1 < len(members); i += 2 {
				body[members[i]] = members[i+1]
				if members[i] == "variables" || members[i] == "extensions" {
					body[members[i]] = json.RawMessage(members[i+1])
				}
			}
			text, err := json.Marshal(body)
			must(t, err)
			return newRequest(t, &auth.Caller{}, strings.NewReader(string(text)))
		},
		"in URLs": func(t *testing.T, members ...string) *http.Request {
			t.Helper()
			return get(t, &auth.Caller{}, members...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := newHandler(t, 0)
			for i, step := range []struct {
				members []string
				status  int
				answer  string
			}{
				{[]string{"extensions", persistedQuery(hash)}, 400, unknown},
				{[]string{"query", document, "variables", `{"name":"A"}`}, 200, `{"data":{"hello":"A"}}`},
				{[]string{"extensions", persistedQuery(hash)}, 400, unknown}, // that it ran does not register it
				{[]string{"query", document, "extensions", persistedQuery(hash)}, 200, `{"data":{"hello":"world"}}`},
				{[]string{"extensions", persistedQuery(hash), "variables", `{"name":"B"}`}, 200, `{"data":{"hello":"B"}}`},
				{[]string{"extensions", persistedQuery(strings.ToUpper(hash))}, 200, `{"data":{"hello":"world"}}`},
				{[]string{"extensions", persistedQuery("sha256:" + hash)}, 200, `{"data":{"hello":"world"}}`}, // GraphQL Code Generator's
				{[]string{"documentId", "sha256:" + hash}, 200, `{"data":{"hello":"world"}}`},
				{[]string{"documentId", hash, "extensions", persistedQuery(hash)}, 200, `{"data":{"hello":"world"}}`},
				{[]string{"documentId", hashOf("other")}, 400, unknown},
			} {
				w := serve(h, send(t, step.members...))
				if w.Code != step.status || w.Body.String() != step.answer {
					t.Errorf("step %d: %d %s", i, w.Code, w.Body)
				}
			}
		})
	}
}

// TestPersistedQueryByMediaType: links look at the message or the code, and have to find them whatever they accept.
func TestPersistedQueryByMediaType(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, 0)
	for accept, status := range map[string]int{strictType: 400, jsonType: 200, "": 400} {
		r := newRequest(t, &auth.Caller{}, strings.NewReader(`{"extensions":`+persistedQuery(hashOf("unknown"))+`}`))
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		w := serve(h, r)
		a := read(t, w)
		if w.Code != status || a.code() != "PERSISTED_QUERY_NOT_FOUND" || a.Errors[0].Message != "PersistedQueryNotFound" {
			t.Errorf("Accept %q: %d %s", accept, w.Code, w.Body)
		}
	}
}

// TestPersistedMutation: what a hash stands for decides whether it can come by GET.
func TestPersistedMutation(t *testing.T) {
	t.Parallel()
	const document = `mutation { login(input: {email: "a", password: "b"}) }`
	h, _ := newHandler(t, 0)
	register := fmt.Sprintf(`{"query":%q,"extensions":%s}`, document, persistedQuery(hashOf(document)))
	if w := serve(h, newRequest(t, &auth.Caller{}, strings.NewReader(register))); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	w := serve(h, get(t, &auth.Caller{}, "extensions", persistedQuery(hashOf(document))))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestPersistedQueryBesideNull: to a client that writes all members, a text that it leaves out is null.
func TestPersistedQueryBesideNull(t *testing.T) {
	t.Parallel()
	const document = `{ hello }`
	h, _ := newHandler(t, 0)
	for _, text := range []string{`"` + document + `"`, "null"} {
		request := `{"query":` + text + `,"extensions":` + persistedQuery(hashOf(document)) + `}`
		w := serve(h, newRequest(t, &auth.Caller{}, strings.NewReader(request)))
		if w.Code != http.StatusOK || string(read(t, w).Data) != `{"hello":"world"}` {
			t.Errorf("%s: %d %s", text, w.Code, w.Body)
		}
	}
}

// TestPersistedQueryMalformed plays extensions that name no document, or the wrong one. None of them registers anything.
func TestPersistedQueryMalformed(t *testing.T) {
	t.Parallel()
	const document = `{ hello }`
	hash := hashOf(document)
	h, _ := newHandler(t, 0)
	for members, want := range map[string]int{
		`"extensions":{"persistedQuery":null}`:                                                  200,
		`"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `","miss":true}}`: 200, // urql says so
		`"documentId":null`: 200,
		`"extensions":` + persistedQuery(hashOf("{ me }")):                            400,
		`"extensions":` + persistedQuery(hash[:63]):                                   400,
		`"extensions":` + persistedQuery(hash+"00"):                                   400,
		`"extensions":` + persistedQuery("g"+hash[1:]):                                400,
		`"extensions":` + persistedQuery(""):                                          400,
		`"extensions":{"persistedQuery":{"version":1}}`:                               400,
		`"extensions":{"persistedQuery":{"version":1,"sha256Hash":null}}`:             400,
		`"extensions":{"persistedQuery":{"version":2,"sha256Hash":"` + hash + `"}}`:   400,
		`"extensions":{"persistedQuery":{"version":"1","sha256Hash":"` + hash + `"}}`: 400,
		`"extensions":{"persistedQuery":{"sha256Hash":"` + hash + `"}}`:               400,
		`"extensions":{"persistedQuery":"` + hash + `"}`:                              400,
		`"extensions":{"persistedQuery":[]}`:                                          400,
		`"documentId":"` + hash[1:] + `"`:                                             400,
		`"documentId":"md5:` + hash + `"`:                                             400,
		`"documentId":1`:                                                              400,
		`"documentId":"` + hash + `","extensions":` + persistedQuery(hashOf("a")):     400,
	} {
		w := serve(h, newRequest(t, &auth.Caller{}, strings.NewReader(`{"query":"`+document+`",`+members+`}`)))
		if w.Code != want || (read(t, w).code() == "BAD_USER_INPUT") != (want == 400) || strings.Contains(w.Body.String(), hash[:60]) {
			t.Errorf("%s: %d %s", members, w.Code, w.Body)
		}
	}
	other := `{"extensions":` + persistedQuery(hashOf("{ me }")) + `}`
	if w := serve(h, newRequest(t, &auth.Caller{}, strings.NewReader(other))); read(t, w).code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("the hash of another document: %s", w.Body)
	}
}
