package policy_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// naive is a second opinion on who may do what: it walks the document again for every caller, asks every directive anew, knows
// scopes by name and ids as text, and follows each possible object on its own. It shares no code with the engine and is as slow
// as it looks.
type naive struct {
	schema    *ast.Schema
	doc       *ast.QueryDocument
	op        *ast.OperationDefinition
	caller    person
	variables map[string]any

	denied map[string]bool // "path coordinate", in every case
	maybe  map[string]bool // the same, where no object can ever be, so that nobody can own it or not
	owning int             // how many rules were met by owning
	asked  map[string]int  // how often each part of the language was asked, by what came of it
}

// ask counts what came of asking one part of the language.
func (n *naive) ask(part string, met bool) bool {
	n.asked[fmt.Sprint(part, " ", met)]++
	return met
}

// person is a caller as the naive evaluator knows them.
type person struct {
	signedIn bool
	id       string
	holds    []string
	ago      time.Duration // since they proved who they are
	level    int           // 0, 1 for a password, 2 for two factors
}

// possible is one kind of object that may stand behind a selection set, and whether it is the caller's own.
type possible struct {
	def   *ast.Definition
	owned bool
}

// decide finds what is denied.
func (n *naive) decide() {
	n.denied, n.maybe = map[string]bool{}, map[string]bool{}
	root := map[ast.Operation]*ast.Definition{
		ast.Query: n.schema.Query, ast.Mutation: n.schema.Mutation, ast.Subscription: n.schema.Subscription,
	}[n.op.Operation]
	n.visit(root, []possible{{root, true}}, n.op.SelectionSet, nil)
}

// visit judges a selection set that the document writes on a type, for everything that the object may turn out to be.
func (n *naive) visit(written *ast.Definition, all []possible, set ast.SelectionSet, path []string) {
	if len(all) > 0 {
		n.ask("on "+string(written.Kind), true)
	}
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if !n.skipped(s.Directives) && s.Name != "__schema" && s.Name != "__type" {
				n.field(written, all, s, append(slices.Clone(path), s.Alias))
			}
		case *ast.InlineFragment:
			if !n.skipped(s.Directives) {
				n.fragment(written, all, s.TypeCondition, s.SelectionSet, path)
			}
		case *ast.FragmentSpread:
			if !n.skipped(s.Directives) {
				f := n.doc.Fragments.ForName(s.Name)
				n.fragment(written, all, f.TypeCondition, f.SelectionSet, path)
			}
		}
	}
}

func (n *naive) fragment(written *ast.Definition, all []possible, condition string, set ast.SelectionSet, path []string) {
	if condition != "" {
		written = n.schema.Types[condition]
	}
	var left []possible
	for _, p := range all {
		if n.is(p.def, written) {
			left = append(left, p)
		}
	}
	n.visit(written, left, set, path)
}

func (n *naive) field(written *ast.Definition, all []possible, s *ast.Field, path []string) {
	at := strings.Join(path, ".") + " " + written.Name
	if s.Name != "__typename" {
		at += "." + s.Name
	}
	var next []possible
	for _, p := range all {
		if !n.mayHave(p, s) {
			n.denied[at] = true
		}
		next = append(next, n.returned(p, s)...)
	}
	if len(all) == 0 { // the field can never be reached, but its own rules are there to be read
		switch {
		case !n.mayHave(possible{written, true}, s):
			n.denied[at] = true
		case !n.mayHave(possible{written, false}, s):
			n.maybe[at] = true
		}
	}
	if declared := written.Fields.ForName(s.Name); declared != nil {
		n.visit(n.schema.Types[declared.Type.Name()], next, s.SelectionSet, path)
	}
}

