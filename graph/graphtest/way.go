package graphtest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// bound is an @auth that binds a field, and what its owner rule is about.
type bound struct {
	*ast.Directive
	onResult bool // its parent is what the field returns
}

func (b bound) has(argument string) bool { return b.Arguments.ForName(argument) != nil }

func (b bound) text(argument string) string {
	if a := b.Arguments.ForName(argument); a != nil {
		return a.Value.Raw
	}
	return ""
}

// add adds the first alternative of a list of lists of scopes.
func (b bound) add(argument string, to map[string]bool) {
	if all := b.alternatives(argument); len(all) > 0 {
		for _, scope := range all[0] {
			to[scope] = true
		}
	}
}

func (b bound) alternatives(argument string) [][]string {
	a := b.Arguments.ForName(argument)
	if a == nil {
		return nil
	}
	var all [][]string
	for _, child := range a.Value.Children {
		var scopes []string
		for _, scope := range child.Value.Children {
			scopes = append(scopes, scope.Value.Raw)
		}
		all = append(all, scopes)
	}
	return all
}

// heldBy reports whether all scopes of an alternative are held.
func (b bound) heldBy(argument string, held map[string]bool) bool {
	return slices.ContainsFunc(b.alternatives(argument), func(all []string) bool {
		return !slices.ContainsFunc(all, func(scope string) bool { return !held[scope] })
	})
}

func (b bound) maxAge(otherwise time.Duration) time.Duration {
	if seconds, err := strconv.Atoi(b.text("maxAge")); err == nil {
		return time.Duration(seconds) * time.Second
	}
	return otherwise
}

// factors returns how many factors the level takes.
func (b bound) factors() int { return map[string]int{"": 0, "pwd": 1, "mfa": 2}[b.text("acr")] }

// ownership says whose an object is.
type ownership int

const (
	nobodys ownership = iota
	adas              // because an argument on the way is her id
	callers           // whoever calls
)

func (o ownership) isOf(s standing) bool {
	return o == callers || o == adas && s.signedIn && s.account == ada
}

// hop is one field on the way from the root, on the type that the document names there.
type hop struct {
	on       *ast.Definition
	field    *ast.FieldDefinition // nil for __typename
	possible []*ast.Definition    // the objects that can be behind on
	mine     bool                 // its owner's arguments are ada's id
	owned    ownership            // of the object that has the field
	binds    []bound
}

func (h hop) coordinate() string {
	if h.field == nil {
		return h.on.Name
	}
	return h.on.Name + "." + h.field.Name
}

// byArgument reports whether an argument says whose the field is.
func (h hop) byArgument() bool { return slices.ContainsFunc(h.binds, bound.byArgument) }

func (b bound) byArgument() bool { return strings.HasPrefix(b.text("owner"), "args.") }

// gives returns whose the field's result is, whichever object is behind it.
func (h hop) gives() ownership {
	if h.field == nil {
		return nobodys
	}
	unmarked := func(def *ast.Definition) bool {
		return def.Fields.ForName(h.field.Name).Directives.ForName("own") == nil
	}
	given := h.owned
	if slices.ContainsFunc(h.possible, unmarked) {
		given = nobodys
	}
	if h.mine && h.byArgument() {
		given = max(given, adas)
	}
	return given
}

// owner returns whose that is which the owner rule is about.
func (h hop) owner(b bound) ownership {
	switch {
	case b.byArgument() && h.mine:
		return adas
	case b.byArgument():
		return nobodys
	case b.onResult:
		return h.gives()
	default:
		return h.owned
	}
}

// admits reports whether a caller may have the field.
func (h hop) admits(s standing) bool {
	for _, b := range h.binds {
		owner, more := b.has("owner"), b.has("scopes") || b.has("maxAge") || b.has("acr")
		switch {
		case owner && !h.owner(b).isOf(s) && (!s.signedIn || !b.heldBy("orScopes", s.scopes)),
			(more || !owner) && !s.signedIn,
			b.has("scopes") && !b.heldBy("scopes", s.scopes),
			b.has("maxAge") && s.ago > b.maxAge(0),
			s.factors < b.factors():
			return false
		}
	}
	return true
}

