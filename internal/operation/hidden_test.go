package operation_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"regexp"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
)

// veiled is a schema with hidden fields, a hidden type, and types that only those lead to. Lines that end in a comment are
// hidden with it: without them it is the schema as it is for somebody who does not hold audit:read.
const veiled = `
directive @auth(
  scopes: [[String!]!] owner: String orScopes: [[String!]!] maxAge: Int acr: String hidden: Boolean = false
) repeatable on OBJECT | INTERFACE | FIELD_DEFINITION
directive @public(reason: String!) on FIELD_DEFINITION
directive @own on FIELD_DEFINITION

type Query {
  me: User @auth
  search: [Found!] @auth
  node(id: ID!): Node @auth
  audit(filter: AuditFilter, kind: AuditKind = LOGIN, at: Moment): AuditPage @auth(scopes: [["audit:read"]], hidden: true) #
  vault: Vault @auth #
  treasures: [Treasure] @auth(scopes: [["audit:read"]], hidden: true) #
}
type Mutation {
  rename(input: RenameInput!): User @auth
  purge(input: PurgeInput!): Int @auth(scopes: [["audit:read"]], hidden: true) #
}
type User implements Node & Named {
  id: ID!
  name: String
  vault: Vault #
  watched: Int @auth(scopes: [["audit:read"]], hidden: true) #
}
type Team implements Node {
  id: ID!
  lead: User
}
interface Node {
  id: ID!
}
interface Named {
  name: String
}
interface Logged { at: Moment } #
type AuditPage implements Logged { at: Moment entries: [AuditEntry!] } #
type AuditEntry implements Logged { at: Moment kind: AuditKind cause: Cause } #
union Cause = AuditPage | AuditEntry #
union Found = User | Team
type Vault implements Named @auth(scopes: [["audit:read"]], hidden: true) { gold: Float name: String } #
union Treasure = Vault | Team #
input RenameInput { name: String! }
input PurgeInput { before: Moment! } #
input AuditFilter { since: Moment nested: AuditFilter } #
enum AuditKind { LOGIN LOGOUT } #
scalar Moment #
`

var hiddenLine = regexp.MustCompile(`(?m)^.* #$\n`)

// bare is veiled for those who do not see the veiled.
func bare() string { return hiddenLine.ReplaceAllString(veiled, "") }

// blind returns contexts of callers who see nothing that is hidden.
func (h *house) blind(t testing.TB) map[string]context.Context {
	t.Helper()
	return map[string]context.Context{
		"without the scope": h.as(t),
		"nobody":            t.Context(),
		"expired":           auth.NewContext(t.Context(), auth.Anonymous(fault.Anonymous(fault.Expired))),
	}
}

// Every document names something hidden between angle brackets. For whoever does not see it, the answer is the one that they get
// for a name that nothing has; and so it stays after somebody who does see it has used the same document.
func TestHiddenAnswersAsUnknown(t *testing.T) {
	for _, document := range []string{
		`{ <audit> { at } }`,
		`{ <audit> }`,
		`{ x: <audit>(kind: LOGIN, filter: {since: 3}) { entries { kind } } }`,
		`{ me { id <watched> } }`,
		`{ me { <vault> { gold } } }`,
		`{ <vault> { gold } me { id } }`,
		`{ <vault> { __typename } }`,
		`query($v: Boolean = false) { me { id <watched> @include(if: $v) } }`,
		`{ me { id <watched> @skip(if: true) } }`,
		`{ me { ...F } } fragment F on User { id <watched> }`,
		`{ search { ... on User { <watched> } } }`,
		`{ me { ... on <Vault> { gold } } }`,
		`{ me { ... on Named { name ... on <Vault> { gold } } } }`,
		`{ <treasures> { ... on Team { id } } }`,
		`{ me { ... on <Treasure> { __typename } } }`,
		`{ node(id: 1) { ... on <Logged> { id } } }`,
		`{ node(id: 1) { ...F } } fragment F on <AuditEntry> { kind }`,
		`{ me { ...F id } } fragment F on <Cause> { __typename }`,
		`query($v: <AuditFilter>) { me { id } }`,
		`query($v: [<AuditKind>!]! = [LOGIN]) { me { id } }`,
		`query($v: <Moment>) { node(id: $v) { id } }`,
		`query($v: <Float> = 1.5) { node(id: $v) { id } }`,
		`mutation { <purge>(input: {before: 1}) }`,
		`mutation($v: <PurgeInput>!) { <purge>(input: $v) }`,
		`{ __type(name: "<AuditPage>") { name fields { name } } }`,
		`query($n: String! = "<Vault>") { __type(name: $n) { kind } }`,
		`{ __schema { queryType { <audit> } } }`,
		`{ __type(name: "User") { ... on <Vault> { gold } } }`,
	} {
		h := newHouseOf(t, veiled, []string{"audit:read"}, func(cfg *operation.Config) { cfg.OpenIntrospection = true })
		names := regexp.MustCompile(`<(\w)(\w*)>`)
		hidden := operation.Request{Query: names.ReplaceAllString(document, `$1$2`)}
		unknown := operation.Request{Query: names.ReplaceAllString(document, `_$2`)} // as long as the hidden one
		for range 2 {
			for name, ctx := range h.blind(t) {
				got, want := h.Execute(ctx, hidden), h.Execute(ctx, unknown)
				if g, w := text(t, got), text(t, want); g != w || got.Stage != want.Stage ||
					got.OperationName != want.OperationName || got.OperationType != want.OperationType {
					t.Errorf("%s: %s:\ngot  %v %s\nwant %v %s", name, hidden.Query, got.Stage, g, want.Stage, w)
				}
			}
			if len(h.engine.calls) > 0 {
				t.Errorf("%s: the engine was called", hidden.Query)
			}
			if h.log.Len() > 0 {
				t.Errorf("%s: the log tells of it: %s", hidden.Query, h.log)
			}
			h.Execute(h.as(t, "audit:read"), hidden)
			h.engine.calls = nil
		}
	}
}