// returned is what the field may return.
func (n *naive) returned(p possible, s *ast.Field) []possible {
	declared := p.def.Fields.ForName(s.Name)
	if declared == nil {
		return nil
	}
	var all []possible
	for _, candidate := range n.schema.Types {
		if candidate.Kind != ast.Object || !n.is(candidate, n.schema.Types[declared.Type.Name()]) {
			continue
		}
		root := candidate == n.schema.Query || candidate == n.schema.Mutation || candidate == n.schema.Subscription
		all = append(all, possible{candidate, root || n.givesOwn(p, s)})
	}
	return all
}

// givesOwn reports whether what a field returns is the caller's own.
func (n *naive) givesOwn(p possible, s *ast.Field) bool {
	byIdentity := 0
	for _, d := range n.onField(p.def, s.Name) {
		if path, ok := strings.CutPrefix(text(d, "owner"), "args."); ok {
			if !n.identity(p.def, s, path) {
				byIdentity = -1
				break
			}
			byIdentity++
		}
	}
	return byIdentity > 0 || p.owned && p.def.Fields.ForName(s.Name).Directives.ForName("own") != nil
}

// mayHave reports whether the caller may have the field of the object.
func (n *naive) mayHave(p possible, s *ast.Field) bool {
	for _, d := range n.onType(p.def) {
		if !n.meets(d, p.owned) {
			return false
		}
	}
	declared := p.def.Fields.ForName(s.Name)
	if declared == nil || s.Name == "__typename" {
		return true
	}
	for _, d := range n.onField(p.def, s.Name) {
		own := p.owned
		if path, ok := strings.CutPrefix(text(d, "owner"), "args."); ok {
			own = n.identity(p.def, s, path)
		}
		if !n.meets(d, own) {
			return false
		}
	}
	for _, d := range n.onType(n.schema.Types[declared.Type.Name()]) {
		if !n.meets(d, n.givesOwn(p, s)) {
			return false
		}
	}
	return true
}

// onType returns the directives that bind all of a type: its own, and those of its interfaces.
func (n *naive) onType(t *ast.Definition) []*ast.Directive {
	all := t.Directives.ForNames("auth")
	for _, name := range t.Interfaces {
		all = append(all, n.schema.Types[name].Directives.ForNames("auth")...)
	}
	return all
}

// onField returns the directives that stand on a field, and on the fields that it implements.
func (n *naive) onField(t *ast.Definition, field string) []*ast.Directive {
	all := t.Fields.ForName(field).Directives.ForNames("auth")
	for _, name := range t.Interfaces {
		if inherited := n.schema.Types[name].Fields.ForName(field); inherited != nil {
			all = append(all, inherited.Directives.ForNames("auth")...)
		}
	}
	return all
}

// is reports whether every object of type a is one of type b.
func (n *naive) is(a, b *ast.Definition) bool {
	return a.Name == b.Name || slices.Contains(a.Interfaces, b.Name) || slices.Contains(b.Types, a.Name)
}

// meets reports whether the caller meets one directive; own says whether what its owner rule is about, if it has one, is theirs.
func (n *naive) meets(d *ast.Directive, own bool) bool {
	has := func(name string) bool { return d.Arguments.ForName(name) != nil }
	switch {
	case !has("owner"):
		if !n.caller.signedIn {
			return false
		}
	case n.ask(strings.SplitN(text(d, "owner"), ".", 2)[0], own):
		n.owning++
	case !has("orScopes") || !n.ask("orScopes", n.caller.signedIn && n.holds(d, "orScopes")):
		return false
	}
	if has("scopes") && !n.ask("scopes", n.caller.signedIn && n.holds(d, "scopes")) {
		return false
	}
	if has("maxAge") {
		seconds, _ := strconv.Atoi(text(d, "maxAge"))
		if !n.ask("maxAge", n.caller.signedIn && n.caller.ago <= time.Duration(seconds)*time.Second) {
			return false
		}
	}
	if has("acr") {
		if !n.ask("acr", n.caller.signedIn && n.caller.level >= map[string]int{"pwd": 1, "mfa": 2}[text(d, "acr")]) {
			return false
		}
	}
	return true
}