// binding returns all that binds a field, or the __typename for nil: what is written on it, on its type, on their interfaces and
// on what it returns; through an interface, for all objects.
func (m *matrix) binding(def *ast.Definition, field *ast.FieldDefinition) []bound {
	var all []bound
	add := func(directives ast.DirectiveList, onResult bool) {
		for _, d := range directives.ForNames("auth") {
			all = append(all, bound{d, onResult})
		}
	}
	ofType := func(def *ast.Definition, onResult bool) {
		add(def.Directives, onResult)
		for _, name := range def.Interfaces {
			add(m.schema.Types[name].Directives, onResult)
		}
	}
	for _, one := range append(m.objects(def), def) {
		ofType(one, false)
		if field == nil {
			continue
		}
		declared := one.Fields.ForName(field.Name)
		add(declared.Directives, false)
		for _, name := range one.Interfaces {
			if inherited := m.schema.Types[name].Fields.ForName(field.Name); inherited != nil {
				add(inherited.Directives, false)
			}
		}
		ofType(m.schema.Types[declared.Type.Name()], true)
	}
	return all
}

// objects returns the objects that a type can be.
func (m *matrix) objects(def *ast.Definition) []*ast.Definition {
	var all []*ast.Definition
	for _, name := range slices.Sorted(maps.Keys(m.schema.Types)) {
		one := m.schema.Types[name]
		if one.Kind == ast.Object && (one == def || slices.Contains(one.Interfaces, def.Name) || slices.Contains(def.Types, name)) {
			all = append(all, one)
		}
	}
	return all
}

// within returns the objects that a type can be, and the interfaces of nothing else: what a fragment can narrow it to, or itself.
func (m *matrix) within(def *ast.Definition) []*ast.Definition {
	all := m.objects(def)
	inside := slices.Clone(all)
	for _, name := range slices.Sorted(maps.Keys(m.schema.Types)) {
		one := m.schema.Types[name]
		outside := func(object *ast.Definition) bool { return !slices.Contains(inside, object) }
		if one.Kind == ast.Interface && !slices.ContainsFunc(m.objects(one), outside) {
			all = append(all, one)
		}
	}
	return all
}

// ways returns, for every field of every type and whosever the object is that has it, a shortest way that leads there, and a
// shortest one that begins at Subscription.
func (m *matrix) ways() [][]hop {
	type place struct {
		def        *ast.Definition
		owned      ownership
		subscribed bool
	}
	seen := map[place]bool{}
	var all, front [][]hop
	// arrive tries all fields of a type behind a way.
	arrive := func(way []hop, at place) {
		if seen[at] {
			return
		}
		seen[at] = true
		for _, field := range append(slices.Clone(at.def.Fields), nil) {
			if field != nil && strings.HasPrefix(field.Name, "__") || field == nil && at.def == m.schema.Subscription {
				continue
			}
			h := hop{
				on: at.def, field: field, possible: m.objects(at.def), mine: true, owned: at.owned,
				binds: m.binding(at.def, field),
			}
			both := []hop{h}
			if h.byArgument() {
				h.mine = false
				both = append(both, h)
			}
			for _, h := range both {
				next := append(slices.Clone(way), h)
				if len(h.binds) > 0 || field == nil {
					all = append(all, next)
				}
				if field != nil && !m.schema.Types[field.Type.Name()].IsLeafType() {
					front = append(front, next)
				}
			}
		}
	}
	for _, root := range []*ast.Definition{m.schema.Query, m.schema.Mutation, m.schema.Subscription} {
		if root != nil {
			arrive(nil, place{root, callers, root == m.schema.Subscription})
		}
	}
	for len(front) > 0 {
		way := front[0]
		front = front[1:]
		last := way[len(way)-1]
		returns := m.schema.Types[last.field.Type.Name()]
		for _, def := range m.within(returns) {
			if !isRoot(m.schema, def) {
				arrive(way, place{def, last.gives(), m.subscribes(way)})
			}
		}
	}
	return all
}

