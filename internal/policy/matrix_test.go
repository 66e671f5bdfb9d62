package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
)

// bound is a directive that binds a field, found in the schema without asking the engine.
type bound struct {
	*ast.Directive
	onResult bool // its parent is what the field returns
}

func (b bound) text(argument string) string {
	if a := b.Arguments.ForName(argument); a != nil {
		return a.Value.Raw
	}
	return ""
}

// first returns the first alternative of a list of lists of scopes.
func (b bound) first(argument string) []string {
	a := b.Arguments.ForName(argument)
	if a == nil {
		return nil
	}
	var scopes []string
	for _, child := range a.Value.Children[0].Value.Children {
		scopes = append(scopes, child.Value.Raw)
	}
	return scopes
}

func (b bound) has(argument string) bool { return b.Arguments.ForName(argument) != nil }

// binding returns all that binds a field of an object type: its own, its type's, its interfaces', and that of what it returns.
func (w *world) binding(def *ast.Definition, field *ast.FieldDefinition) []bound {
	var all []bound
	add := func(directives ast.DirectiveList, onResult bool) {
		for _, d := range directives.ForNames("auth") {
			all = append(all, bound{d, onResult})
		}
	}
	ofType := func(def *ast.Definition, onResult bool) {
		add(def.Directives, onResult)
		for _, name := range def.Interfaces {
			add(w.schema.Types[name].Directives, onResult)
		}
	}
	add(field.Directives, false)
	for _, name := range def.Interfaces {
		if inherited := w.schema.Types[name].Fields.ForName(field.Name); inherited != nil {
			add(inherited.Directives, false)
		}
	}
	ofType(def, false)
	ofType(w.schema.Types[field.Type.Name()], true)
	return all
}

// hop is one field on the way from the root, on the object type that it is selected on.
type hop struct {
	on    *ast.Definition
	field *ast.FieldDefinition
	self  bool // its owner's arguments are the caller's id
	owned bool // the object that has the field is the caller's own
	binds []bound
}

// gives reports whether the hop returns the caller's own.
func (h hop) gives() bool { return h.field.Directives.ForName("own") != nil && h.owned || h.identity() }

// identity reports whether the hop has an owner's argument, and it is the caller's id.
func (h hop) identity() bool {
	return h.self && slices.ContainsFunc(h.binds, func(b bound) bool { return strings.HasPrefix(b.text("owner"), "args.") })
}

// owns reports whether an owner's directive is met by owning.
func (h hop) owns(b bound) bool {
	switch {
	case strings.HasPrefix(b.text("owner"), "args."):
		return h.self
	case b.onResult:
		return h.gives()
	default:
		return h.owned
	}
}

// paths returns, for every object type and whether its objects are owned there, the shortest ways that lead there.
func (w *world) paths() [][]hop {
	type state struct {
		def   *ast.Definition
		owned bool
	}
	seen := map[state]bool{}
	var all, front [][]hop
	// step tries all fields of a type behind a way.
	step := func(way []hop, at state) {
		for _, field := range at.def.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			for _, self := range []bool{true, false} {
				h := hop{on: at.def, field: field, self: self, owned: at.owned, binds: w.binding(at.def, field)}
				if !self && !slices.ContainsFunc(h.binds, func(b bound) bool { return strings.HasPrefix(b.text("owner"), "args.") }) {
					continue // nothing to be another's
				}
				next := append(slices.Clone(way), h)
				all = append(all, next)
				front = append(front, next)
			}
		}
	}
	for _, root := range []*ast.Definition{w.schema.Query, w.schema.Mutation} {
		if root != nil {
			step(nil, state{root, true})
		}
	}
	for len(front) > 0 {
		way := front[0]
		front = front[1:]
		last := way[len(way)-1]
		for _, def := range w.schema.GetPossibleTypes(w.schema.Types[last.field.Type.Name()]) {
			to := state{def, last.gives()}
			if _, possible := w.least(way); def.Kind != ast.Object || seen[to] || !possible || def == w.schema.Query {
				continue
			}
			seen[to] = true
			step(way, to)
		}
	}
	return all
}

// privilege is what it takes to take a way.
type privilege struct {
	signedIn bool
	scopes   []string
	maxAge   time.Duration
	mfa      bool
}

