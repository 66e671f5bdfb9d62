package operation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
	"gatehouse/internal/request"
)

const schema = `
directive @auth(scopes: [[String!]!]) repeatable on OBJECT | INTERFACE | FIELD_DEFINITION
directive @public(reason: String!) on FIELD_DEFINITION

type Query {
  me: User @auth
  node(id: ID!): Node @auth(scopes: [["users:read"]])
  users(first: Int = 20, after: String, colours: [Colour!], filter: Filter): [User!] @auth(scopes: [["users:read"]])
  echo(
    int: Int, float: Float, string: String, boolean: Boolean, id: ID, colour: Colour, any: Any,
    list: [Int!], grid: [[Int]], filter: Filter, pick: Pick, limit: Int! = 7
  ): String @public(reason: "Tests send values through it.")
  hello: String @public(reason: "Tests ask for it.")
  any: Union @public(reason: "Tests ask for it.")
}
type Mutation {
  login(input: LoginInput!): User @public(reason: "Tests sign in.")
  register(input: LoginInput!): User @public(reason: "Tests register.")
  rename(name: String!): User @auth
}
type Subscription { events: String @auth }
interface Node { id: ID! }
type User implements Node { id: ID! name: String friend: User friends(first: Int): [User!] }
type Group implements Node { id: ID! title: String name: String! }
union Union = User | Group
enum Colour { RED GREEN }
input LoginInput { email: String password: String! remember: Boolean! = true }
input Filter { name: String colours: [Colour!] = [RED] at: Filter min: Int! = 1 }
input Pick @oneOf { id: ID email: String }
scalar Any
`

// engine records what it is given and answers with result.
type engine struct {
	calls  []operation.Request
	result operation.Result
	panics any
	ending func() // what it does when nobody takes its results any more
}

func (e *engine) Execute(_ context.Context, req operation.Request) operation.Result {
	e.calls = append(e.calls, req)
	if e.panics != nil {
		panic(e.panics)
	}
	return e.result
}

// Subscribe answers as Execute does, over and over, until ctx ends; and then once more, as engines do.
func (e *engine) Subscribe(ctx context.Context, req operation.Request) iter.Seq[operation.Result] {
	return func(yield func(operation.Result) bool) {
		if e.ending != nil {
			defer e.ending()
		}
		for {
			if result := e.Execute(ctx, req); !yield(result) || ctx.Err() != nil {
				return
			}
		}
	}
}

// house is an executor with everything around it.
type house struct {
	*operation.Executor
	engine *engine
	log    *bytes.Buffer
	scopes *auth.Vocabulary
}

func newHouse(t testing.TB, change ...func(*operation.Config)) *house {
	t.Helper()
	once := func(cfg *operation.Config) { cfg.OncePerOperation = []string{"Mutation.login", "Mutation.register"} }
	return newHouseOf(t, schema, []string{"users:read"}, append([]func(*operation.Config){once}, change...)...)
}

// newHouseOf is a house with another schema.
func newHouseOf(t testing.TB, sdl string, scopes []string, change ...func(*operation.Config)) *house {
	t.Helper()
	loaded, err := operation.LoadSchema("test.graphqls", sdl)
	if err != nil {
		t.Fatal(err)
	}
	vocabulary, err := auth.NewVocabulary(scopes...)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.Compile(loaded, vocabulary, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{
		engine: &engine{result: operation.Result{Data: json.RawMessage(`{"ok":true}`)}}, log: &bytes.Buffer{},
		scopes: vocabulary,
	}
	cfg := operation.Config{
		Schema: loaded, Policy: rules, Engine: h.engine,
		Logger: slog.New(request.LogHandler(slog.NewTextHandler(h.log, nil))),
	}
	for _, f := range change {
		f(&cfg)
	}
	if h.Executor, err = operation.New(cfg); err != nil {
		t.Fatal(err)
	}
	return h
}

// as returns a context with a signed-in caller who holds the scopes.
func (h *house) as(t testing.TB, scopes ...string) context.Context {
	t.Helper()
	ctx := request.NewContext(t.Context(), request.Info{ID: "req-1"})
	return auth.NewContext(ctx, &auth.Caller{Scopes: h.scopes.Set(scopes...)})
}

// text returns the response as a client sees it.
func text(t testing.TB, r *operation.Response) string {
	t.Helper()
	body, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(body) {
		t.Fatalf("not JSON: %s", body)
	}
	return string(body)
}

// variables reads JSON as gqlhttp does.
func variables(t testing.TB, source string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(source))
	decoder.UseNumber()
	var into map[string]any
	if err := decoder.Decode(&into); err != nil {
		t.Fatal(err)
	}
	return into
}