// styles are the ways to write an argument: as a literal, as a variable that is sent, and as one that is left to its default.
// With "inside" it is only the id, in the midst of an input object.
var styles = []string{"literals", "variables inside", "variables' defaults inside", "variables", "variables' defaults"}

// shape is a way to select a field. In its text FIELD stands for the field with its arguments, T for the type that has it, REST
// for what it selects; what follows # are fragments.
type shape struct{ name, text string }

// conditional reports whether the field may be left out.
func (s shape) conditional() bool { return s.name == underInclude || s.name == underSkip }

// The names of the shapes that every field has to be tried in, beside the styles of arguments.
const (
	plainly      = "plainly"
	aliased      = "under an alias"
	inFragment   = "in a named fragment"
	onInterface  = "in an inline fragment on an interface"
	onUnion      = "in an inline fragment on a union"
	underInclude = "under @include"
	underSkip    = "under @skip"
)

// shapes returns the ways to select a field of a type.
func (m *matrix) shapes(def *ast.Definition) []shape {
	shapes := []shape{
		{plainly, "FIELD REST"},
		{aliased, "z: FIELD REST"},
		{inFragment, "...A # fragment A on T { ...B } fragment B on T { z: FIELD REST }"},
		{underInclude, "... { z: FIELD @include(if: true) REST }"},
		{underInclude, "... @include(if: $yes) { z: FIELD REST }"},
		{underSkip, "z: FIELD @skip(if: $no) REST"},
		{underInclude, "...A @include(if: $yes) # fragment A on T { ... on T @skip(if: $no) { FIELD REST } }"},
	}
	inside := m.objects(def)
	for _, name := range slices.Sorted(maps.Keys(m.schema.Types)) {
		around := m.schema.Types[name]
		objects := m.objects(around)
		narrows := slices.ContainsFunc(inside, func(one *ast.Definition) bool { return !slices.Contains(objects, one) })
		if around == def || !around.IsAbstractType() || narrows {
			continue
		}
		how := onInterface
		if around.Kind == ast.Union {
			how = onUnion
		}
		shapes = append(shapes, shape{how, "... on " + name + " { ... on T { z: FIELD REST } }"})
	}
	for i := range shapes {
		shapes[i].text = strings.ReplaceAll(shapes[i].text, "on T ", "on "+def.Name+" ")
	}
	return shapes
}

// write writes an operation that goes the way.
func (m *matrix) write(way []hop, in shape, style string) (query string, variables map[string]any) {
	w := &writing{matrix: m, style: style, variables: map[string]any{}}
	selected, fragments := "", ""
	for i, h := range slices.Backward(way) {
		name, arguments := "__typename", ""
		if h.field != nil {
			name, arguments = h.field.Name, w.arguments(h)
		}
		if i < len(way)-1 {
			selected = fmt.Sprintf("h%d: %s%s { ... on %s { %s } }", i, name, arguments, way[i+1].on.Name, selected)
			continue
		}
		rest := ""
		if h.field != nil && !m.schema.Types[h.field.Type.Name()].IsLeafType() {
			rest = "{ ... @include(if: false) { __typename } }"
		}
		selected, fragments, _ = strings.Cut(strings.NewReplacer("FIELD", name+arguments, "REST", rest).Replace(in.text), "#")
		if strings.Contains(in.text, "$yes") {
			w.defined = append(w.defined, "$yes: Boolean!")
			w.variables["yes"] = true
		}
		if strings.Contains(in.text, "$no") {
			w.defined = append(w.defined, "$no: Boolean = false")
		}
	}
	head := "query"
	switch way[0].on {
	case m.schema.Mutation:
		head = "mutation"
	case m.schema.Subscription:
		head = "subscription"
	}
	if len(w.defined) > 0 {
		head += "(" + strings.Join(w.defined, ", ") + ")"
	}
	return head + " { " + selected + " }" + fragments, w.variables
}