// least returns the least privilege that a way takes, and false where nobody can take it.
func (w *world) least(way []hop) (privilege, bool) {
	p := privilege{maxAge: time.Hour}
	for _, h := range way {
		for _, b := range h.binds {
			p.scopes = append(p.scopes, b.first("scopes")...)
			bare := b.text("owner") != "parent" || b.has("scopes") || b.has("maxAge") || b.has("acr")
			p.signedIn = p.signedIn || bare
			if b.has("owner") && !h.owns(b) {
				if !b.has("orScopes") {
					return p, false
				}
				p.signedIn = true
				p.scopes = append(p.scopes, b.first("orScopes")...)
			}
			if b.has("maxAge") {
				if age, err := time.ParseDuration(b.text("maxAge") + "s"); err == nil {
					p.maxAge = min(p.maxAge, age)
				}
			}
			p.mfa = p.mfa || b.text("acr") == "mfa"
		}
	}
	return p, true
}

// caller returns the least privileged caller.
func (w *world) caller(p privilege) *auth.Caller {
	if !p.signedIn {
		return nobody()
	}
	c := &auth.Caller{
		AccountID: id.ID{15: 1}, Scopes: w.vocabulary.Set(p.scopes...), AuthTime: clock().Add(-p.maxAge), AMR: []string{"pwd"},
	}
	if p.mfa {
		c.AMR = []string{"pwd", "otp"}
	}
	return c
}

