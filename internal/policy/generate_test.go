package policy_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"pgregory.net/rapid"
)

// knownScopes are those of generated schemas.
var knownScopes = []string{"a", "b", "c"}

// composites are the types of generated schemas that have something to select.
var composites = []string{"T0", "T1", "T2", "T3", "I0", "I1", "U"}

// The ids in generated operations: the caller's own and somebody else's.
const mineID, theirsID = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c073980"

// genSchema draws a schema of every kind of rule.
type genSchema struct {
	t *rapid.T
	strings.Builder
	implementers map[string][]string // by interface
	implements   map[string][]string // by object
	ruled        map[string]bool     // types that are protected as such
	veils        bool                // hide whole objects, and what returns them with others
	dark         map[string]bool     // what is hidden so, and what can be
}

// veil is the rule by which objects are hidden, and what returns them.
const veil = ` @auth(scopes: [["a"]], hidden: true)`

func (g *genSchema) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(g.t, label)
}

func (g *genSchema) maybe(label string, outOf int) bool {
	return rapid.IntRange(1, outOf).Draw(g.t, label) == 1
}

// scopes draws a list of lists of scopes.
func (g *genSchema) scopes() string {
	inner := rapid.SliceOfNDistinct(rapid.SampledFrom(knownScopes), 1, 2, rapid.ID)
	text := fmt.Sprintf("%q", rapid.SliceOfN(inner, 1, 2).Draw(g.t, "scopes"))
	return strings.NewReplacer(`" "`, `", "`, "] [", "], [").Replace(text)
}

// auth draws the directives at one place, at least so many; owners are what an owner rule there may name.
func (g *genSchema) auth(least int, owners ...string) string {
	var text strings.Builder
	for range rapid.SampledFrom([]int{least, least, least, least, 1, 2}).Draw(g.t, "directives") {
		var parts []string
		if g.maybe("has scopes", 3) {
			parts = append(parts, "scopes: "+g.scopes())
		}
		if len(owners) > 0 && g.maybe("has an owner", 2) {
			parts = append(parts, fmt.Sprintf("owner: %q", g.pick("owner", owners...)))
			if !g.maybe("owner alone", 3) {
				parts = append(parts, "orScopes: "+g.scopes())
			}
		}
		if g.maybe("has maxAge", 8) {
			parts = append(parts, "maxAge: "+g.pick("maxAge", "60", "300"))
		}
		if g.maybe("has acr", 8) {
			parts = append(parts, fmt.Sprintf("acr: %q", g.pick("acr", "pwd", "mfa")))
		}
		if g.maybe("hidden", 10) && (!g.veils || g.maybe("hidden besides", 4)) {
			parts = append(parts, "hidden: true")
		}
		text.WriteString(" @auth")
		if len(parts) > 0 {
			text.WriteString("(" + strings.Join(parts, ", ") + ")")
		}
	}
	return text.String()
}

// signature is a field as its interface and its implementers have it.
type signature struct {
	name, arguments, returns string
	owners                   []string // what an owner rule may name
}

// signature draws the arguments of a field, with their defaults.
func (g *genSchema) signature(name, returns string) signature {
	s := signature{name: name, returns: returns}
	var arguments []string
	for _, kind := range strings.Fields(g.pick("arguments", "", "", "ID", "ID!", "In", "ID In")) {
		switch kind {
		case "In":
			arguments = append(arguments, "input: In"+g.pick("default", "", "", " = {}", ` = {id: "`+mineID+`"}`))
			s.owners = append(s.owners, "args.input.id", "args.input.by.id")
		default:
			arguments = append(arguments, "id: "+kind+g.pick("default", "", "", ` = "`+mineID+`"`))
			s.owners = append(s.owners, "args.id")
		}
	}
	if len(arguments) > 0 {
		s.arguments = "(" + strings.Join(arguments, ", ") + ")"
	}
	return s
}

// any draws a type that a field may return.
func (g *genSchema) any() string {
	return g.pick("returns", append([]string{"Query", "String"}, slices.Concat(composites, composites)...)...)
}

