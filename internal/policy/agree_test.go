package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
	"pgregory.net/rapid"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/policy"
)

// knownScopes are those of generated schemas.
var knownScopes = []string{"a", "b", "c"}

// genAuth draws the directives at one place: mostly none.
func genAuth(t *rapid.T, least int) string {
	var text strings.Builder
	for range rapid.SampledFrom([]int{least, least, least, 1, 2}).Draw(t, "directives") {
		text.WriteString(" @auth")
		if rapid.Bool().Draw(t, "scoped") {
			alternatives := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.SampledFrom(knownScopes), 1, 2, rapid.ID), 1,
				2).Draw(t, "scopes")
			text.WriteString(strings.ReplaceAll(fmt.Sprintf("(scopes: %q)", alternatives), `" "`, `", "`))
		}
	}
	return text.String()
}

// genSchema draws a schema: interfaces I0 and I1, of which I1 may implement I0, objects T0 to T3 that implement some of them,
// a union, and a root. Every composite type has the fields it needs and some that lead on.
func genSchema(t *rapid.T) string {
	composites := []string{"T0", "T1", "T2", "T3", "I0", "I1", "U"}
	link := func() string { return rapid.SampledFrom(composites).Draw(t, "returns") }
	i1ExtendsI0 := rapid.Bool().Draw(t, "I1 implements I0")
	x0, x1 := link(), link()
	var s strings.Builder
	s.WriteString(directives)
	fmt.Fprintf(&s, "interface I0%s { id: ID%s x0: %s%s }\n", genAuth(t, 0), genAuth(t, 0), x0, genAuth(t, 0))
	if i1ExtendsI0 {
		fmt.Fprintf(&s, "interface I1 implements I0%s { id: ID%s x0: %s%s x1: %s%s }\n",
			genAuth(t, 0), genAuth(t, 0), x0, genAuth(t, 0), x1, genAuth(t, 0))
	} else {
		fmt.Fprintf(&s, "interface I1%s { x1: %s%s }\n", genAuth(t, 0), x1, genAuth(t, 0))
	}
	// narrow returns a type that may stand where an interface says returns.
	narrow := func(returns string, implementers map[string][]string) string {
		return rapid.SampledFrom(append([]string{returns}, implementers[returns]...)).Draw(t, "narrowed")
	}
	implementers := map[string][]string{}
	implements := map[string][]string{}
	for i := range 4 {
		name := fmt.Sprintf("T%d", i)
		first, second := rapid.Bool().Draw(t, "implements I0"), rapid.Bool().Draw(t, "implements I1")
		if second && i1ExtendsI0 || i == 0 { // somebody has to, or the interface is empty
			first = true
		}
		if first {
			implements[name] = append(implements[name], "I0")
			implementers["I0"] = append(implementers["I0"], name)
		}
		if second || i == 0 {
			implements[name] = append(implements[name], "I1")
			implementers["I1"] = append(implementers["I1"], name)
		}
	}
	for i := range 4 {
		name := fmt.Sprintf("T%d", i)
		heads := ""
		if len(implements[name]) > 0 {
			heads = " implements " + strings.Join(implements[name], " & ")
		}
		fmt.Fprintf(&s, "type %s%s%s { id: ID%s own: %s%s", name, heads, genAuth(t, 0), genAuth(t, 0), link(), genAuth(t, 0))
		if slices.Contains(implements[name], "I0") {
			fmt.Fprintf(&s, " x0: %s%s", narrow(x0, implementers), genAuth(t, 0))
		}
		if slices.Contains(implements[name], "I1") {
			fmt.Fprintf(&s, " x1: %s%s", narrow(x1, implementers), genAuth(t, 0))
		}
		s.WriteString(" }\n")
	}
	members := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"T0", "T1", "T2", "T3"}), 1, 3, rapid.ID).Draw(t, "members")
	fmt.Fprintf(&s, "union U = %s\ntype Query {", strings.Join(members, " | "))
	for _, name := range composites {
		fmt.Fprintf(&s, " get%s: %s%s", name, name, genAuth(t, 1))
	}
	s.WriteString(" }\n")
	return s.String()
}

// genQuery draws an operation on the schema, with fragments, aliases and conditions. It is valid but for what cannot be known
// beforehand: fields that do not merge, fragments that never apply.
type genQuery struct {
	t         *rapid.T
	schema    *ast.Schema
	fragments []string
	aliases   int
}

func (g *genQuery) document() string {
	body := g.selections(g.schema.Query, 0)
	return "query($v: Boolean!, $w: Boolean = true, $x: Boolean = false) { used: __typename @skip(if: $v) @include(if: $w) " +
		"more: __typename @skip(if: $x) " + body + "} " + strings.Join(g.fragments, " ")
}

