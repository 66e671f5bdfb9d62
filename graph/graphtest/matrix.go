package graphtest

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
)

// Counter is an engine that resolves nothing and counts how often it is asked to. The zero value has not been asked.
type Counter struct{ calls atomic.Int64 }

// Execute counts.
func (c *Counter) Execute(context.Context, operation.Request) operation.Result {
	c.calls.Add(1)
	return operation.Result{Data: json.RawMessage("{}")}
}

// Subscribe counts, once it is taken from. It has one event to tell of.
func (c *Counter) Subscribe(ctx context.Context, req operation.Request) iter.Seq[operation.Result] {
	return func(yield func(operation.Result) bool) { yield(c.Execute(ctx, req)) }
}

// Calls returns how often the engine was asked.
func (c *Counter) Calls() int64 { return c.calls.Load() }

// The accounts of a matrix, and its time.
var (
	ada  = id.ID{6: 0x70, 8: 0x80, 15: 0xad}
	bob  = id.ID{6: 0x70, 8: 0x80, 15: 0xb0}
	eve  = id.ID{6: 0x70, 8: 0x80, 15: 0xe7} // who never asks
	noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
)

// Matrix tries every protected field of an API and the __typename of every protected type, by every kind of way that leads
// there (the caller's own, another's id, nobody's in particular), in every shape that a document can give it, with its ids
// written in every style, for everybody who has to be refused and for the least privileged caller who has not.
//
// All of it comes from the schema. Nothing may run for whoever is refused, and the refusal has to name the place. So that
// every type can also stand behind an interface and a union, and in a subscription as well as in a query, fields that return
// both are added to the schema. Everything is sent in both manners that there are, for one answer and for a stream of them.
func Matrix(t *testing.T, plan Plan) {
	t.Helper()
	plan.SDL += abstract(t, plan)
	schema, rules := plan.Compile(t, func() time.Time { return noon })
	engine := new(Counter)
	m := &matrix{
		schema: schema, rules: rules, vocabulary: plan.Registry.Vocabulary(), engine: engine,
		executor: NewExecutor(t, plan, engine, func() time.Time { return noon }, slog.New(slog.DiscardHandler)),
		tried:    map[string]map[string]int{}, refused: map[string]map[string]int{},
	}
	operations, requests := 0, 0
	for _, way := range m.ways() {
		for _, shape := range m.shapes(way[len(way)-1].on) {
			for _, style := range styles {
				query, variables := m.write(way, shape, style)
				operations++
				requests += m.try(t, attempt{way, shape, style, query, variables})
			}
		}
	}
	m.check(t)
	t.Logf("%d protected coordinates, %d operations, %d requests", len(m.tried), operations, requests)
}

// abstract returns a union and two interfaces of all objects, so that either can stand around the other, and fields that return
// them; and a union and an interface of the roots, which no field returns.
func abstract(t *testing.T, plan Plan) string {
	t.Helper()
	schema, _ := plan.Compile(t, time.Now)
	var members []string
	var text strings.Builder
	text.WriteString("\ninterface MatrixInterface { matrix: ID }\ninterface MatrixTwin { matrix: ID }\n")
	for _, name := range slices.Sorted(maps.Keys(schema.Types)) {
		def := schema.Types[name]
		if def.Kind != ast.Object || def.BuiltIn || isRoot(schema, def) {
			continue
		}
		members = append(members, name)
		text.WriteString("extend type " + name + " implements MatrixInterface & MatrixTwin { matrix: ID }\n")
	}
	text.WriteString("union MatrixUnion = " + strings.Join(members, " | ") + "\n")
	var roots []string
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		if root == nil {
			continue
		}
		roots = append(roots, root.Name)
		open := ` @public(reason: "Leads everywhere.")`
		if root.Directives.ForName("auth") != nil {
			open = " @auth" // a rule that binds the whole type leaves nothing public
		}
		text.WriteString("extend type " + root.Name + " implements MatrixRoot {\n  matrixRoot: ID" + open + "\n")
		if root != schema.Mutation {
			text.WriteString("  matrixInterface: MatrixInterface" + open + "\n  matrixTwin: MatrixTwin" + open + "\n" +
				"  matrixUnion: MatrixUnion" + open + "\n  matrixOwn: MatrixInterface @own" + open + "\n" +
				"  matrixOf(id: ID!): MatrixInterface @auth(owner: \"args.id\")\n")
		}
		text.WriteString("}\n")
	}
	text.WriteString("interface MatrixRoot { matrixRoot: ID }\nunion MatrixRoots = " + strings.Join(roots, " | ") + "\n")
	return text.String()
}