// onType draws the rules of a type that has the interfaces.
func (g *genSchema) onType(name string, interfaces ...string) string {
	rules := g.auth(0, "parent")
	if g.dark[name] && strings.HasPrefix(name, "T") {
		rules += veil
	}
	g.ruled[name] = rules != "" || slices.ContainsFunc(interfaces, func(one string) bool { return g.ruled[one] })
	return rules
}

// field draws a field's rules. The root's fields have at least one.
func (g *genSchema) field(s signature, root bool) string {
	owners := s.owners
	if !root {
		owners = append(slices.Clip(owners), "parent")
	}
	rules := " @public(reason: \"Tests ask for it.\")"
	if !root {
		rules = g.auth(0, owners...)
	} else if g.ruled[s.returns] || g.dark[s.returns] || !g.maybe("public", 4) {
		rules = g.auth(1, owners...)
	}
	if g.dark[s.returns] && !g.maybe("unveiled", 20) {
		rules += veil
	}
	byArgument := strings.Contains(rules, `"args.`) || s.arguments != "" && strings.HasPrefix(s.name, "x") // perhaps inherited
	if s.returns != "String" && !byArgument && g.maybe("own", 2) {
		rules += " @own"
	}
	return s.name + s.arguments + ": " + s.returns + rules + " "
}

// narrow returns the signature with a type that may stand where an interface says the signature's own.
func (g *genSchema) narrow(s signature) signature {
	s.returns = g.pick("narrowed", append([]string{s.returns}, g.implementers[s.returns]...)...)
	return s
}

// source draws a schema: interfaces I0 and I1, of which I1 may implement I0, objects T0 to T3 that implement some of them, a
// union, and roots that lead to all of them, owned and not.
func (g *genSchema) source() string {
	g.implementers, g.implements = map[string][]string{}, map[string][]string{}
	g.ruled, g.dark = map[string]bool{}, map[string]bool{}
	chained := g.maybe("I1 implements I0", 2)
	for i, name := range composites[:4] {
		second := i == 0 || g.maybe("implements I1", 2)
		if i == 0 || second && chained || g.maybe("implements I0", 2) {
			g.implement(name, "I0")
		}
		if second {
			g.implement(name, "I1")
		}
	}
	members := rapid.SliceOfNDistinct(rapid.SampledFrom(composites[:4]), 1, 3, rapid.ID).Draw(g.t, "members")
	if g.veils {
		g.darken(members)
	}
	x0, x1 := g.signature("x0", g.any()), g.signature("x1", g.any())
	g.WriteString(directives)
	fmt.Fprintf(g, "input In { id: ID%s by: By%s } input By { id: ID%s name: String }\n",
		g.pick("default", "", ` = "`+mineID+`"`), g.pick("default", "", ` = {}`), g.pick("default", "", ` = "`+mineID+`"`))
	fmt.Fprintf(g, "interface I0%s { id: ID%s %s}\n", g.onType("I0"), g.auth(0, "parent"), g.field(x0, false))
	if chained {
		fmt.Fprintf(g, "interface I1 implements I0%s { id: ID%s %s %s}\n",
			g.onType("I1", "I0"), g.auth(0, "parent"), g.field(x0, false), g.field(x1, false))
	} else {
		fmt.Fprintf(g, "interface I1%s { %s}\n", g.onType("I1"), g.field(x1, false))
	}
	for _, name := range composites[:4] {
		heads := ""
		if len(g.implements[name]) > 0 {
			heads = " implements " + strings.Join(g.implements[name], " & ")
		}
		fmt.Fprintf(g, "type %s%s%s { id: ID%s %s", name, heads, g.onType(name, g.implements[name]...), g.auth(0, "parent"),
			g.field(g.signature("y", g.any()), false))
		if slices.Contains(g.implements[name], "I0") {
			g.WriteString(g.field(g.narrow(x0), false))
		}
		if slices.Contains(g.implements[name], "I1") {
			g.WriteString(g.field(g.narrow(x1), false))
		}
		g.WriteString("}\n")
	}
	fmt.Fprintf(g, "union U = %s\n", strings.Join(members, " | "))
	for _, root := range []string{"Query", "Mutation"} {
		fmt.Fprintf(g, "type %s { open(input: In): String @public(reason: \"Tests ask for it.\") ", root)
		for _, name := range composites {
			own := " @own @auth "
			if g.dark[name] {
				own += veil + " "
			}
			g.WriteString("own" + name + ": " + name + own + g.field(g.signature("get"+name, name), true))
		}
		g.WriteString("}\n")
	}
	return g.String()
}

