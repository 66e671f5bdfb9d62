package gqlhttp

import (
	"strings"
	"testing"
)

func TestNegotiate(t *testing.T) {
	t.Parallel()
	const none media = -1
	tests := []struct {
		accept []string
		want   media
	}{
		{nil, unnamed},
		{[]string{""}, unnamed},
		{[]string{" , "}, unnamed},
		{[]string{"*/*"}, unnamed},
		{[]string{"application/*"}, unnamed},
		{[]string{"text/html, */*;q=0.1"}, unnamed},
		{[]string{"application/json"}, legacy},
		{[]string{"application/json; charset=utf-8"}, legacy},
		{[]string{"APPLICATION/JSON"}, legacy},
		{[]string{"application/json, */*"}, legacy},
		{[]string{"application/json, text/plain, */*"}, legacy}, // axios
		{[]string{"application/graphql-response+json"}, strict},
		{[]string{"Application/GraphQL-Response+JSON"}, strict},
		{[]string{"application/graphql-response+json; charset=utf-8"}, strict},
		{[]string{"application/graphql-response+json,application/json;q=0.9"}, strict}, // Apollo Client
		{[]string{"application/graphql-response+json, application/json, multipart/mixed"}, strict},
		{[]string{"application/graphql-response+json, application/graphql+json, application/json, text/event-stream"}, strict}, // urql
		{[]string{"application/json, application/graphql-response+json"}, strict},
		{[]string{"application/json", "application/graphql-response+json"}, strict},
		{[]string{"application/json;q=0.9, application/graphql-response+json;q=0.8"}, legacy},
		{[]string{"application/graphql-response+json;q=0.5, */*"}, unnamed},
		{[]string{"application/graphql-response+json;q=0, */*"}, unnamed},
		{[]string{"application/graphql-response+json;q=0, application/json"}, legacy},
		{[]string{"application/json;q=0, */*"}, strict},
		{[]string{"application/json;q=0, application/*"}, strict},
		{[]string{"application/*;q=0, */*"}, none},
		{[]string{"application/*;q=0.1, */*;q=0"}, unnamed},
		{[]string{"application/json ; q=1.000 , ,"}, legacy},
		{[]string{"application/json;Q=0.001"}, legacy},
		{[]string{"application/json;version=1;q=0.3, application/graphql-response+json;q=0.2"}, legacy},
		{[]string{"text/html"}, none},
		{[]string{"application/xml, text/*"}, none},
		{[]string{"application/json;q=0"}, none},
		{[]string{"*/*;q=0"}, none},
		{[]string{"application/json;q=2"}, none},
		{[]string{"application/json;q=1.001"}, none},
		{[]string{"application/json;q=0.1234"}, none},
		{[]string{"application/json;q=0.x"}, none},
		{[]string{"application/json;q="}, none},
		{[]string{"application/jsonp"}, none},
		{[]string{"json"}, none},
	}
	for _, test := range tests {
		got, refused := negotiate(test.accept)
		if refused != nil {
			if refused != errNotAcceptable {
				t.Errorf("%q: refused with %q", test.accept, refused.message)
			}
			got = none
		}
		if got != test.want {
			t.Errorf("%q: got %d, want %d", test.accept, got, test.want)
		}
	}
}

func TestNegotiateAllocatesNothing(t *testing.T) {
	accept := []string{"application/graphql-response+json; charset=utf-8, application/json;q=0.9, */*;q=0.1"}
	if n := testing.AllocsPerRun(100, func() { _, _ = negotiate(accept) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// FuzzNegotiate holds that a header means the same on one line or on several (RFC 9110 section 5.3), and that whoever takes
// anything is answered.
func FuzzNegotiate(f *testing.F) {
	f.Add("application/json", "application/graphql-response+json;q=0.5")
	f.Add("*/*;q=0.1", "application/json; q=0, text/html;level=1")
	f.Add(",;=q", "q=1.0000;q=")
	f.Fuzz(func(t *testing.T, first, second string) {
		one, oneRefused := negotiate([]string{first + "," + second})
		two, twoRefused := negotiate([]string{first, second})
		if one != two || oneRefused != twoRefused {
			t.Errorf("on one line %d %v, on two %d %v", one, oneRefused, two, twoRefused)
		}
		named := strings.Contains(strings.ToLower(first), "application/")
		if _, refused := negotiate([]string{"*/*", first}); refused != nil && !named {
			t.Errorf("%q beside */*: refused", first)
		}
	})
}

func TestIsJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		values []string
		want   bool
	}{
		{[]string{"application/json"}, true},
		{[]string{"application/json; charset=utf-8"}, true},
		{[]string{"application/json;charset=UTF-8"}, true},
		{[]string{`application/json; charset="utf-8"`}, true},
		{[]string{"Application/JSON"}, true},
		{[]string{"application/json; odd=1"}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{"application/json", "application/json"}, false},
		{[]string{"application/json; charset=utf-16"}, false},
		{[]string{"application/json; charset=utf8"}, false},
		{[]string{"application/json; charset="}, false},
		{[]string{"application/json; charset=utf-8; charset=utf-16"}, false},
		{[]string{"application/json, text/plain"}, false},
		{[]string{"application/graphql-response+json"}, false},
		{[]string{"application/graphql"}, false},
		{[]string{"text/plain"}, false},
		{[]string{"application/x-www-form-urlencoded"}, false},
		{[]string{"multipart/form-data; boundary=x"}, false},
	}
	for _, test := range tests {
		if got := isJSON(test.values); got != test.want {
			t.Errorf("%q: got %t, want %t", test.values, got, test.want)
		}
	}
}
