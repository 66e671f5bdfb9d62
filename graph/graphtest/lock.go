package graphtest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
)

// EveryRuleIsLocked changes the rules of a schema, one at a time and in every way that loosens: a directive goes, an argument
// goes, a scope goes, another scope will do, a level falls, @public replaces @auth, @own comes. Either the server does not
// start any more, or the lock differs.
func EveryRuleIsLocked(t *testing.T, plan Plan) {
	t.Helper()
	schema, rules := plan.Compile(t, time.Now)
	lock := rules.Lock()
	tried, byType := 0, map[*ast.Definition]int{}
	for at := range carriers(schema) {
		original := carriers(schema)[at]
		for what, changed := range looser(*original, at, plan.Registry.Vocabulary().Names()) {
			again, err := operation.LoadSchema("schema.graphqls", plan.SDL)
			must(t, err)
			*carriers(again)[at] = changed
			tried++
			typeName, _, _ := strings.Cut(at, ".")
			byType[schema.Types[typeName]]++
			engine, err := policy.Compile(again, plan.Registry.Vocabulary(), time.Now)
			if err == nil && bytes.Equal(engine.Lock(), lock) {
				t.Errorf("%s: nobody notices that %s", at, what)
			}
		}
	}
	if tried < len(carriers(schema)) {
		t.Errorf("%d changes at %d places", tried, len(carriers(schema)))
	}
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		if root != nil && byType[root] < 2*len(root.Fields) {
			t.Errorf("%d changes of %s, which has %d fields", byType[root], root.Name, len(root.Fields))
		}
	}
	t.Logf("%d changes", tried)
}

// carriers returns the directives of every place that can carry a rule, by coordinate.
func carriers(schema *ast.Schema) map[string]*ast.DirectiveList {
	all := map[string]*ast.DirectiveList{}
	for name, def := range schema.Types {
		if def.BuiltIn || def.Kind != ast.Object && def.Kind != ast.Interface {
			continue
		}
		all[name] = &def.Directives
		for _, field := range def.Fields {
			if !strings.HasPrefix(field.Name, "__") {
				all[name+"."+field.Name] = &field.Directives
			}
		}
	}
	return all
}

// looser returns what a place's directives become by each single loosening.
func looser(original ast.DirectiveList, at string, scopes []string) map[string]ast.DirectiveList {
	all := map[string]ast.DirectiveList{}
	position := &ast.Position{Src: &ast.Source{Name: "changed.graphqls"}}
	_, _, isField := strings.Cut(at, ".")
	if isField && original.ForName("own") == nil {
		all["@own comes"] = append(slices.Clone(original), &ast.Directive{Name: "own", Position: position})
	}
	for i, d := range original {
		if d.Name != "auth" && d.Name != "own" && d.Name != "public" {
			continue
		}
		all[fmt.Sprintf("directive %d, @%s, goes", i, d.Name)] = slices.Delete(slices.Clone(original), i, i+1)
		if d.Name != "auth" {
			continue
		}
		replace := func(what string, with *ast.Directive) {
			changed := slices.Clone(original)
			changed[i] = with
			all[fmt.Sprintf("directive %d, @auth: %s", i, what)] = changed
		}
		reason := &ast.Value{Raw: "Because.", Kind: ast.StringValue, Position: position}
		replace("becomes @public", &ast.Directive{
			Name: "public", Arguments: ast.ArgumentList{{Name: "reason", Value: reason, Position: position}}, Position: position,
		})
		for j, argument := range d.Arguments {
			without := *d
			without.Arguments = slices.Delete(slices.Clone(d.Arguments), j, j+1)
			replace(argument.Name+" goes", &without)
			for what, value := range looserValues(argument, scopes) {
				with := *d
				with.Arguments = slices.Clone(d.Arguments)
				with.Arguments[j] = &ast.Argument{Name: argument.Name, Value: value, Position: argument.Position}
				replace(what, &with)
			}
		}
	}
	return all
}

// looserValues returns what an argument's value becomes by each single loosening.
func looserValues(argument *ast.Argument, scopes []string) map[string]*ast.Value {
	all := map[string]*ast.Value{}
	value := func(kind ast.ValueKind, raw string, children ...*ast.ChildValue) *ast.Value {
		return &ast.Value{Kind: kind, Raw: raw, Children: children, Position: argument.Position}
	}
	was := argument.Value
	switch argument.Name {
	case "scopes", "orScopes":
		for _, scope := range scopes {
			one := &ast.ChildValue{Value: value(ast.ListValue, "", &ast.ChildValue{Value: value(ast.StringValue, scope)})}
			held := func(c *ast.ChildValue) bool {
				return len(c.Value.Children) == 1 && c.Value.Children[0].Value.Raw == scope
			}
			if !slices.ContainsFunc(was.Children, held) {
				all[argument.Name+": "+scope+" will do"] = value(ast.ListValue, "", append(slices.Clone(was.Children), one)...)
			}
		}
		for i, alternative := range was.Children {
			for j := range alternative.Value.Children {
				less := value(ast.ListValue, "", slices.Delete(slices.Clone(alternative.Value.Children), j, j+1)...)
				children := slices.Clone(was.Children)
				children[i] = &ast.ChildValue{Value: less}
				all[fmt.Sprintf("%s: alternative %d loses scope %d", argument.Name, i, j)] = value(ast.ListValue, "", children...)
			}
		}
	case "owner":
		for _, other := range []string{"parent", "args.id", "args.first", "args.after"} {
			if other != was.Raw {
				all["owner: becomes "+other] = value(ast.StringValue, other)
			}
		}
	case "maxAge":
		all["maxAge: grows"] = value(ast.IntValue, was.Raw+"0")
	case "acr":
		if was.Raw != "pwd" {
			all["acr: falls"] = value(ast.StringValue, "pwd")
		}
	case "hidden":
		all["hidden: is no more"] = value(ast.BooleanValue, "false")
	}
	return all
}
