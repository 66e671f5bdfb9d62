package operation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/operation"
)

// bomb is n fragments of which each spreads the next twice.
func bomb(n int) string {
	var doc strings.Builder
	doc.WriteString("{ me { ...F0 } }")
	for i := range n {
		fmt.Fprintf(&doc, " fragment F%d on User { ...F%d ...F%d }", i, i+1, i+1)
	}
	fmt.Fprintf(&doc, " fragment F%d on User { id }", n)
	return doc.String()
}

// many repeats a pattern, which may name the round.
func many(n int, pattern string) string {
	var doc strings.Builder
	for i := range n {
		doc.WriteString(strings.ReplaceAll(pattern, "#", fmt.Sprint(i)) + " ")
	}
	return doc.String()
}

// nested is n objects within each other.
func nested(n int) string {
	return "{ me " + strings.Repeat("{ friend ", n-2) + "{ id }" + strings.Repeat(" }", n-1)
}

func TestLimits(t *testing.T) {
	h := newHouse(t)
	for name, test := range map[string]struct {
		query string
		want  string // "" where the document is within the limits
	}{
		"1,000 tokens": {"{ echo(list: [" + strings.Repeat("1 ", 991) + "]) }", ""},
		"1,001 tokens": {"{ echo(list: [" + strings.Repeat("1 ", 992) + "]) }", "more than 1000 tokens"},
		"depth 10":     {nested(10), ""},
		"depth 11":     {nested(11), "nests more than 10 fields"},
		"depth 11 by fragments": {
			"{ me { ...A } } fragment A on User " + strings.TrimSuffix(strings.TrimPrefix(nested(11), "{ me "), " }"),
			"nests more than 10 fields",
		},
		"depth 100":         {nested(100), "nests more than 10 fields"},
		"depth 100,000":     {nested(100_000), "more than 1000 tokens"},
		"brackets, 100,000": {"{ echo(list: " + strings.Repeat("[", 100_000), "more than 1000 tokens"},
		"list type, 900":    {"query($v: " + strings.Repeat("[", 900) + "Int) { hello }", "not valid GraphQL"},
		"15 aliases":        {"{" + many(15, "a#: hello") + "}", ""},
		"16 aliases":        {"{" + many(16, "a#: hello") + "}", "more than 15 names"},
		"16 aliases over fragments": {
			"{ ...F " + many(8, "a#: hello") + "} fragment F on Query {" + many(8, "b#: hello") + "}", "more than 15 names",
		},
		"16 aliases over merged fields": {
			"{ me {" + many(8, "a#: id") + "} me {" + many(8, "b#: id") + "} }", "more than 15 names",
		},
		"8 aliases on each of two":      {"{ a: me {" + many(8, "a#: id") + "} b: me {" + many(8, "b#: id") + "} }", ""},
		"101 aliases":                   {"query cop {" + many(101, "alias#: __typename") + "}", "more than 15 names"},
		"50 mentions":                   {"{" + many(50, "hello") + "}", ""},
		"51 mentions":                   {"{" + many(51, "hello") + "}", "repeats a field more than 50 times"},
		"500 mentions":                  {"{" + many(500, "__typename") + "}", "repeats a field more than 50 times"},
		"51 mentions below merged ones": {"{" + many(17, "me { id ... { id id } }") + "}", "repeats a field more than 50 times"},
		"bomb of 30":                    {bomb(30), "more than"},
		"bomb of 30, unused":            {"{ hello }" + strings.TrimPrefix(bomb(30), "{ me { ...F0 } }"), "more than"},
		"bomb over operations": {
			many(60, "query Q# { ...F }") + "fragment F on Query {" + many(14, "a#: hello") + "}", "",
		},
		"bomb over more operations": {
			many(100, "query Q# { ...F }") + "fragment F on Query {" + many(14, "a#: hello") + "}",
			"selects more than 1000 fields",
		},
		"100,000 directives": {"{ __typename " + strings.Repeat("@a ", 100_000) + "}", "more than 1000 tokens"},
		"10 directives":      {"{ __typename " + strings.Repeat("@aa ", 10) + "}", "Unknown directive"},
		"100,000 comments":   {"{ hello }" + strings.Repeat("#\n", 100_000), "more than 1000 tokens"},
		"a circle of fragments": {
			"{ me { ...A } } fragment A on User { friend { ...B } } fragment B on User { ...A id }", "spreads itself",
		},
		"a fragment within itself":    {"{ me { ...A } } fragment A on User { ...A }", "spreads itself"},
		"introspection of graphql-js": {read(t, "introspection.graphql"), ""},
		"introspection in circles": {
			"{ __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }",
			"round in circles",
		},
		"introspection, too deep": {
			"{ __schema { queryType " + strings.Repeat("{ ofType ", 20) + "{ name }" + strings.Repeat("}", 21) + " }",
			"nests more than 20 fields",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r *operation.Response
			least := time.Hour // of some tries, since others use the machine, too
			for i := 0; i == 0 || i < 10 && least > 250*time.Millisecond; i++ {
				began := time.Now()
				r = h.Execute(h.as(t, "users:read"), operation.Request{Query: test.query, OperationName: firstName(test.query)})
				least = min(least, time.Since(began))
			}
			if least > 250*time.Millisecond { // 50 ms is the aim; the rest is for the race detector
				t.Errorf("took %v", least)
			}
			answer := text(t, r)
			switch {
			case test.want == "" && r.Stage != operation.Executed, !strings.Contains(answer, test.want):
				t.Errorf("got %s, want %q", answer, test.want)
			case test.want != "" && len(answer) > 8192:
				t.Errorf("an answer of %d bytes", len(answer))
			}
		})
	}
}

