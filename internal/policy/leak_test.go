package policy_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"pgregory.net/rapid"

	"gatehouse/internal/introspection"
	"gatehouse/internal/policy"
)

// TestHiddenNeverTellsByADenial asks generated callers' operations of two engines: that of the whole schema, and that of the
// schema which is left of it for the caller. Both decide alike, to the last word, so that nobody learns from a denial, or from
// Can, that there is more than they see.
func TestHiddenNeverTellsByADenial(t *testing.T) {
	vocabulary := vocabulary(t, knownScopes...)
	var veiled, compared, denied int
	rapid.Check(t, func(t *rapid.T) {
		g := &genSchema{t: t, veils: true}
		source, schema, engine := compileGenerated(t, g.source(), vocabulary)
		for range 2 {
			_, caller := genPerson(t, vocabulary)
			view := engine.View(caller)
			left := introspection.Filter(schema, func(at string) bool { return engine.Visible(view, at) })
			text := introspection.New(left).String()
			seen, err := gqlparser.LoadSchema(&ast.Source{Name: "seen.graphqls", Input: text})
			if err != nil {
				t.Fatalf("what is left is not valid: %v\n%s\n%s", err, source, text)
			}
			alone, err := policy.Compile(seen, vocabulary, clock)
			if err != nil {
				continue // nothing of what is left may be anybody's own, for instance
			}
			if len(seen.Types) < len(schema.Types) {
				veiled++
			}
			for _, def := range schema.Types {
				if !def.IsCompositeType() || def.BuiltIn {
					continue
				}
				at := []string{def.Name}
				for _, f := range def.Fields {
					at = append(at, def.Name+"."+f.Name)
				}
				if got, want := engine.Can(caller, at), alone.Can(caller, at); !slices.Equal(got, want) {
					t.Fatalf("of %v: can %v, and without what is hidden %v\n%s\n%s", at, got, want, source, text)
				}
			}
			for range 4 {
				query := (&genQuery{t: t, schema: seen}).document()
				doc, errs := gqlparser.LoadQueryWithRules(seen, query, validation())
				if len(errs) > 0 {
					t.Fatalf("%v\n%s\n%s", errs, text, query)
				}
				variables := genVariables(t)
				got := engine.Plan(doc, doc.Operations[0]).Check(caller, variables)
				want := alone.Plan(doc, doc.Operations[0]).Check(caller, variables)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s\n%s\n%s\n%s", diff, source, text, query)
				}
				compared++
				if got != nil {
					denied++
				}
			}
		}
	})
	if t.Failed() {
		return
	}
	t.Logf("%d decisions compared, %d of them denials; %d callers saw less than all types", compared, denied, veiled)
	if denied < 100 || compared-denied < 100 || veiled < 10 {
		t.Errorf("%d decisions compared, %d of them denials; %d callers saw less than all types", compared, denied, veiled)
	}
}