func TestExecuteAnswers(t *testing.T) {
	h := newHouse(t)
	signedIn, reader := h.as(t), h.as(t, "users:read")
	expired := auth.NewContext(t.Context(), auth.Anonymous(fault.Anonymous(fault.Expired)))
	storageDown := auth.NewContext(t.Context(), auth.Anonymous(&fault.Error{Code: fault.Unavailable, Message: "Try again."}))
	two := `query A { hello } query B { me { id } }`

	for name, test := range map[string]struct {
		ctx       context.Context
		request   operation.Request
		stage     operation.Stage
		want      string // the whole response
		untouched bool   // the engine was not called
	}{
		"public, anonymous": {
			request: operation.Request{Query: `{ hello }`}, ctx: t.Context(),
			stage: operation.Executed, want: `{"data":{"ok":true}}`,
		},
		"protected, anonymous": {
			request: operation.Request{Query: `{ hello mine: me { id } }`}, ctx: t.Context(), untouched: true,
			stage: operation.Denied,
			want: `{"errors":[{"message":"Sign in first: send the access token as \"Authorization: Bearer <token>\".",` +
				`"locations":[{"line":1,"column":9}],"path":["mine"],` +
				`"extensions":{"code":"UNAUTHENTICATED","coordinate":"Query.me","reason":"MISSING"}}]}`,
		},
		"protected, expired": {
			request: operation.Request{Query: `{ me { id } }`}, ctx: expired, untouched: true,
			stage: operation.Denied,
			want: `{"errors":[{"message":"The access token has expired: get a new one with refresh, ` +
				`or log in again.","locations":[{"line":1,"column":3}],"path":["me"],` +
				`"extensions":{"code":"UNAUTHENTICATED","coordinate":"Query.me","reason":"EXPIRED"}}]}`,
		},
		"protected, storage down": {
			request: operation.Request{Query: `{ me { id } }`}, ctx: storageDown, untouched: true,
			stage: operation.Unavailable,
			want: `{"errors":[{"message":"Try again.","locations":[{"line":1,"column":3}],"path":["me"],` +
				`"extensions":{"code":"SERVICE_UNAVAILABLE","coordinate":"Query.me"}}]}`,
		},
		"public, storage down": {
			request: operation.Request{Query: `{ hello }`}, ctx: storageDown,
			stage: operation.Executed, want: `{"data":{"ok":true}}`,
		},
		"lacking a scope": {
			request: operation.Request{Query: `{ users { id } }`}, ctx: signedIn, untouched: true,
			stage: operation.Denied,
			want: `{"errors":[{"message":"Query.users requires the scope ` +
				`users:read.","locations":[{"line":1,"column":3}],"path":["users"],` +
				`"extensions":{"code":"FORBIDDEN","coordinate":"Query.users","requestId":"req-1",` +
				`"requiredScopes":[["users:read"]]}}]}`,
		},
		"holding it": {
			request: operation.Request{Query: `{ users { id } }`}, ctx: reader,
			stage: operation.Executed, want: `{"data":{"ok":true}}`,
		},
		"the named operation alone is decided": {
			request: operation.Request{Query: two, OperationName: "A"}, ctx: t.Context(),
			stage: operation.Executed, want: `{"data":{"ok":true}}`,
		},
		"no operation named": {
			request: operation.Request{Query: two}, ctx: signedIn, untouched: true, stage: operation.Refused,
			want: `{"errors":[{"message":"The document has several operations: say in operationName which to execute.",` +
				`"extensions":{"code":"BAD_USER_INPUT","requestId":"req-1"}}]}`,
		},
		"an unknown operation named": {
			request: operation.Request{Query: two, OperationName: "canary"}, ctx: signedIn, untouched: true,
			stage: operation.Refused,
			want: `{"errors":[{"message":"The document has no operation of the name in operationName.",` +
				`"extensions":{"code":"BAD_USER_INPUT","requestId":"req-1"}}]}`,
		},
		"a subscription": {
			request: operation.Request{Query: `subscription { events }`}, ctx: signedIn, untouched: true,
			stage: operation.Refused,
			want: `{"errors":[{"message":"A subscription has many answers: send it over a ` +
				`WebSocket, or accept text/event-stream.","locations":[{"line":1,"column":1}],` +
				`"extensions":{"code":"BAD_USER_INPUT","requestId":"req-1"}}]}`,
		},
		"no document": {
			request: operation.Request{}, ctx: t.Context(), untouched: true, stage: operation.Refused,
			want: `{"errors":[{"message":"The document has no operation.","extensions":{"code":"GRAPHQL_PARSE_FAILED"}}]}`,
		},
		"fragments only": {
			request: operation.Request{Query: `fragment F on User { id }`}, ctx: t.Context(), untouched: true,
			stage: operation.Refused,
			want:  `{"errors":[{"message":"The document has no operation.","extensions":{"code":"GRAPHQL_PARSE_FAILED"}}]}`,
		},
		"introspection, anonymous": {
			request: operation.Request{Query: `{ ...F } fragment F on Query { __type(name: "User") { name } }`},
			ctx:     t.Context(), untouched: true,
			stage: operation.Denied,
			want: `{"errors":[{"message":"Introspection is closed to anonymous callers. Sign in first: send the ` +
				`access token as ` +
				`\"Authorization: Bearer <token>\".","extensions":{"code":"UNAUTHENTICATED","reason":"MISSING"}}]}`,
		},
		"introspection, storage down": {
			request: operation.Request{Query: `{ __schema { queryType { name } } }`}, ctx: storageDown, untouched: true,
			stage: operation.Unavailable,
			want:  `{"errors":[{"message":"Try again.","extensions":{"code":"SERVICE_UNAVAILABLE"}}]}`,
		},
		"introspection, signed in": {
			request: operation.Request{Query: `{ __schema { queryType { name } } }`}, ctx: signedIn, untouched: true,
			stage: operation.Executed, want: `{"data":{"__schema":{"queryType":{"name":"Query"}}}}`,
		},
		"the name of the root type is no introspection": {
			request: operation.Request{Query: `{ __typename }`}, ctx: t.Context(),
			stage: operation.Executed, want: `{"data":{"ok":true}}`,
		},
		"two passwords": {
			request: operation.Request{Query: `mutation { ...F login(input: {password: "a"}) { id } } ` +
				`fragment F on Mutation { register(input: {password: "a"}) { id } }`},
			ctx: t.Context(), untouched: true, stage: operation.Refused,
			want: `{"errors":[{"message":"An operation can check one password, not ` +
				`several.","locations":[{"line":1,"column":17}],` +
				`"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`,
		},
		"one password field, under two names": {
			request: operation.Request{Query: `mutation { a: login(input: {password: "a"}) { id } b: login(input: ` +
				`{password: "b"}) { id } }`},
			ctx: t.Context(), untouched: true, stage: operation.Refused,
			want: `{"errors":[{"message":"An operation can check one password, not ` +
				`several.","locations":[{"line":1,"column":52}],` +
				`"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`,
		},
		"not included, by a variable": {
			request: operation.Request{
				Query: `query($v: Boolean!) { hello me @include(if: $v) { id } }`, Variables: map[string]any{"v": false},
			},
			ctx: t.Context(), stage: operation.Executed, want: `{"data":{"ok":true}}`,
		},
		"not included, by default": {
			request: operation.Request{Query: `query($v: Boolean = false) { hello me @include(if: $v) { id } }`},
			ctx:     t.Context(), stage: operation.Executed, want: `{"data":{"ok":true}}`,
		},
		"one password, mentioned twice": {
			request: operation.Request{Query: `mutation { ...F login(input: {password: "a"}) { id } } ` +
				`fragment F on Mutation { login(input: {password: "a"}) { name } }`},
			ctx: t.Context(), stage: operation.Executed, want: `{"data":{"ok":true}}`,
		},
		"@defer is not there": {
			request: operation.Request{Query: `{ ... @defer { hello } }`}, ctx: t.Context(), untouched: true,
			stage: operation.Refused,
			want: `{"errors":[{"message":"Unknown directive, or one that does not belong ` +
				`here.","locations":[{"line":1,"column":8}],` +
				`"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h.engine.calls = nil
			r := h.Execute(test.ctx, test.request)
			if r.Stage != test.stage {
				t.Errorf("stage %v, want %v", r.Stage, test.stage)
			}
			if got := text(t, r); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if untouched := len(h.engine.calls) == 0; untouched != test.untouched {
				t.Errorf("the engine was called %d times", len(h.engine.calls))
			}
		})
	}
}

func TestOpenIntrospectionIsForEverybody(t *testing.T) {
	h := newHouse(t, func(cfg *operation.Config) { cfg.OpenIntrospection = true })
	if r := h.Execute(t.Context(), operation.Request{Query: `{ __schema { queryType { name } } ` +
		`}`}); r.Stage != operation.Executed {
		t.Error(text(t, r))
	}
	// Being open is no way round the rules beside it.
	r := h.Execute(t.Context(), operation.Request{Query: `{ __schema { queryType { name } } me { id } }`})
	if r.Stage != operation.Denied {
		t.Error(text(t, r))
	}
}

func TestResponseNamesTheOperation(t *testing.T) {
	h := newHouse(t)
	for query, want := range map[string][2]string{
		`query Who { me { id } }`:                {"Who", "query"},
		`{ hello }`:                              {"", "query"},
		`mutation M { rename(name: "") { id } }`: {"M", "mutation"},
		`subscription S { events }`:              {"S", "subscription"},
		`query Bad { nope }`:                     {"", ""},
	} {
		r := h.Execute(t.Context(), operation.Request{Query: query})
		if got := [2]string{r.OperationName, r.OperationType}; got != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	loaded, err := operation.LoadSchema("test.graphqls", schema)
	if err != nil {
		t.Fatal(err)
	}
	vocabulary, err := auth.NewVocabulary("users:read")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.Compile(loaded, vocabulary, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	complete := operation.Config{Schema: loaded, Policy: rules, Engine: &engine{}, Logger: slog.New(slog.DiscardHandler)}
	for name, change := range map[string]func(*operation.Config){
		"no schema":          func(c *operation.Config) { c.Schema = nil },
		"no policy":          func(c *operation.Config) { c.Policy = nil },
		"no engine":          func(c *operation.Config) { c.Engine = nil },
		"no logger":          func(c *operation.Config) { c.Logger = nil },
		"a field misspelled": func(c *operation.Config) { c.OncePerOperation = []string{"Mutation.signIn"} },
		"a type misspelled":  func(c *operation.Config) { c.OncePerOperation = []string{"Mutations.login"} },
		"not a root field":   func(c *operation.Config) { c.OncePerOperation = []string{"User.id"} },
	} {
		cfg := complete
		change(&cfg)
		if _, err := operation.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := operation.New(complete); err != nil {
		t.Error(err)
	}
}

func TestLoadSchemaSaysWhere(t *testing.T) {
	for source, want := range map[string]string{
		"type Query {\n  a: Nope\n}":                         "test.graphqls:2",
		"type Query {\n  a String\n}":                        "test.graphqls:2",
		"directive @slow on FIELD\ntype Query { a: String }": "@slow is declared on FIELD, where nothing heeds it",
		"type Other { a: String }":                           "test.graphqls defines no query type",
	} {
		_, err := operation.LoadSchema("test.graphqls", source)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", source, err, want)
		}
	}
}

// A field of the root is that field also where a fragment names an interface of the root.
func TestOnePasswordThroughAnInterface(t *testing.T) {
	sdl := strings.Replace(schema, "type Mutation {", "interface Doors { login(input: LoginInput!): User }\n"+
		"extend type Mutation implements Doors\ntype Mutation {", 1)
	h := newHouseOf(t, sdl, []string{"users:read"}, func(cfg *operation.Config) {
		cfg.OncePerOperation = []string{"Mutation.login", "Mutation.register"}
	})
	for _, query := range []string{
		`mutation { a: login(input: {password: "x"}) { id } ... on Doors { b: login(input: {password: "y"}) { id } } }`,
		`mutation { ...F } fragment F on Doors { a: login(input: {password: "x"}) { id } b: login(input: {password: "y"}) { id } }`,
		`mutation { ... on Doors { a: login(input: {password: "x"}) { id } } b: register(input: {password: "y"}) { id } }`,
	} {
		r := h.Execute(t.Context(), operation.Request{Query: query})
		if r.Stage != operation.Refused || !strings.Contains(text(t, r), "can check one password") {
			t.Errorf("%s: %s", query, text(t, r))
		}
	}
	once := operation.Request{Query: `mutation { ... on Doors { login(input: {password: "x"}) { id } } }`}
	if r := h.Execute(t.Context(), once); r.Stage != operation.Executed {
		t.Error(text(t, r))
	}
}