// holds reports whether the caller holds all of one of the lists of scopes.
func (n *naive) holds(d *ast.Directive, argument string) bool {
	for _, alternative := range d.Arguments.ForName(argument).Value.Children {
		all := true
		for _, scope := range alternative.Value.Children {
			all = all && slices.Contains(n.caller.holds, scope.Value.Raw)
		}
		if all {
			return true
		}
	}
	return false
}

// identity reports whether the value at a path into the field's arguments is the caller's id.
func (n *naive) identity(t *ast.Definition, s *ast.Field, path string) bool {
	names := strings.Split(path, ".")
	argument := t.Fields.ForName(s.Name).Arguments.ForName(names[0])
	var given any
	present := false
	if a := s.Arguments.ForName(names[0]); a != nil {
		given, present = n.value(a.Value)
	}
	if !present && argument.DefaultValue != nil {
		given, _ = n.value(argument.DefaultValue)
	}
	in := argument.Type
	for _, name := range names[1:] {
		object, ok := given.(map[string]any)
		if !ok {
			return false
		}
		field := n.schema.Types[in.Name()].Fields.ForName(name)
		if given, ok = object[name]; !ok && field.DefaultValue != nil {
			given, _ = n.value(field.DefaultValue)
		}
		in = field.Type
	}
	return n.caller.signedIn && given == n.caller.id
}

// value returns what a value of the document comes to, as JSON would have it, and false for a variable without a value.
func (n *naive) value(v *ast.Value) (any, bool) {
	switch v.Kind {
	case ast.Variable:
		if given, ok := n.variables[v.Raw]; ok {
			return given, true
		}
		if def := n.op.VariableDefinitions.ForName(v.Raw).DefaultValue; def != nil {
			return n.value(def)
		}
		return nil, false
	case ast.ObjectValue:
		object := map[string]any{}
		for _, child := range v.Children {
			if given, ok := n.value(child.Value); ok {
				object[child.Name] = given
			}
		}
		return object, true
	case ast.NullValue:
		return nil, true
	case ast.BooleanValue:
		return v.Raw == "true", true
	default:
		return v.Raw, true
	}
}

func (n *naive) skipped(directives ast.DirectiveList) bool {
	for _, d := range directives {
		condition, _ := n.value(d.Arguments.ForName("if").Value)
		if !n.ask(d.Name, condition != (d.Name == "skip")) {
			return true
		}
	}
	return false
}

// sees reports whether the caller can know of a type, or of a field of it: not of one that is hidden and that they fail, nor of
// a field of a type, or that returns one, that they do not see. What is their own they can know of as soon as they are somebody;
// that they have to sign in again is no secret.
func (n *naive) sees(t *ast.Definition, field string) bool {
	if field == "" {
		return !hidden(n.onType(t)) || n.stands(n.onType(t))
	}
	returns := n.schema.Types[t.Fields.ForName(field).Type.Name()]
	if !n.sees(t, "") || !n.sees(returns, "") {
		return false
	}
	own := n.onField(t, field)
	return !hidden(own) || n.ask("hidden", n.stands(slices.Concat(own, n.onType(t), n.onType(returns))))
}

func hidden(directives []*ast.Directive) bool {
	return slices.ContainsFunc(directives, func(d *ast.Directive) bool { return text(d, "hidden") == "true" })
}

// stands reports whether the caller is somebody, and holds the scopes.
func (n *naive) stands(directives []*ast.Directive) bool {
	for _, d := range directives {
		if !n.caller.signedIn || d.Arguments.ForName("scopes") != nil && !n.holds(d, "scopes") {
			return false
		}
	}
	return true
}

// text returns an argument as it is written, empty where there is none.
func text(d *ast.Directive, argument string) string {
	if a := d.Arguments.ForName(argument); a != nil {
		return a.Value.Raw
	}
	return ""
}
