package gqlhttp

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/operation"
)

func decode(text string) (operation.Request, *refusal) {
	s := newScratch()
	if err := s.fill(strings.NewReader(text)); err != nil {
		return operation.Request{}, errUnread
	}
	return s.decode()
}

func TestDecodeAccepts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		want operation.Request
	}{
		"the query alone":    {`{"query":"{ me }"}`, operation.Request{Query: "{ me }"}},
		"white space around": {" \r\n\t{ \"query\" : \"{ me }\" } \n", operation.Request{Query: "{ me }"}},
		"every member": {
			`{"query":"q","operationName":"A","variables":{},"extensions":{"a":[1]}}`,
			operation.Request{Query: "q", OperationName: "A", Variables: map[string]any{}},
		},
		"nulls where allowed": {
			`{"query":"q","operationName":null,"variables":null,"extensions":null}`,
			operation.Request{Query: "q"},
		},
		"an unknown member": {
			`{"query":"q","id":"x","doc_id":{"a":[1,{"b":null}]}}`,
			operation.Request{Query: "q"},
		},
		"layout in strings": {`{"query":"{\r\n\tme\n}"}`, operation.Request{Query: "{\r\n\tme\n}"}},
		"escapes": {
			`{"query":"\u007b me \u00e9 \ud83d\ude00 \/ \" \\ \u007d"}`,
			operation.Request{Query: "{ me é 😀 / \" \\ }"},
		},
		"an astral character": {`{"query":"😀"}`, operation.Request{Query: "😀"}},
		"the deepest nesting": {
			`{"query":"q","variables":{"a":` + strings.Repeat("[", maxDepth-2) + strings.Repeat("]", maxDepth-2) + `}}`,
			operation.Request{Query: "q", Variables: map[string]any{"a": nested(maxDepth - 2)}},
		},
		"the same name elsewhere": {
			`{"query":"q","variables":{"a":{"b":1},"b":{"b":2}}}`,
			operation.Request{Query: "q", Variables: map[string]any{
				"a": map[string]any{"b": json.Number("1")}, "b": map[string]any{"b": json.Number("2")},
			}},
		},
		"an empty operation name":  {`{"query":"q","operationName":""}`, operation.Request{Query: "q"}},
		"a name that needs escape": {`{"\u0071uery":"q"}`, operation.Request{Query: "q"}},
		"every kind of variable": {
			`{"query":"q","variables":{"s":"x","i":7,"f":-1.50e3,"big":12345678901234567890,
				"t":true,"u":false,"n":null,"l":[1,"a",[]],"o":{}}}`,
			operation.Request{Query: "q", Variables: map[string]any{
				"s": "x", "i": json.Number("7"), "f": json.Number("-1.50e3"), "big": json.Number("12345678901234567890"),
				"t": true, "u": false, "n": nil, "l": []any{json.Number("1"), "a", []any{}}, "o": map[string]any{},
			}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, refused := decode(test.body)
			if refused != nil {
				t.Fatalf("refused: %s", refused.message)
			}
			// Not by cmp.Diff, whose time doubles with each level of nesting.
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("decoded %#v, want %#v", got, test.want)
			}
		})
	}
}

