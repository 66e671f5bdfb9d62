package policy_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
	"pgregory.net/rapid"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/policy"
)

// genPerson draws a caller, as the naive evaluator and as the engine know them.
func genPerson(t *rapid.T, vocabulary *auth.Vocabulary) (person, *auth.Caller) {
	if rapid.IntRange(0, 5).Draw(t, "anonymous") == 0 {
		reason := rapid.SampledFrom([]fault.Reason{fault.Missing, fault.Expired, fault.Invalid, fault.Revoked}).Draw(t, "reason")
		return person{}, auth.Anonymous(fault.Anonymous(reason))
	}
	p := person{
		signedIn: true,
		id:       rapid.SampledFrom([]string{mineID, mineID, mineID, theirsID}).Draw(t, "who"),
		holds:    rapid.SliceOfDistinct(rapid.SampledFrom(knownScopes), rapid.ID).Draw(t, "holds"),
		ago:      time.Duration(rapid.SampledFrom([]int{0, 0, 60, 61, 300, 301}).Draw(t, "seconds ago")) * time.Second,
		level:    rapid.SampledFrom([]int{0, 1, 2, 2}).Draw(t, "level"),
	}
	account, err := id.Parse(p.id)
	if err != nil {
		t.Fatal(err)
	}
	return p, &auth.Caller{
		AccountID: account, Scopes: vocabulary.Set(p.holds...), AuthTime: clock().Add(-p.ago),
		AMR: [][]string{nil, {"pwd"}, {"pwd", "otp"}}[p.level],
	}
}

// hiding is what hides in a generated schema.
var hiding = regexp.MustCompile(`, hidden: true|\(hidden: true\)`)

// compileGenerated compiles a generated schema. What is hidden may leave an invalid schema behind, or tell of itself; then
// something hidden that was drawn is not, until the rest may be.
func compileGenerated(t *rapid.T, source string, vocabulary *auth.Vocabulary) (string, *ast.Schema, *policy.Engine) {
	for {
		schema, err := gqlparser.LoadSchema(&ast.Source{Name: "generated.graphqls", Input: source})
		if err != nil {
			t.Fatalf("%v\n%s", err, source)
		}
		engine, err := policy.Compile(schema, vocabulary, clock)
		if err == nil {
			return source, schema, engine
		}
		places := hiding.FindAllStringIndex(source, -1)
		if len(places) == 0 {
			t.Fatalf("%v\n%s", err, source)
		}
		place := rapid.SampledFrom(places).Draw(t, "shown")
		source = source[:place[0]] + source[place[1]:]
	}
}

// validation is GraphQL's, less what would only keep the generator from saying odd things: what can never apply must not matter.
func validation() *rules.Rules {
	valid := rules.NewDefaultRules()
	for _, name := range []string{"PossibleFragmentSpreads", "NoUnusedVariables"} {
		valid.RemoveRule(name)
	}
	return valid
}

// TestAgreesWithTheNaiveEvaluator compares the engine with the second opinion on generated schemas, operations and callers: on
// what is denied, and on what is seen. Each check is twenty triples; -rapid.checks=10000 makes them 200,000.
func TestAgreesWithTheNaiveEvaluator(t *testing.T) {
	vocabulary := vocabulary(t, knownScopes...)
	var permitted, denied, owning, cut, veiled int
	asked := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		source, schema, engine := compileGenerated(t, (&genSchema{t: t}).source(), vocabulary)
		for range 5 {
			query := (&genQuery{t: t, schema: schema}).document()
			doc, errs := gqlparser.LoadQueryWithRules(schema, query, validation())
			if len(errs) > 0 {
				t.Fatalf("%v\n%s\n%s", errs, source, query)
			}
			plans := []*policy.Plan{engine.Plan(doc, doc.Operations[0]), engine.Plan(doc, doc.Operations[1])}
			for i := range 4 {
				who, caller := genPerson(t, vocabulary)
				second := naive{
					schema: schema, doc: doc, op: doc.Operations[i%2], caller: who, variables: genVariables(t), asked: asked,
				}
				second.decide()
				got := plans[i%2].Check(caller, second.variables)
				if problem := disagreement(&second, got); problem != "" {
					t.Fatalf("%s, %s\n%s\n%s\n%+v, variables %v", second.op.Name, problem, source, query, who, second.variables)
				}
				veiled += compareSight(t, &second, engine, caller, source)
				compareExplain(t, &second, engine, caller, got)
				switch {
				case got == nil && second.owning > 0:
					owning++
					fallthrough
				case got == nil:
					permitted++
				default:
					denied++
				}
				if len(got) == atMost {
					cut++
				}
			}
		}
	})
	if t.Failed() {
		return
	}
	t.Logf("%d permitted, %d of them by owning something; %d denied, %d of them more than is told; %d coordinates unseen",
		permitted, owning, denied, cut, veiled)
	if permitted < 100 || owning < 10 || denied < 100 { // a comparison of nothing but one answer would say little
		t.Errorf("%d permitted, %d by owning, %d denied", permitted, owning, denied)
	}
	for _, part := range []string{
		"scopes", "orScopes", "parent", "args", "maxAge", "acr", "hidden", "skip", "include", "on INTERFACE", "on UNION",
	} {
		if asked[part+" true"] == 0 || asked[part+" false"] == 0 && !strings.HasPrefix(part, "on ") {
			t.Errorf("%s: held %d times, failed %d times", part, asked[part+" true"], asked[part+" false"])
		}
	}
}