func isRoot(schema *ast.Schema, def *ast.Definition) bool {
	return def == schema.Query || def == schema.Mutation || def == schema.Subscription
}

// matrix is one run.
type matrix struct {
	schema     *ast.Schema
	rules      *policy.Engine
	vocabulary *auth.Vocabulary
	engine     *Counter
	executor   *operation.Executor
	tried      map[string]map[string]int // protected place → who → how often they were refused there
	refused    map[string]map[string]int // protected place → shape or style → how often somebody was refused in it
}

// attempt is one operation: how it goes where, and how it is written.
type attempt struct {
	way       []hop
	shape     shape
	style     string
	query     string
	variables map[string]any
}

// standing is who a caller is, in the words of a schema.
type standing struct {
	signedIn bool
	account  id.ID
	scopes   map[string]bool
	ago      time.Duration // since they proved who they are
	factors  int
}

// suspect is a caller, and who that is for people.
type suspect struct {
	who      string
	standing standing
	refusal  *fault.Error
}

// try sends an operation for all kinds of callers, in either manner, and returns how many requests that were.
func (m *matrix) try(t *testing.T, a attempt) int {
	t.Helper()
	all := m.suspects(a.way)
	for _, s := range all {
		for _, stream := range []bool{false, true} {
			m.send(t, a, s, stream)
		}
	}
	return 2 * len(all)
}

// send sends an operation for a suspect, to be answered once or with a stream, and judges the answer.
func (m *matrix) send(t *testing.T, a attempt, s suspect, stream bool) {
	t.Helper()
	way, last := a.way, a.way[len(a.way)-1]
	at := last.coordinate()
	caller := m.caller(s)
	ctx, request := auth.NewContext(t.Context(), caller), operation.Request{Query: a.query, Variables: a.variables}
	before := m.engine.Calls()
	var r *operation.Response
	if stream {
		responses := slices.Collect(m.executor.Subscribe(ctx, request))
		if len(responses) != 1 {
			t.Fatalf("%s, %s: %d responses\n%s", at, s.who, len(responses), a.query)
		}
		r = responses[0]
	} else {
		r = m.executor.Execute(ctx, request)
	}
	ran := m.engine.Calls() - before
	fail := func(format string, with ...any) {
		t.Helper()
		t.Errorf("%s, %s, stream %v: "+format+"\n%s\n%v", slices.Concat([]any{at, s.who, stream}, with, []any{a.query, told(r)})...)
	}
	if m.subscribes(way) && (!stream || a.shape.conditional() && len(way) == 1) {
		// Nobody may send it so.
		if ran != 0 || r.Data != nil || r.Stage != operation.Refused && !s.keptInTheDark(r) {
			fail("%v, and %d ran", r.Stage, ran)
		}
		if stream {
			m.count(way, everybody, a.shape.name, a.style)
		}
		return
	}
	if !slices.ContainsFunc(way, func(h hop) bool { return !h.admits(s.standing) }) {
		if r.Stage != operation.Executed || ran != 1 {
			fail("%v, and %d ran", r.Stage, ran)
		}
		m.count(way, "permitted")
		return
	}
	if ran != 0 || r.Data != nil || r.Stage != operation.Denied && r.Stage != operation.Refused {
		fail("%v, and %d ran", r.Stage, ran)
	}
	if m.unseen(way, caller) {
		if !s.keptInTheDark(r) {
			fail("%v tells of what is hidden", r.Stage)
		}
		m.count(way, s.who, a.shape.name, a.style)
		return
	}
	if r.Stage == operation.Refused {
		fail("refused, and nothing on the way is hidden")
	}
	named := slices.ContainsFunc(r.Errors, func(e *operation.Error) bool {
		return e.Extensions["coordinate"] == at && len(e.Path) == len(way) && last.says(s, e.Extensions)
	})
	if admitted := last.admits(s.standing); named == admitted {
		fail("that it is among the denials is %v", named)
	} else if !admitted {
		m.count(way, s.who, a.shape.name, a.style)
	}
}