// Whoever sends a credential that is not good any more, or cannot be checked just now, does not see what they usually see. They
// are told that first: a client that is told of an unknown field would not think of getting a new token. Where nothing is hidden
// a document is as invalid for everybody else, and so it is for whoever sent no credential.
func TestABadCredentialComesBeforeInvalidDocuments(t *testing.T) {
	h := newHouseOf(t, veiled, []string{"audit:read"})
	plain := newHouse(t)
	as := func(refusal *fault.Error) context.Context {
		return auth.NewContext(t.Context(), auth.Anonymous(refusal))
	}
	for _, test := range []struct {
		house *house
		ctx   context.Context
		stage operation.Stage
		want  string
	}{
		{h, as(fault.Anonymous(fault.Expired)), operation.Denied, `"reason":"EXPIRED"`},
		{h, as(fault.Anonymous(fault.Invalid)), operation.Denied, `"reason":"INVALID"`},
		{h, as(fault.Outage(nil)), operation.Unavailable, `"SERVICE_UNAVAILABLE"`},
		{h, t.Context(), operation.Refused, `Unknown field on type`},
		{h, h.as(t), operation.Refused, `Unknown field on type`},
		{plain, as(fault.Anonymous(fault.Expired)), operation.Refused, `Unknown field on type`},
	} {
		for _, query := range []string{`{ audit { at } }`, `{ nothing { at } }`} {
			r := test.house.Execute(test.ctx, operation.Request{Query: query})
			if r.Stage != test.stage || len(r.Errors) != 1 || !strings.Contains(text(t, r), test.want) {
				t.Errorf("%s: %v %s, want %v %s", query, r.Stage, text(t, r), test.stage, test.want)
			}
		}
		if r := test.house.Execute(test.ctx, operation.Request{Query: `{`}); r.Stage != operation.Refused {
			t.Errorf("what is no document: %v", r.Stage)
		}
	}
}

// Refusing what is hidden is the same work as refusing what is unknown, so its time tells nothing: the allocations are counted,
// which are the same on every machine but for what the race detector makes of a pool.
func TestHiddenCostsAsMuchAsUnknown(t *testing.T) {
	h := newHouseOf(t, veiled, []string{"audit:read"})
	ctx := h.as(t)
	for hidden, unknown := range map[string]string{
		`{ audit { at } }`:                      `{ _udit { at } }`,
		`{ me { id vault { gold } } }`:          `{ me { id _ault { gold } } }`,
		`{ me { ... on Vault { gold } } }`:      `{ me { ... on _ault { gold } } }`,
		`query($v: PurgeInput) { me { id } }`:   `query($v: _urgeInput) { me { id } }`,
		`{ __type(name: "Vault") { kind } }`:    `{ __type(name: "_ault") { kind } }`,
		`mutation { purge(input: {before:1}) }`: `mutation { _urge(input: {before:1}) }`,
	} {
		h.Execute(h.as(t, "audit:read"), operation.Request{Query: hidden})
		cost := func(query string) float64 {
			return testing.AllocsPerRun(50, func() { h.Execute(ctx, operation.Request{Query: query}) })
		}
		if got, want := cost(hidden), cost(unknown); math.Abs(got-want) > 3 {
			t.Errorf("%s: %v allocations, %v for what is unknown", hidden, got, want)
		}
	}
}

