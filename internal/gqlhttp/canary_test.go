package gqlhttp_test

import (
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/fault"
)

// TestCanary puts a password where it does not belong: it comes back in no response and no header, and appears in no log line.
func TestCanary(t *testing.T) {
	t.Parallel()
	const limit = 4 << 10
	h, logged := newHandler(t, limit)
	login := func(input string) string {
		return `{"query":"mutation($input: LoginInput!) { login(input: $input) }","variables":{"input":` + input + `}}`
	}
	bodies := map[string]string{
		"no JSON":                canary,
		"a JSON string":          `"` + canary + `"`,
		"broken off":             `{"query":"` + canary,
		"unquoted":               `{"query":` + canary + `}`,
		"as a name":              `{"` + canary + `":1}`,
		"as a name twice":        `{"` + canary + `":1,"` + canary + `":2}`,
		"behind the object":      `{"query":"{ hello }"} ` + canary,
		"in a batch":             `[{"query":"` + canary + `"}]`,
		"in another type":        `{"query":{"` + canary + `":"` + canary + `"}}`,
		"in variables as string": `{"query":"{ hello }","variables":"` + canary + `"}`,
		"beside NUL":             `{"query":"{ hello }","variables":{"a":"` + canary + `\u0000"}}`,
		"beside invalid UTF-8":   "{\"query\":\"" + canary + "\xff\"}",
		"beside a surrogate":     `{"query":"` + canary + `\ud800"}`,
		"deep down":              `{"query":"{ hello }","variables":{"` + canary + `":` + strings.Repeat(`{"`+canary+`":`, 50),
		"too large":              `{"query":"` + strings.Repeat(canary, limit) + `"}`,
		"as the query":           `{"query":"` + canary + `"}`,
		"as the operation name":  `{"query":"query A { hello }","operationName":"` + canary + `"}`,
		"as a field":             `{"query":"{ hunter2canary }"}`,
		"as an argument":         `{"query":"{ hello(hunter2canary: 1) }"}`,
		"as a type":              `{"query":"query($a: hunter2canary) { hello(name: $a) }"}`,
		"as a variable":          `{"query":"{ hello(name: $hunter2canary) }"}`,
		"as a fragment":          `{"query":"{ ...hunter2canary }"}`,
		"as a directive":         `{"query":"{ hello @hunter2canary }"}`,
		"as an enum value":       `{"query":"{ hello(name: hunter2canary) }"}`,
		"as a literal of a type": `{"query":"mutation { login(input: \"` + canary + `\") }"}`,
		"in an unknown field": `{"query":"mutation { ` +
			`login(input: {email: \"a\", password: \"b\", hunter2canary: \"` + canary + `\"}) }"}`,
		"a mistyped password":    login(`{"email":"a","password":["` + canary + `"]}`),
		"a mistyped input":       login(`"` + canary + `"`),
		"an unknown input field": login(`{"email":"a","password":"b","` + canary + `":"` + canary + `"}`),
		"an unknown variable":    login(`null,"` + canary + `":"` + canary + `"`),
		"an unused variable":     `{"query":"query($hunter2canary: String) { hello }","variables":{"hunter2canary":"` + canary + `"}}`,
		"in a string literal":    `{"query":"{ hello(name: \"` + canary + `\u0000\") }"}`,
		"in a block string":      `{"query":"{ hello(name: \"\"\"` + canary + ` }"}`,
		"in a comment":           `{"query":"# ` + canary + `\n{"}`,
		"beside a panic":         `{"query":"{ fails(how: \"panic\") hello(name: \"` + canary + `\") }"}`,
		"beside a fault":         `{"query":"{ fails(how: \"internal\") }","extensions":{"a":"` + canary + `"}}`,
		"in the extensions":      `{"query":"{ me }","extensions":"` + canary + `"}`,
	}
	for name, body := range bodies {
		for _, accept := range []string{strictType, jsonType, "*/*", "text/" + canary} {
			r := newRequest(t, anonymous(fault.Missing), strings.NewReader(body))
			r.Header.Set("Accept", accept)
			w := serve(h, r)
			if read(t, w).code() == "" {
				t.Errorf("%s: no error: %s", name, w.Body)
			}
			for what, text := range map[string]string{"the response": w.Body.String(), "a header": fmt.Sprint(w.Header())} {
				if strings.Contains(text, "hunter2") {
					t.Errorf("%s: %s repeats it: %s", name, what, text)
				}
			}
		}
	}
	if text := logged.String(); strings.Contains(strings.ReplaceAll(text, "canary: "+canary, ""), "hunter2") {
		t.Errorf("the log repeats it:\n%s", text)
	}
}

// TestCanaryInURL does the same to the parameters of a URL.
func TestCanaryInURL(t *testing.T) {
	t.Parallel()
	h, logged := newHandler(t, 0)
	for name, parameters := range map[string][]string{
		"as the query":             {"query", canary},
		"as a field":               {"query", "{ hunter2canary }"},
		"as another parameter":     {canary, canary},
		"as the operation name":    {"query", "query A { hello }", "operationName", canary},
		"as the variables":         {"query", "{ hello }", "variables", canary},
		"in the variables":         {"query", "{ hello }", "variables", `{"` + canary + `":"` + canary + `\u0000"}`},
		"behind the variables":     {"query", "{ hello }", "variables", `{}` + canary},
		"as the extensions":        {"query", "{ hello }", "extensions", `"` + canary + `"`},
		"as a hash":                {"extensions", persistedQuery(canary)},
		"as a document's id":       {"documentId", canary},
		"in a mutation":            {"query", `mutation { login(input: {email: "a", password: "` + canary + `"}) }`},
		"in a document with a lie": {"query", `{ hello(name: "` + canary + `") }`, "extensions", persistedQuery(hashOf("a"))},
		"beside a panic":           {"query", `{ fails(how: "panic") hello(name: "` + canary + `") }`},
	} {
		w := serve(h, get(t, anonymous(fault.Missing), parameters...))
		if read(t, w).code() == "" || strings.Contains(w.Body.String()+fmt.Sprint(w.Header()), "hunter2") {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
	if text := logged.String(); strings.Contains(text, "hunter2") {
		t.Errorf("the log repeats it:\n%s", text)
	}
}
