package server

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/graph"
	"gatehouse/internal/operation"
	"gatehouse/internal/store/storetest"
)

// shot is one request of an attack, and what has to come of it.
type shot struct {
	name    string
	method  string // POST where it is empty
	target  string // /graphql where it is empty
	body    func() io.Reader
	headers []string
	status  int
	says    string // stands in the answer
	unsaid  []string
}

// refused and harmless are the two ways an attack may end: with nothing but errors, of which one has the code, or with an answer
// that has the text.
func refused(name, body string, status int, code string) shot {
	return shot{name: name, body: text(body), status: status, says: `"code":"` + code + `"`, unsaid: []string{`"data"`}}
}

func harmless(name, body, says string) shot {
	return shot{name: name, body: text(body), status: http.StatusOK, says: says, unsaid: []string{`"errors"`}}
}

func text(body string) func() io.Reader { return func() io.Reader { return strings.NewReader(body) } }

// ask is the body that asks for the query.
func ask(query string) string {
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return err.Error()
	}
	return string(body)
}

const (
	badInput  = "BAD_USER_INPUT"
	notValid  = "GRAPHQL_VALIDATION_FAILED"
	notFound  = "PERSISTED_QUERY_NOT_FOUND"
	anonymous = "UNAUTHENTICATED"
)