func (g *genQuery) selections(def *ast.Definition, depth int) string {
	var s strings.Builder
	for range rapid.IntRange(1, 3).Draw(g.t, "selections") {
		kind := rapid.IntRange(0, 9).Draw(g.t, "kind")
		switch {
		case kind < 6 && len(def.Fields) > 0:
			s.WriteString(g.field(def, depth))
		case kind < 7 || depth > 3:
			s.WriteString(g.alias() + ": __typename" + g.condition() + " ")
		default:
			on := g.schema.Types[rapid.SampledFrom([]string{"T0", "T1", "T2", "T3", "I0", "I1", "U"}).Draw(g.t, "condition")]
			switch {
			case def == g.schema.Query || kind == 7:
				fmt.Fprintf(&s, "...%s { %s} ", g.condition(), g.selections(def, depth+1))
			case kind == 8:
				fmt.Fprintf(&s, "... on %s%s { %s} ", on.Name, g.condition(), g.selections(on, depth+1))
			default:
				fragment := fmt.Sprintf("fragment F%s on %s { %s}", g.alias(), on.Name, g.selections(on, depth+1))
				g.fragments = append(g.fragments, fragment)
				fmt.Fprintf(&s, "...%s%s ", strings.Fields(fragment)[1], g.condition())
			}
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
	f := def.Fields.ForName(rapid.SampledFrom(names).Draw(g.t, "field"))
	text := g.alias() + ": " + f.Name + g.condition()
	if returns := g.schema.Types[f.Type.Name()]; !returns.IsLeafType() {
		text += " { " + g.selections(returns, depth+1) + "}"
	}
	return text + " "
}

// alias returns a name that nothing else has, so that all fields merge.
func (g *genQuery) alias() string {
	g.aliases++
	return fmt.Sprintf("n%d", g.aliases)
}

func (g *genQuery) condition() string {
	return rapid.SampledFrom([]string{
		"", "", "", "", "", " @skip(if: $v)", " @include(if: $v)", " @include(if: $w)", " @skip(if: $w)", " @include(if: $x)",
		" @include(if: true)", " @skip(if: false)", " @include(if: $v) @skip(if: $x)",
	}).Draw(g.t, "when")
}

// TestAgreesWithTheNaiveEvaluator compares the engine with the second opinion on generated schemas, operations and callers.
func TestAgreesWithTheNaiveEvaluator(t *testing.T) {
	vocabulary := vocabulary(t, knownScopes...)
	var permitted, denied int
	rapid.Check(t, func(t *rapid.T) {
		source := genSchema(t)
		schema, err := gqlparser.LoadSchema(&ast.Source{Name: "generated.graphqls", Input: source})
		if err != nil {
			t.Fatalf("%v\n%s", err, source)
		}
		engine, err := policy.Compile(schema, vocabulary)
		if err != nil {
			t.Fatalf("%v\n%s", err, source)
		}
		for range 5 {
			query := (&genQuery{t: t, schema: schema}).document()
			valid := rules.NewDefaultRules()
			valid.RemoveRule("PossibleFragmentSpreads") // what can never apply must not matter
			doc, errs := gqlparser.LoadQueryWithRules(schema, query, valid)
			if len(errs) > 0 {
				t.Fatalf("%v\n%s\n%s", errs, source, query)
			}
			plan := engine.Plan(doc, doc.Operations[0])
			for range 4 {
				variables := map[string]any{"v": rapid.Bool().Draw(t, "v")}
				if rapid.Bool().Draw(t, "w given") {
					variables["w"] = rapid.Bool().Draw(t, "w")
				}
				holds := rapid.SliceOfDistinct(rapid.SampledFrom(knownScopes), rapid.ID).Draw(t, "holds")
				caller := &auth.Caller{Scopes: vocabulary.Set(holds...)}
				signedIn := rapid.IntRange(0, 4).Draw(t, "signed in") > 0
				if !signedIn {
					caller = auth.Anonymous(fault.Anonymous(fault.Missing))
				}
				second := naive{
					schema: schema, doc: doc, op: doc.Operations[0], signedIn: signedIn, holds: holds,
					variables: variables,
				}
				want := slices.Sorted(maps.Keys(second.decide()))
				var got []string
				for _, d := range shown(plan.Check(caller, variables)) {
					got = append(got, d[:strings.LastIndex(d, " ")])
				}
				slices.Sort(got)
				if len(want) > 20 && len(got) == 20 {
					want = slices.DeleteFunc(want, func(one string) bool { return !slices.Contains(got, one) })
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("the naive evaluator (-) and the engine (+) differ: %s\n%s\n%s\nholds %v, variables %v", diff,
						source, query, holds, variables)
				}
				if len(got) == 0 {
					permitted++
				} else {
					denied++
				}
			}
		}
	})
	if t.Failed() {
		return
	}
	t.Logf("%d permitted, %d denied", permitted, denied)
	if permitted < 100 || denied < 100 { // a comparison of nothing but one answer would say little
		t.Errorf("%d permitted, %d denied", permitted, denied)
	}
}