// everybody is who is refused where it does not matter who asks.
const everybody = "everybody"

// subscribes reports whether a way begins at Subscription.
func (m *matrix) subscribes(way []hop) bool { return way[0].on == m.schema.Subscription }

// keptInTheDark reports whether a response gives nothing away to a suspect who does not see what they asked for: it is that to an
// unknown field. Whoever sent a credential that is no good is told so instead, since with a good one they might see more.
func (s suspect) keptInTheDark(r *operation.Response) bool {
	if s.refusal == nil || s.refusal.Reason == fault.Missing {
		return r.Stage == operation.Refused
	}
	if r.Stage != operation.Denied || len(r.Errors) != 1 || r.Errors[0].Path != nil {
		return false
	}
	_, named := r.Errors[0].Extensions["coordinate"]
	return !named && r.Errors[0].Extensions["code"] == string(s.refusal.Code) &&
		r.Errors[0].Extensions["reason"] == string(s.refusal.Reason)
}

// says reports whether a denial of the hop carries the right code: by what would help the suspect.
func (h hop) says(s suspect, extensions map[string]any) bool {
	if s.refusal != nil {
		return extensions["code"] == string(fault.Unauthenticated) && extensions["reason"] == string(s.refusal.Reason)
	}
	again := s.standing
	again.ago, again.factors = 0, 2
	if h.admits(again) {
		return extensions["code"] == string(fault.StepUpRequired)
	}
	return extensions["code"] == string(fault.Forbidden)
}

func told(r *operation.Response) string {
	var text []string
	for _, e := range r.Errors {
		text = append(text, e.Message)
	}
	return strings.Join(text, "\n")
}

// unseen reports whether something on the way is hidden from the caller.
func (m *matrix) unseen(way []hop, caller *auth.Caller) bool {
	view := m.rules.View(caller)
	return slices.ContainsFunc(way, func(h hop) bool {
		return !m.rules.Visible(view, h.coordinate()) || !m.rules.Visible(view, h.on.Name)
	})
}

// count notes whom something happened to at a place that is protected, and how it was written if they were refused.
func (m *matrix) count(way []hop, who string, written ...string) {
	last := way[len(way)-1]
	if len(last.binds) == 0 {
		return
	}
	at := place(last, m.subscribes(way))
	if m.tried[at] == nil {
		m.tried[at], m.refused[at] = map[string]int{}, map[string]int{}
	}
	m.tried[at][who]++
	for _, how := range written {
		m.refused[at][how]++
	}
}

// place returns what the end of a way is called where it matters whether the way begins at Subscription.
func place(last hop, subscribed bool) string {
	if subscribed {
		return last.coordinate() + " in a subscription"
	}
	return last.coordinate()
}

// suspects returns the least privileged caller who passes the whole way, those who fall short of it by one thing, and the
// anonymous. Where nobody can pass, the first holds everything.
func (m *matrix) suspects(way []hop) []suspect {
	least := m.least(way)
	all := []suspect{{who: "the least privileged", standing: least}}
	if !least.signedIn {
		all[0].refusal = fault.Anonymous(fault.Missing)
	}
	for who, refusal := range map[string]*fault.Error{
		"no token": fault.Anonymous(fault.Missing), "expired": fault.Anonymous(fault.Expired),
		"revoked": fault.Anonymous(fault.Revoked), "invalid": fault.Anonymous(fault.Invalid),
	} {
		all = append(all, suspect{who: who, refusal: refusal})
	}
	least.signedIn = true
	for _, scope := range slices.Sorted(maps.Keys(least.scopes)) {
		without := least
		without.scopes = maps.Clone(least.scopes)
		delete(without.scopes, scope)
		all = append(all, suspect{who: "scope missing", standing: without})
	}
	other, stale, weak := least, least, least
	other.account = bob
	stale.ago++
	weak.factors = max(0, least.factors-1)
	return append(all, suspect{who: "another user", standing: other}, suspect{who: "stale", standing: stale},
		suspect{who: "weakly proved", standing: weak})
}