func (g *genSchema) implement(object, one string) {
	g.implements[object] = append(g.implements[object], one)
	g.implementers[one] = append(g.implementers[one], object)
}

// darken draws the objects that are hidden, and finds what can be one of them.
func (g *genSchema) darken(members []string) {
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(composites[:4]), 1, 2, rapid.ID).Draw(g.t, "dark") {
		g.dark[name] = true
		g.dark["U"] = g.dark["U"] || slices.Contains(members, name)
		for _, one := range g.implements[name] {
			g.dark[one] = true
		}
	}
}

// genQuery draws an operation on the schema, with fragments, aliases and conditions. It is valid but for what cannot be known
// beforehand: fragments that never apply, variables that nothing uses.
type genQuery struct {
	t          *rapid.T
	schema     *ast.Schema
	composites []string // those that it has
	fragments  []string // definitions
	names      []string // of those that may be spread again
	aliases    int
}

// heads declare all variables there can be: for two operations that say the same but for the variables' defaults.
var heads = [...]string{head, strings.NewReplacer("true", "false", "false", "true", mineID, theirsID).Replace(head)}

const head = `($v: Boolean!, $w: Boolean = true, $x: Boolean = false, $i: ID, $j: ID = "` + mineID + `", $n: ID!, $in: In, ` +
	`$jn: In = {by: {id: "` + mineID + `"}}, $by: By) `

func (g *genQuery) document() string {
	g.composites = slices.DeleteFunc(slices.Clone(composites), func(name string) bool { return g.schema.Types[name] == nil })
	kind, root := "query", g.schema.Query
	if rapid.IntRange(1, 4).Draw(g.t, "mutation") == 1 {
		kind, root = "mutation", g.schema.Mutation
	}
	body := "{ " + g.selections(root, 0) + "} "
	return kind + " A" + heads[0] + body + kind + " B" + heads[1] + body + strings.Join(g.fragments, " ")
}

func (g *genQuery) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(g.t, label)
}

func (g *genQuery) selections(def *ast.Definition, depth int) string {
	var s strings.Builder
	for range rapid.IntRange(1, 3).Draw(g.t, "selections") {
		kind := rapid.IntRange(0, 10).Draw(g.t, "kind")
		switch {
		case kind < 6 && len(def.Fields) > 0:
			s.WriteString(g.field(def, depth))
		case kind < 7 || depth > 3:
			s.WriteString(g.pick("alias", "", g.alias()+": ") + "__typename" + g.condition() + " ")
		case def == g.schema.Query || def == g.schema.Mutation || kind == 7 || len(g.composites) == 0:
			fmt.Fprintf(&s, "...%s { %s} ", g.condition(), g.selections(def, depth+1))
		case kind == 8 && len(g.names) > 0:
			fmt.Fprintf(&s, "...%s%s ", g.pick("again", g.names...), g.condition())
		case kind < 10:
			on := g.schema.Types[g.pick("condition", g.composites...)]
			fmt.Fprintf(&s, "... on %s%s { %s} ", on.Name, g.condition(), g.selections(on, depth+1))
		default:
			on := g.schema.Types[g.pick("condition", g.composites...)]
			name := "F" + g.alias()
			g.fragments = append(g.fragments, fmt.Sprintf("fragment %s on %s { %s}", name, on.Name, g.selections(on, depth+1)))
			g.names = append(g.names, name)
			fmt.Fprintf(&s, "...%s%s ", name, g.condition())
		}
	}
	return s.String()
}