// nested returns arrays nested to the given depth, the innermost empty.
func nested(depth int) []any {
	if depth == 1 {
		return []any{}
	}
	return []any{nested(depth - 1)}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	syntax := func(at string) string { return "The body is not JSON in UTF-8: it goes wrong after byte " + at + "." }
	tests := map[string]struct{ body, want string }{
		"nothing":                      {``, errNotObject.message},
		"white space":                  {" \n", errNotObject.message},
		"words":                        {`hello`, errNotObject.message},
		"a string":                     {`"query"`, errNotObject.message},
		"null":                         {`null`, errNotObject.message},
		"a batch":                      {`[{"query":"{ me }"}]`, errBatch.message},
		"an empty object":              {`{}`, errNoQuery.message},
		"an empty query":               {`{"query":""}`, errNoQuery.message},
		"a null query":                 {`{"query":null}`, errNoQuery.message},
		"a query of another type":      {`{"query":{"a":1}}`, errQueryType.message},
		"an operation name of another": {`{"query":"q","operationName":1}`, errOperationNameType.message},
		"variables of another type":    {`{"query":"q","variables":[]}`, errVariablesType.message},
		"variables as a string":        {`{"query":"q","variables":"{}"}`, errVariablesType.message},
		"extensions of another type":   {`{"query":"q","extensions":true}`, errExtensionsType.message},
		"a second object":              {`{"query":"q"}{}`, errTrailing.message},
		"something behind":             {`{"query":"q"}x`, errTrailing.message},
		"a member twice":               {`{"query":"q","query":"p"}`, errDuplicate.message},
		"a member twice, escaped":      {`{"query":"q","\u0071uery":"p"}`, errDuplicate.message},
		"a variable twice":             {`{"query":"q","variables":{"a":1,"b":2,"a":3}}`, errDuplicate.message},
		"an unknown name twice":        {`{"query":"q","x":{"y":{"a":1,"a":1}}}`, errDuplicate.message},
		"one level too deep": {
			`{"query":"q","variables":{"a":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + `}}`,
			errDeep.message,
		},
		"absurdly deep":                 {`{"query":"q","x":` + strings.Repeat("[", 9000), errDeep.message},
		"NUL in the query":              {`{"query":"a\u0000b"}`, errControl.message},
		"escape in the query":           {`{"query":"\u001b[2J"}`, errControl.message},
		"delete in a variable":          {`{"query":"q","variables":{"a":["\u007f"]}}`, errControl.message},
		"a C1 control in a variable":    {"{\"query\":\"q\",\"variables\":{\"a\":\"\u0085\"}}", errControl.message},
		"NUL in a variable's name":      {`{"query":"q","variables":{"a\u0000":1}}`, errControl.message},
		"NUL in the operation name":     {`{"query":"q","operationName":"\u0000"}`, errControl.message},
		"NUL in an unknown member":      {`{"query":"q","x":["\u0000"]}`, errControl.message},
		"NUL in the extensions":         {`{"query":"q","extensions":{"a":"\u0000"}}`, errControl.message},
		"a raw line feed":               {"{\"query\":\"a\nb\"}", syntax("11")},
		"invalid UTF-8":                 {"{\"query\":\"a\xff\"}", syntax("11")},
		"overlong UTF-8":                {"{\"query\":\"\xc0\x80\"}", syntax("10")},
		"a surrogate as UTF-8":          {"{\"query\":\"\xed\xa0\x80\"}", syntax("10")},
		"a lone high surrogate":         {`{"query":"\ud800"}`, syntax("10")},
		"a lone low surrogate":          {`{"query":"\udc00"}`, syntax("10")},
		"two high surrogates":           {`{"query":"\ud800\ud800"}`, syntax("10")},
		"a lone surrogate in a name":    {`{"query":"q","variables":{"\ud800":1}}`, syntax("27")},
		"a byte order mark":             {"\xef\xbb\xbf{\"query\":\"q\"}", errNotObject.message},
		"an unquoted name":              {`{query:"q"}`, syntax("1")},
		"single quotes":                 {`{'query':'q'}`, syntax("1")},
		"a trailing comma":              {`{"query":"q",}`, syntax("12")},
		"a comment":                     {`{"query":"q"/**/}`, syntax("12")},
		"a missing colon":               {`{"query" "q"}`, syntax("9")},
		"not a number":                  {`{"query":"q","variables":{"a":NaN}}`, syntax("30")},
		"a number with a leading zero":  {`{"query":"q","variables":{"a":01}}`, syntax("31")},
		"broken off in the object":      {`{"query":"q"`, syntax("12")},
		"broken off in a string":        {`{"query":"q`, syntax("11")},
		"broken off in the variables":   {`{"query":"q","variables":{"a":`, syntax("30")},
		"broken off behind a name":      {`{"query"`, syntax("8")},
		"an invalid value of a member":  {`{"query":x}`, syntax("9")},
		"an invalid value of variables": {`{"query":"q","variables":nope}`, syntax("26")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, refused := decode(test.body)
			if refused == nil {
				t.Fatal("accepted")
			}
			if refused.status != 400 || refused.message != test.want {
				t.Errorf("refused with %d %q, want 400 %q", refused.status, refused.message, test.want)
			}
		})
	}
}

// TestDecodeReuse shows that nothing of one body is left for the next.
func TestDecodeReuse(t *testing.T) {
	t.Parallel()
	s := newScratch()
	half := `{"query":"q","variables":{"password":"canary"}`
	if err := s.fill(strings.NewReader(half)); err != nil {
		t.Fatal(err)
	}
	if _, refused := s.decode(); refused == nil {
		t.Fatal("accepted half a body")
	}
	if !s.wipe() {
		t.Fatal("a small scratch was not kept")
	}
	if bytes.Contains(s.in.AvailableBuffer()[:len(half)], []byte("canary")) {
		t.Error("the buffer still holds the body")
	}
	if err := s.fill(strings.NewReader(`{"query":"{ me }"}`)); err != nil {
		t.Fatal(err)
	}
	req, refused := s.decode()
	if refused != nil {
		t.Fatalf("refused: %s", refused.message)
	}
	if want := (operation.Request{Query: "{ me }"}); !reflect.DeepEqual(req, want) {
		t.Errorf("decoded %#v, want %#v", req, want)
	}
}

// FuzzDecode holds the decoder against encoding/json: whatever it accepts means the same there, and whatever it refuses it
// refuses with a message of its own.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"query":"{ me }"}`,
		`{"query":"q","operationName":"A","variables":{"a":[1,2.5e3,null,true,{"b":"é"}]},"extensions":{}}`,
		`{"query":"q","query":"p"}`, `[{}]`, `{"query":"\ud800"}`, "{\"query\":\"\xff\"}", `{"query":"\u0000"}`, `{"query":"q"}x`,
		`{"query":"q","variables":` + strings.Repeat(`{"a":`, 40),
	} {
		f.Add([]byte(seed))
	}
	offset := regexp.MustCompile(`byte \d+\.$`)
	own := map[string]bool{"The body is not JSON in UTF-8: it goes wrong after byte 0.": true}
	for _, refused := range []*refusal{
		errBatch, errNotObject, errNoQuery, errTrailing, errDeep, errControl, errDuplicate,
		errQueryType, errOperationNameType, errVariablesType, errExtensionsType,
	} {
		own[refused.message] = true
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, refused := decode(string(text))
		if refused != nil {
			if message := offset.ReplaceAllString(refused.message, "byte 0."); !own[message] {
				t.Fatalf("an unknown message: %q", refused.message)
			}
			return
		}
		if want := standard(t, text); !reflect.DeepEqual(got, want) {
			t.Fatalf("decoded %#v, encoding/json %#v", got, want)
		}
		if !utf8.ValidString(got.Query) || strings.ContainsFunc(got.Query, forbidden) {
			t.Fatalf("let through %q", got.Query)
		}
	})
}

// standard decodes text with encoding/json, but compares names as the specification has it: exactly.
func standard(t *testing.T, text []byte) operation.Request {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("accepted what encoding/json refuses: %v", err)
	}
	var req operation.Request
	for name, target := range map[string]any{"query": &req.Query, "operationName": &req.OperationName, "variables": &req.Variables} {
		if members[name] == nil {
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(members[name]))
		decoder.UseNumber()
		if err := decoder.Decode(target); err != nil {
			t.Fatalf("accepted a member %q that encoding/json refuses: %v", name, err)
		}
	}
	return req
}