// least returns the least privileged caller who passes all hops.
func (m *matrix) least(way []hop) standing {
	const longest = 1000 * time.Hour
	least := standing{account: ada, scopes: map[string]bool{}, ago: longest}
	for _, h := range way {
		for _, b := range h.binds {
			anonymous := b.has("owner") && h.owner(b) == callers && !b.has("scopes") && !b.has("maxAge") && !b.has("acr")
			least.signedIn = least.signedIn || !anonymous
			b.add("scopes", least.scopes)
			if b.has("owner") && h.owner(b) == nobodys {
				b.add("orScopes", least.scopes)
			}
			least.ago = min(least.ago, b.maxAge(longest))
			least.factors = max(least.factors, b.factors())
		}
	}
	possible := !slices.ContainsFunc(way, func(h hop) bool {
		return slices.ContainsFunc(h.binds, func(b bound) bool {
			return b.has("owner") && h.owner(b) == nobodys && !b.has("orScopes")
		})
	})
	if !possible {
		for _, scope := range m.vocabulary.Names() {
			least.scopes[scope] = true
		}
	}
	return least
}

func (m *matrix) caller(s suspect) *auth.Caller {
	if s.refusal != nil {
		return auth.Anonymous(s.refusal)
	}
	methods := []string{"pwd", "otp"}
	return &auth.Caller{
		AccountID: s.standing.account, Scopes: m.vocabulary.Set(slices.Collect(maps.Keys(s.standing.scopes))...),
		AuthTime: noon.Add(-s.standing.ago), AMR: methods[:s.standing.factors],
	}
}

// check holds what was tried against what the schema has.
func (m *matrix) check(t *testing.T) {
	t.Helper()
	if len(m.tried) == 0 {
		t.Error("nothing in the schema is protected")
	}
	for _, def := range m.schema.Types {
		if def.BuiltIn || def.Kind != ast.Object && def.Kind != ast.Interface || def.Name == "MatrixRoot" { // no field returns it
			continue
		}
		for _, field := range append(slices.Clone(def.Fields), nil) {
			h := hop{on: def, field: field, binds: m.binding(def, field)}
			if len(h.binds) == 0 || field != nil && strings.HasPrefix(field.Name, "__") {
				continue
			}
			if def != m.schema.Subscription {
				m.checkPlace(t, h, false)
			}
			// Subscription has no __typename: nothing on it can be asked for but its fields.
			if m.schema.Subscription != nil && def != m.schema.Query && def != m.schema.Mutation &&
				(def != m.schema.Subscription || field != nil) {
				m.checkPlace(t, h, true)
			}
		}
	}
}

// checkPlace holds what was tried at one place against what binds it.
func (m *matrix) checkPlace(t *testing.T, h hop, subscribed bool) {
	t.Helper()
	at := place(h, subscribed)
	wanted := []string{"no token", "expired", "revoked", "invalid", "permitted"}
	if h.on == m.schema.Subscription {
		wanted = append(wanted, everybody)
	}
	for _, b := range h.binds {
		if b.has("scopes") || b.has("orScopes") {
			wanted = append(wanted, "scope missing")
		}
		if b.has("owner") {
			wanted = append(wanted, "another user")
		}
		if b.has("maxAge") {
			wanted = append(wanted, "stale")
		}
		if b.has("acr") {
			wanted = append(wanted, "weakly proved")
		}
	}
	for _, who := range wanted {
		if m.tried[at][who] == 0 {
			t.Errorf("%s: the matrix has no case of: %s", at, who)
		}
	}
	shapes := []string{plainly, aliased, inFragment, onInterface, onUnion, underInclude, underSkip}
	for _, how := range append(shapes, styles...) {
		if m.refused[at][how] == 0 {
			t.Errorf("%s: nobody is refused: %s", at, how)
		}
	}
}