func (g *genQuery) field(def *ast.Definition, depth int) string {
	var names []string
	for _, f := range def.Fields {
		leaf := g.schema.Types[f.Type.Name()].IsLeafType()
		if !strings.HasPrefix(f.Name, "__") && (leaf || depth < 4) {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		return g.alias() + ": __typename "
	}
	f := def.Fields.ForName(g.pick("field", names...))
	text := f.Name
	if f.Name != "id" || g.pick("alias", "", "alias") != "" {
		text = g.alias() + ": " + f.Name
	}
	text += g.arguments(f) + g.condition()
	if returns := g.schema.Types[f.Type.Name()]; !returns.IsLeafType() {
		text += " { " + g.selections(returns, depth+1) + "}"
	}
	return text + " "
}

func (g *genQuery) arguments(f *ast.FieldDefinition) string {
	var list []string
	for _, a := range f.Arguments {
		var value string
		switch {
		case a.Type.Name() == "In":
			value = g.input()
		case a.Type.NonNull && a.DefaultValue == nil:
			value = g.pick("id", "$n", "$n", `"`+mineID+`"`, `"`+theirsID+`"`)
		case a.Type.NonNull:
			value = g.pick("id", "", "$i", "$j", "$n", `"`+mineID+`"`, `"`+theirsID+`"`)
		default:
			value = g.pick("id", "", "null", "$i", "$j", "$n", `"`+mineID+`"`, `"`+theirsID+`"`, `""`, "7")
		}
		if value != "" {
			list = append(list, a.Name+": "+value)
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// input draws a value of type In, or none.
func (g *genQuery) input() string {
	id := func() string {
		return "id: " + g.pick("id", "null", "$i", "$j", "$n", `"`+mineID+`"`, `"`+theirsID+`"`)
	}
	by := func() string {
		return "by: " + g.pick("by", "null", "$by", "{}", `{name: "`+mineID+`"}`, "{"+id()+"}")
	}
	switch kind := g.pick("input", "", "null", "$in", "$jn", "{}", "id", "by", "both"); kind {
	case "id":
		return "{" + id() + "}"
	case "by":
		return "{" + by() + "}"
	case "both":
		return "{" + by() + ", " + id() + "}"
	default:
		return kind
	}
}

// alias returns a name that nothing else has, so that all fields merge.
func (g *genQuery) alias() string {
	g.aliases++
	return fmt.Sprintf("n%d", g.aliases)
}

func (g *genQuery) condition() string {
	return g.pick("when", "", "", "", "", "", " @skip(if: $v)", " @include(if: $v)", " @include(if: $w)", " @skip(if: $w)",
		" @include(if: $x)", " @include(if: true)", " @skip(if: false)", " @include(if: $v) @skip(if: $x)")
}

// genVariables draws values for the variables in head: present, null and absent where they may be.
func genVariables(t *rapid.T) map[string]any {
	variables := map[string]any{"v": rapid.Bool().Draw(t, "v"), "n": genID(t, false)}
	for _, name := range []string{"w", "x"} {
		if rapid.Bool().Draw(t, name+" given") {
			variables[name] = rapid.Bool().Draw(t, name)
		}
	}
	set := func(into map[string]any, name string, value func() any) {
		switch rapid.IntRange(0, 4).Draw(t, name+" given") {
		case 0:
		case 1:
			into[name] = nil
		default:
			into[name] = value()
		}
	}
	id := func() any { return genID(t, true) }
	by := func() any {
		object := map[string]any{}
		set(object, "id", id)
		return object
	}
	in := func() any {
		object := map[string]any{}
		set(object, "id", id)
		set(object, "by", by)
		return object
	}
	set(variables, "i", id)
	set(variables, "j", id)
	set(variables, "by", by)
	set(variables, "in", in)
	set(variables, "jn", in)
	return variables
}

func genID(t *rapid.T, odd bool) any {
	ids := []any{mineID, mineID, theirsID}
	if odd {
		ids = append(ids, "", strings.ToUpper(mineID), "00000000-0000-0000-0000-000000000000")
	}
	return rapid.SampledFrom(ids).Draw(t, "id")
}