// arguments writes the arguments of a hop, the ids as given.
func (h hop) arguments(self, other string) string {
	given := map[string]string{}
	for _, a := range h.field.Arguments {
		if a.Type.NonNull {
			given[a.Name] = `"any"`
		}
	}
	for _, b := range h.binds {
		path, ok := strings.CutPrefix(b.text("owner"), "args.")
		if !ok {
			continue
		}
		names := strings.Split(path, ".")
		value := other
		if h.self {
			value = self
		}
		for _, name := range slices.Backward(names[1:]) {
			value = "{ " + name + ": " + value + " }"
		}
		given[names[0]] = value
	}
	if len(given) == 0 {
		return ""
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		list = append(list, name+": "+given[name])
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// operation writes an operation that takes the way, its last field in the given shape.
func (w *world) operation(way []hop, shape, self, other, head string) string {
	last := way[len(way)-1]
	field := last.field.Name + last.arguments(self, other)
	nothing := ""
	if !w.schema.Types[last.field.Type.Name()].IsLeafType() {
		nothing = " { ... @include(if: false) { __typename } }"
	}
	selected := strings.NewReplacer("FIELD", field, "NOTHING", nothing).Replace(shape)
	selected, fragments, _ := strings.Cut(selected, "#")
	for i, h := range slices.Backward(way) {
		if i == len(way)-1 {
			continue
		}
		selected = fmt.Sprintf("h%d: %s%s { ... on %s { %s } }", i, h.field.Name, h.arguments(self, other), way[i+1].on.Name, selected)
	}
	kind := "query"
	if way[0].on == w.schema.Mutation {
		kind = "mutation"
	}
	return kind + head + " { " + selected + " } " + fragments
}

// shapes returns the ways to select a field of a type.
func (w *world) shapes(def *ast.Definition) map[string]string {
	on := func(name string) string { return "... on " + name + " { ... on " + def.Name + " { FIELDNOTHING } }" }
	shapes := map[string]string{
		"plain":          "FIELDNOTHING",
		"aliased":        "z: FIELDNOTHING",
		"named fragment": "...F#fragment F on " + def.Name + " { ...G } fragment G on " + def.Name + " { z: FIELDNOTHING }",
		"@include":       "z: FIELD @include(if: true)NOTHING",
		"@include($v)":   "... @include(if: $v) { z: FIELDNOTHING }",
		"@skip($d)":      "z: FIELD @skip(if: $d)NOTHING",
	}
	for _, name := range slices.Sorted(maps.Keys(w.schema.Types)) {
		union := w.schema.Types[name]
		if union.Kind == ast.Union && slices.Contains(union.Types, def.Name) {
			shapes["on a union"] = on(name)
		}
	}
	if len(def.Interfaces) > 0 {
		shapes["on an interface"] = on(def.Interfaces[0])
	}
	return shapes
}

// TestMatrix tries every protected field of the test schemas, reached owned and not, in every shape and with every kind of
// caller who has to be denied, and with the least privileged one who has not.
func TestMatrix(t *testing.T) {
	ids := map[string][3]string{ // how ids are written: own, another's, and the head of the operation
		"literals":  {`"` + selfID + `"`, `"` + otherID + `"`, "($v: Boolean!, $d: Boolean = false)"},
		"variables": {"$self", "$other", "($v: Boolean!, $d: Boolean = false, $self: ID!, $other: ID!)"},
		"defaults": {
			"$self", "$other",
			`($v: Boolean!, $d: Boolean = false, $self: ID! = "` + selfID + `", $other: ID! = "` + otherID + `")`,
		},
	}
	for name, w := range map[string]*world{"library": libraryWorld(t), "house": houseWorld(t), "veiled": veiledWorld(t)} {
		t.Run(name, func(t *testing.T) {
			tried := 0
			for _, way := range w.paths() {
				privilege, possible := w.least(way)
				last := way[len(way)-1]
				for shapeName, shape := range w.shapes(last.on) {
					for idName, written := range ids {
						c := matrixCase{w: w, way: way, variables: map[string]any{"v": true, "d": false}}
						c.query = w.operation(way, shape, written[0], written[1], written[2])
						if idName == "variables" {
							c.variables["self"], c.variables["other"] = selfID, otherID
						}
						c.name = last.on.Name + "." + last.field.Name + " " + shapeName + ", " + idName
						c.try(t, privilege, possible)
						tried++
					}
				}
			}
			t.Logf("%d operations", tried)
		})
	}
}

type matrixCase struct {
	w           *world
	way         []hop
	name, query string
	variables   map[string]any
}

func (c matrixCase) try(t *testing.T, p privilege, possible bool) {
	t.Helper()
	plan := c.w.planLoosely(t, c.query)
	last := c.way[len(c.way)-1]
	at := last.on.Name + "." + last.field.Name
	expect := func(caller *auth.Caller, who string, code fault.Code, reason fault.Reason) {
		t.Helper()
		for _, d := range plan.Check(caller, c.variables) {
			if d.Fault.Coordinate == at && d.Fault.Code == code && d.Fault.Reason == reason && len(d.Path) == len(c.way) {
				return
			}
		}
		t.Errorf("%s: %s is not denied with %s: %v\n%s", c.name, who, code, shown(plan.Check(caller, c.variables)), c.query)
	}
	if possible {
		if denials := plan.Check(c.w.caller(p), c.variables); denials != nil {
			t.Errorf("%s: the least privileged is denied %v\n%s", c.name, shown(denials), c.query)
		}
	}
	alone, _ := c.w.least(c.way[len(c.way)-1:])
	if alone.signedIn {
		for _, reason := range []fault.Reason{fault.Missing, fault.Expired, fault.Revoked, fault.Invalid} {
			expect(auth.Anonymous(fault.Anonymous(reason)), "anonymous, "+string(reason), fault.Unauthenticated, reason)
		}
	}
	everything := privilege{signedIn: true, mfa: true}
	if len(alone.scopes) > 0 {
		expect(c.w.caller(everything), "without scopes", fault.Forbidden, "")
	}
	other := c.w.caller(everything)
	other.AccountID = id.ID{15: 3}
	everything.scopes = c.w.vocabulary.Names()
	for _, b := range last.binds {
		ownedByIdentity := b.text("owner") == "parent" && last.owned && c.way[max(0, len(c.way)-2)].identity() &&
			c.way[max(0, len(c.way)-2)].field.Directives.ForName("own") == nil
		if last.identity() && strings.HasPrefix(b.text("owner"), "args.") || !b.onResult && ownedByIdentity {
			expect(other, "somebody else", fault.Forbidden, "")
		}
		if b.has("owner") && !b.has("orScopes") && !last.owns(b) {
			expect(c.w.caller(everything), "who holds every scope", fault.Forbidden, "")
		}
		full := c.w.caller(everything)
		full.AuthTime = clock().Add(-alone.maxAge - time.Nanosecond)
		if b.has("maxAge") && possible {
			expect(full, "stale", fault.StepUpRequired, "")
		}
		full = c.w.caller(everything)
		full.AMR = []string{"pwd", "pin"}
		if b.text("acr") == "mfa" && possible {
			expect(full, "badly proved", fault.StepUpRequired, "")
		}
	}
}