// attacks returns the requests of every attack in the catalogue.
func attacks() map[string][]shot {
	repeat := strings.Repeat
	aliases, fragments := "", ""
	for i := range 101 {
		aliases += fmt.Sprintf("alias%d:__typename ", i)
	}
	for i := range 30 {
		fragments += fmt.Sprintf("fragment F%d on Query { ...F%d ...F%d } ", i, i+1, i+1)
	}
	nested := func(depth int) string {
		return "{ __schema { types " + repeat("{ ofType ", depth-3) + "{ name }" + repeat(" }", depth-3) + " } }"
	}
	upgrade := []string{
		"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Protocol: graphql-transport-ws",
	}
	const other = "Sec-WebSocket-Protocol: graphql-ws" // in place of the one above
	persisted := func(query, hash string) string {
		return `{` + query + `"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}}`
	}
	someHash := repeat("ab", 32)
	return map[string][]shot{
		"alias-overload": {refused("101 aliases", ask("query cop { "+aliases+"}"), 400, notValid)},
		"circular-introspection": {
			refused("as scanners send it", ask("{__schema{types{"+repeat("fields{type{", 4)+"name"+repeat("}", 11)), 400, notValid),
			harmless("one round", ask("{__schema{types{fields{type{name}}}}}"), `{"data":{"__schema":{"types":[`),
		},
		"field-duplication": {refused("500 times", ask("{ "+repeat("__typename ", 500)+"}"), 400, notValid)},
		"get-query": {
			{
				name: "a query", method: "GET", target: "/graphql?query=%7B__typename%7D", status: 200,
				says: `{"data":{"__typename":"Query"}}`, unsaid: []string{`"errors"`},
			},
			{
				name: "a protected one", method: "GET", target: "/graphql?query=%7Bme%7Bid%7D%7D", status: 200, says: anonymous,
				unsaid: []string{`"data"`},
			},
			{name: "a mutation", method: "GET", target: "/graphql?query=mutation%7B__typename%7D", status: 405, says: badInput},
		},
		"text-plain-post": {
			{
				name: "as a form sends it", body: text(ask("{ __typename }")), headers: []string{"Content-Type: text/plain"}, status: 415,
				says: badInput,
			},
		},
		"graphiql": {
			{
				name: "the front page", method: "GET", target: "/", headers: []string{"Accept: text/html"}, status: 200,
				says: "Gatehouse", unsaid: []string{"__schema"},
			},
			{
				name: "where it usually is", method: "GET", target: "/graphiql", headers: []string{"Accept: text/html"}, status: 404,
				says: "Nothing answers here",
			},
		},
		"trace-mode": {
			{
				name: "asked for", body: text(`{"query":"{ __typename }","extensions":{"tracing":true}}`),
				headers: []string{"X-Apollo-Tracing: 1"}, status: 200, says: `{"data":{"__typename":"Query"}}`,
			},
		},
		"deep-recursion": {
			harmless("7", ask(nested(7)), `{"data":{"__schema":{"types":[`),
			refused("100", ask(nested(100)), 400, notValid),
			refused("100, of no known field", ask("{"+repeat("a{", 99)+"a"+repeat("}", 100)), 400, notValid),
			refused("100000", ask(repeat("{a", 100_000)), 400, notValid),
			refused("100000, in a value", ask("{ user(id: "+repeat("[", 100_000)), 400, notValid),
		},
		"fragment-bomb": {refused("30", ask("{ ...F0 } "+fragments+"fragment F30 on Query { __typename }"), 400, notValid)},
		"char-flood": {
			refused("15,001, a name", ask("{ "+repeat("a", 14_997)+" }"), 400, notValid),
			harmless("15,001, a comment", ask("{ __typename } #"+repeat("a", 14_985)), `{"data":{"__typename":"Query"}}`),
			{
				name: "64 MB", body: func() io.Reader { return io.LimitReader(letters{}, 64_000_000) }, status: 413, says: badInput,
			},
		},
		"variables-bomb": {
			refused("100k deep", `{"query":"{ __typename }","variables":{"a":`+repeat("[", 100_000)+repeat("]", 100_000)+`}}`, 400,
				badInput),
			harmless("as many keys as fit", `{"query":"{ __typename }","variables":{"first":0`+keys(24_000)+`}}`,
				`{"data":{"__typename":"Query"}}`),
			refused("1e6 keys", `{"query":"{ __typename }","variables":{"first":0`+keys(1_000_000)+`}}`, 413, badInput),
		},
		// On the socket itself TestSocketFlood plays it.
		"ws-flood-subs": {
			{name: "another protocol", method: "GET", headers: append(upgrade, other), status: 400, says: "graphql-transport-ws"},
		},
		"ws-origin": {
			{name: "upgrade", method: "GET", headers: append(upgrade, "Origin: https://evil"), status: 403, says: "FORBIDDEN"},
		},
		// A document is registered under the hash that it has, and under no other.
		"apq-poison": {
			refused("a hash alone", persisted("", someHash), 400, notFound),
			refused("another's hash", persisted(`"query":"{ __typename }",`, someHash), 400, badInput),
			refused("that hash alone", persisted("", someHash), 400, notFound),
			refused("no hash", persisted("", "0"), 400, badInput),
			{
				name: "another's hash in a URL", method: "GET", status: 400, says: badInput, unsaid: []string{`"data"`},
				target: "/graphql?query=%7B__typename%7D&extensions=" +
					url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"`+someHash+`"}}`),
			},
		},
		"skip-include": skipInclude(),
		"directive-overload": {
			refused("10", ask("{ __typename "+repeat("@aa ", 10)+"}"), 400, notValid),
			refused("100000", ask("{ __typename "+repeat("@a", 100_000)+"}"), 400, notValid),
			refused("150 that exist", ask("{ __typename "+repeat("@skip(if:false)", 150)+"}"), 400, notValid),
		},
	}
}

// skipInclude returns protected fields in every disguise.
func skipInclude() []shot {
	var shots []shot
	for _, query := range []string{
		"{ me @include(if: true) { id } }",
		"{ __typename me @skip(if: false) { id } }",
		"query($v: Boolean = true) { ... @include(if: $v) { me { id } } }",
		"query($v: Boolean = true) { __typename @include(if: $v) ...F @skip(if: false) } fragment F on Query { a: me { id } }",
		"{ ... on Query { ... { __typename ...F } } } fragment F on Query { ...G } fragment G on Query { users { nodes { id } } }",
		"{ me @skip(if: true) { id } b: me { id } }",
		"{ thing { z: secret } }",
		"{ thing { ... on Safe @include(if: true) { ... { secret } } } }",
		"{ either { ... on Thing { ... @skip(if: false) { a: secret } } } }",
		"{ either { ...S } } fragment S on Safe { ...T } fragment T on Thing { secret }",
		"query($v: Boolean = true) { either { ... on User { id email @include(if: $v) } } }",
		"query($v: Boolean! = true) { thing { id ... on Thing @include(if: $v) { ... on Safe { b: secret @skip(if: false) } } } }",
	} {
		shots = append(shots, refused(query, ask(query), 200, anonymous))
	}
	return append(shots,
		harmless("left out", ask("{ __typename me @skip(if: true) { id } }"), `{"data":{"__typename":"Query"}}`),
		harmless("left out, an interface", ask("{ __typename thing @include(if: false) { secret } }"),
			`{"data":{"__typename":"Query"}}`))
}

// exposed is Gatehouse with a protected field that an interface and a union lead to, and a count of how often that was resolved.
func exposed() (program Program, resolved *atomic.Int64) {
	resolved = new(atomic.Int64)
	return Program{Schema: graph.Schema, Extension: Extension{
		Name: "exposed",
		Schema: `
extend type Query {
  thing: Thing @public(reason: "Leads to what is protected.")
  either: Either @public(reason: "Leads to what is protected.")
}
interface Thing { id: ID! secret: String @auth }
type Safe implements Thing { id: ID! secret: String }
union Either = Safe | User
`,
		Bind: func(sdl string, house House) (operation.Engine, error) {
			return graph.Extend(sdl, house.Features, graph.Resolvers[graph.User]{
				User:  func(own graph.User) *graph.User { return &own },
				Query: func(own *graph.Query[graph.User]) any { return &exposedQuery{own, resolved} },
			})
		},
	}}, resolved
}

type exposedQuery struct {
	*graph.Query[graph.User]

	resolved *atomic.Int64
}

func (q *exposedQuery) Thing() *thing {
	q.resolved.Add(1)
	return new(thing)
}

func (q *exposedQuery) Either() *thing { return q.Thing() }

type thing struct{}

func (*thing) ID() graph.ID                { return "1" }
func (*thing) Secret() *string             { return new("seen") }
func (t *thing) ToSafe() (*thing, bool)    { return t, true }
func (*thing) ToUser() (*graph.User, bool) { return nil, false }

// keys returns n more members of an object.
func keys(n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, `,"%x":0`, i)
	}
	return all.String()
}

// letters is a reader without end that takes no memory.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// What an attack may cost at most. The time is for the program as it is built; under the race detector it is longer, and so make
// test runs this test without it, too.
const (
	mostTime   = 50 * time.Millisecond * slowdown
	mostMemory = 32 << 20
)

// tries is how often a request may be made until it costs no more. The machine may be busy with something else; what costs too
// much by itself does so every time.
const tries = 10

// TestGraphQLAttacks runs the catalogue of attacks against a running server. It does not run beside other tests, since it
// measures the time and the memory that client and server take together.
func TestGraphQLAttacks(t *testing.T) {
	listed, err := os.ReadFile(filepath.Join("testdata", "graphql", "attack-catalogue.json"))
	if err != nil {
		t.Fatal(err)
	}
	var catalogue []struct{ ID string }
	if err := json.Unmarshal(listed, &catalogue); err != nil {
		t.Fatal(err)
	}
	known := attacks()
	program, resolved := exposed()
	s := startProgram(t, program, wall, storetest.URL(t, storetest.SQLite), "--log-level=error")
	var most costs
	for _, entry := range catalogue {
		shots, ok := known[entry.ID]
		if !ok {
			t.Errorf("%s: nobody has said what comes of it", entry.ID)
		}
		for _, shot := range shots {
			t.Run(entry.ID+"/"+shot.name, func(t *testing.T) { most.raise(s.take(t, shot)) })
		}
	}
	t.Logf("at most %v and %d KiB", most.time, most.memory>>10)
	if n := resolved.Load(); n > 0 {
		t.Errorf("%d resolvers ran on the way to what was refused", n)
	}
	if got := s.ask(t, "", "{ __typename }", nil); got.at("__typename") != "Query" {
		t.Errorf("afterwards: %s", got.Body)
	}
}

// costs is what a request takes of client and server together.
type costs struct {
	time   time.Duration
	memory uint64
}

func (c *costs) raise(other costs) {
	c.time, c.memory = max(c.time, other.time), max(c.memory, other.memory)
}

func (c *costs) tooMuch() bool { return c.time > mostTime || c.memory > mostMemory }

// take sends the shot three times, or until it costs no more than it may, and returns the least that it took.
func (s *testServer) take(t *testing.T, shot shot) costs {
	t.Helper()
	least := costs{time.Hour, 1 << 62}
	for i := 0; i < 3 || i < tries && least.tooMuch(); i++ {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := s.fire(t, shot)
		runtime.ReadMemStats(&after)
		least.time, least.memory = min(least.time, got.Took), min(least.memory, after.TotalAlloc-before.TotalAlloc)
		if got.Status != shot.status || !strings.Contains(got.Body, shot.says) {
			t.Fatalf("%d: %.1000s", got.Status, got.Body)
		}
		for _, unsaid := range shot.unsaid {
			if strings.Contains(got.Body, unsaid) {
				t.Errorf("the answer has %s: %.1000s", unsaid, got.Body)
			}
		}
		if strings.Contains(got.Body, strings.Repeat("a", 20)) || strings.Contains(got.Body, "tracing") ||
			got.Header.Get("Upgrade") != "" || got.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("the answer gives away: %v %.1000s", got.Header, got.Body)
		}
	}
	if least.tooMuch() {
		t.Errorf("took %v and %d KiB", least.time, least.memory>>10)
	}
	return least
}

// fire sends a request whose body need not be in memory.
func (s *testServer) fire(t *testing.T, shot shot) answer {
	t.Helper()
	method, target := http.MethodPost, "/graphql"
	if shot.method != "" {
		method = shot.method
	}
	if shot.target != "" {
		target = shot.target
	}
	var body io.Reader
	if shot.body != nil {
		body = shot.body()
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+target, body)
	if err != nil {
		t.Fatal(err)
	}
	if shot.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, header := range shot.headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	start := wall()
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return answer{Status: response.StatusCode, Header: response.Header, Body: string(payload), Took: wall().Sub(start)}
}

// TestManyHashesAreForgotten sends 10,000 distinct hashes of persisted queries, with their document, with another one and alone,
// and looks at what is left of them: little, and a document that somebody else is using all the while.
func TestManyHashesAreForgotten(t *testing.T) {
	s := startServer(t, storetest.SQLite, "--log-level=error")
	send := func(query, hash string, status int) {
		body := fmt.Sprintf(`{%s"extensions":{"persistedQuery":{"version":1,"sha256Hash":%q}}}`, query, hash)
		if got := s.fire(t, shot{body: text(body)}); got.Status != status {
			t.Fatalf("%s: %d %s", body, got.Status, got.Body)
		}
	}
	const inUse = "{ inUse: __typename }"
	hashOf := func(document string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(document))) }
	send(fmt.Sprintf(`"query":%q,`, inUse), hashOf(inUse), http.StatusOK)
	flood := func(from, to int) {
		for i := from; i < to; i++ {
			document := fmt.Sprintf("{ a%d: __typename }", i)
			query := fmt.Sprintf(`"query":%q,`, document)
			switch i % 4 {
			case 0:
				send("", hashOf(document), http.StatusBadRequest)
			case 1:
				send(query, hashOf(inUse), http.StatusBadRequest)
			default:
				send(query, hashOf(document), http.StatusOK)
			}
			if i%50 == 0 {
				send("", hashOf(inUse), http.StatusOK)
			}
		}
	}
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	flood(0, 100)
	before := held()
	flood(100, 10_100)
	if after := held(); after > before+mostMemory {
		t.Errorf("%d KiB are held, %d before", after>>10, before>>10)
	}
}