// The other side: who sees it uses it, and a document that was refused to others before is theirs all the same.
func TestHiddenIsThereForThoseWhoSeeIt(t *testing.T) {
	h := newHouseOf(t, veiled, []string{"audit:read"})
	query := operation.Request{Query: `mutation { purge(input: {before: "1"}) }`}
	for range 2 {
		if r := h.Execute(h.as(t), query); r.Stage != operation.Refused {
			t.Error(text(t, r))
		}
		if r := h.Execute(h.as(t, "audit:read"), query); r.Stage != operation.Executed {
			t.Error(text(t, r))
		}
	}
	if len(h.engine.calls) != 2 {
		t.Errorf("the engine was called %d times", len(h.engine.calls))
	}
	r := h.Execute(h.as(t, "audit:read"), operation.Request{Query: `{ __type(name: "User") { fields { name } } }`})
	want := `{"data":{"__type":{"fields":[{"name":"id"},{"name":"name"},{"name":"vault"},{"name":"watched"}]}}}`
	if got := text(t, r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// nothing is an engine that may be called from everywhere at once.
type nothing struct{}

func (nothing) Execute(context.Context, operation.Request) operation.Result {
	return operation.Result{Data: []byte(`{}`)}
}

func (nothing) Subscribe(context.Context, operation.Request) iter.Seq[operation.Result] {
	return func(func(operation.Result) bool) {}
}

// Callers with different views, asking at once, each get their own answer.
func TestHiddenIsSafeForConcurrentUse(t *testing.T) {
	h := newHouseOf(t, veiled, []string{"audit:read"}, func(cfg *operation.Config) { cfg.Engine = nothing{} })
	seeing, blind := h.as(t, "audit:read"), h.as(t)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 100 {
				query := fmt.Sprintf(`{ audit { at } a%d: __type(name: "Vault") { name } }`, i%10)
				ctx, want := seeing, operation.Executed
				if (worker+i)%2 == 0 {
					ctx, want = blind, operation.Refused
				}
				if r := h.Execute(ctx, operation.Request{Query: query}); r.Stage != want {
					t.Errorf("%s: %v, want %v", query, r.Stage, want)
				}
				if _, err := h.SDL(auth.FromContext(ctx)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// The schema as a caller sees it is the one that somebody would have written who never knew of the rest, to the last byte.
func TestHiddenLeavesNoTraceInIntrospection(t *testing.T) {
	h := newHouseOf(t, veiled, []string{"audit:read"}, func(cfg *operation.Config) { cfg.OpenIntrospection = true })
	without := newHouseOf(t, bare(), []string{"audit:read"}, func(cfg *operation.Config) { cfg.OpenIntrospection = true })
	query := operation.Request{Query: read(t, "introspection.graphql")}
	for name, ctx := range h.blind(t) {
		if got, want := text(t, h.Execute(ctx, query)), text(t, without.Execute(ctx, query)); got != want {
			t.Errorf("%s: got  %s\nwant %s", name, got, want)
		}
		got, err := h.SDL(auth.FromContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		want, err := without.SDL(auth.FromContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
	// A caller who sees everything is told everything.
	full, err := h.SDL(auth.FromContext(h.as(t, "audit:read")))
	if err != nil {
		t.Fatal(err)
	}
	answer := text(t, h.Execute(h.as(t, "audit:read"), query))
	for _, name := range []string{"audit", "purge", "watched", "Vault", "Treasure", "Cause", "AuditFilter", "Moment", "Logged"} {
		if !regexp.MustCompile(`\b`+name+`\b`).MatchString(full) || !strings.Contains(answer, `"`+name+`"`) {
			t.Errorf("%s is nowhere", name)
		}
	}
}

func TestSDL(t *testing.T) {
	h := newHouseOf(t, veiled, []string{"audit:read"})
	nobody := auth.Anonymous(fault.Anonymous(fault.Missing))
	if _, err := h.SDL(nobody); err == nil || fault.From(err).Code != fault.Unauthenticated {
		t.Errorf("closed, and yet: %v", err)
	}
	sdl, err := h.SDL(&auth.Caller{})
	if err != nil {
		t.Fatal(err)
	}
	want := "type User implements Node & Named {\n  id: ID!\n  name: String\n}\n\ntype Team"
	if !strings.Contains(sdl, want) || !strings.Contains(sdl, "  me: User @auth\n") || strings.Contains(sdl, "__") {
		t.Error(sdl)
	}
}

// What a schema's text says is what its own schema says: the text that is given out can be loaded, and tells the same.
func TestSDLSaysTheSame(t *testing.T) {
	query := operation.Request{Query: read(t, "introspection.graphql")}
	for name, source := range map[string]string{"everything": read(t, "everything.graphqls"), "veiled": veiled} {
		h := newHouseOf(t, source, []string{"audit:read"})
		caller := &auth.Caller{Scopes: h.scopes.Set("audit:read")}
		sdl, err := h.SDL(caller)
		if err != nil {
			t.Fatal(err)
		}
		again := newHouseOf(t, sdl, []string{"audit:read"})
		if twice, err := again.SDL(caller); err != nil || twice != sdl {
			t.Errorf("%s: got\n%s\nand then\n%s %v", name, sdl, twice, err)
		}
		got := text(t, again.Execute(auth.NewContext(t.Context(), caller), query))
		if want := text(t, h.Execute(auth.NewContext(t.Context(), caller), query)); got != want {
			t.Errorf("%s: got  %s\nwant %s", name, got, want)
		}
	}
}