// compareExplain compares what Explain says with what Check does, and Can with both: of what a signed-in caller sees and is
// permitted, they are never told that they may not try.
func compareExplain(t *rapid.T, second *naive, engine *policy.Engine, caller *auth.Caller, denials []policy.Denial) {
	view := engine.View(caller)
	seesAll := !slices.ContainsFunc(engine.Hidden(), func(at string) bool { return !engine.Visible(view, at) })
	var explained []policy.Denial
	var reached []string
	for _, one := range engine.Explain(second.doc, second.op, caller, second.variables) {
		if !one.Reached {
			continue
		}
		if one.Refusal != nil {
			explained = append(explained, policy.Denial{Path: one.Path, Fault: one.Refusal})
		}
		typeName, _, _ := strings.Cut(one.Coordinate, ".")
		if second.schema.Types[typeName].Kind == ast.Object {
			reached = append(reached, one.Coordinate)
		}
	}
	var told []string // each place once, as it is denied first
	places := map[string]bool{}
	for _, one := range shown(explained) {
		place := one[:strings.LastIndex(one, " ")]
		if !places[place] && len(told) < atMost {
			told = append(told, one)
		}
		places[place] = true
	}
	if got := shown(denials); !slices.Equal(got, told) {
		t.Fatalf("Check says\n%v\nExplain\n%v", got, told)
	}
	if denials != nil || !caller.SignedIn() || !seesAll {
		return
	}
	for i, can := range engine.Can(caller, reached) {
		if !can {
			t.Fatalf("Check permits %s, and Can does not", reached[i])
		}
	}
}

// atMost is how many denials are told.
const atMost = 20

// disagreement says where the engine's denials are not those of the naive evaluator; empty where they are.
func disagreement(second *naive, denials []policy.Denial) string {
	got := map[string]bool{}
	for _, d := range shown(denials) {
		got[d[:strings.LastIndex(d, " ")]] = true
	}
	var problems []string
	for _, at := range slices.Sorted(maps.Keys(got)) {
		if !second.denied[at] && !second.maybe[at] {
			problems = append(problems, "the engine alone denies "+at)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(second.denied)) {
		if !got[at] && len(denials) < atMost {
			problems = append(problems, "the naive evaluator alone denies "+at)
		}
	}
	if len(denials) > atMost {
		problems = append(problems, fmt.Sprintf("the engine tells of %d denials", len(denials)))
	}
	return strings.Join(problems, "\n")
}

// compareSight compares what the caller can see, and returns how much they cannot.
func compareSight(t *rapid.T, second *naive, engine *policy.Engine, caller *auth.Caller, source string) int {
	unseen, view := 0, engine.View(caller)
	for _, name := range append([]string{"Query", "Mutation"}, composites...) {
		def := second.schema.Types[name]
		fields := []string{""}
		for _, f := range def.Fields {
			if !strings.HasPrefix(f.Name, "__") {
				fields = append(fields, f.Name)
			}
		}
		for _, field := range fields {
			at := strings.TrimSuffix(name+"."+field, ".")
			sees := second.sees(def, field)
			if got := engine.Visible(view, at); got != sees {
				t.Fatalf("%s is visible: %v to the engine, %v to the naive evaluator\n%s\n%+v", at, got, sees, source, second.caller)
			}
			if !sees {
				unseen++
			}
		}
	}
	return unseen
}