// firstName returns the name to ask for in documents with several operations.
func firstName(query string) string {
	if strings.HasPrefix(query, "query Q0 ") {
		return "Q0"
	}
	return ""
}

func TestLimitsCanBeSet(t *testing.T) {
	h := newHouse(t, func(cfg *operation.Config) {
		cfg.Limits = operation.Limits{Tokens: 12, Selections: 4, Depth: 2, IntrospectionDepth: 2, Aliases: 1, Repeats: 2}
	})
	for query, want := range map[string]string{
		`{ hello hello }`:                         "",
		`{ hello hello hello }`:                   "more than 2 times",
		`{ hello a: hello }`:                      "more than 1 names",
		`{ me { friend { id } } }`:                "more than 2 fields",
		`{ __schema { types { name } } }`:         "more than 2 fields",
		`{ __typename hello me { id name } }`:     "more than 4 fields",
		`{ hello @include(if: true) any { id } }`: "more than 12 tokens",
	} {
		r := h.Execute(h.as(t), operation.Request{Query: query})
		if answer := text(t, r); want == "" && r.Stage != operation.Executed || !strings.Contains(answer, want) {
			t.Errorf("%s: %s, want %q", query, answer, want)
		}
	}
}

func TestControlCharactersAreRefused(t *testing.T) {
	h := newHouse(t)
	for _, literal := range []string{
		`"a\u0000b"`, `"a\u{0}b"`, `"a\u0007b"`, `"a\u001Bb"`, `"a\u007Fb"`, `"a\u0085b"`, `"a\bb"`, `"a\fb"`, `"\uD800"`,
		"\"a\x00b\"", "\"\"\"a\x00b\"\"\"", "\"\"\"a\x1bb\"\"\"", "\"a\u0085b\"", "\"a\x7fb\"", "\"a\xffb\"",
		"\"\"\"a\xffb\"\"\"",
	} {
		for _, query := range []string{
			`{ echo(string: ` + literal + `) }`,
			`{ echo(any: {a: [` + literal + `]}) }`,
			`query($v: String = ` + literal + `) { echo(string: $v) }`,
			literal + ` query Described { hello }`,
		} {
			r := h.Execute(t.Context(), operation.Request{Query: query})
			if answer := text(t, r); r.Stage != operation.Refused || !strings.Contains(answer, `"BAD_USER_INPUT"`) {
				t.Errorf("%q: %s", query, answer)
			}
		}
	}
	for _, literal := range []string{`"a\tb\n\r"`, "\"\"\"\n\ta\r\n\"\"\"", `"\u00e9 \u{1F600}"`, `"é"`} {
		if r := h.Execute(t.Context(), operation.Request{Query: `{ echo(string: ` +
			`` + literal + `) }`}); r.Stage != operation.Executed {
			t.Errorf("%q: %s", literal, text(t, r))
		}
	}
	for _, query := range []string{"{ hello \x00 }", "{ hello # \x00\n }", "{ hello } \x1b", "\ufffd{ hello }"} {
		if answer := text(t, h.Execute(t.Context(), operation.Request{Query: query})); !strings.Contains(answer,
			`"BAD_USER_INPUT"`) {
			t.Errorf("%q: %s", query, answer)
		}
	}
}
