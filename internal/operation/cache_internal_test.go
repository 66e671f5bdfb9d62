package operation

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/policy"
)

// silent is an engine that answers nothing.
type silent struct{}

func (silent) Execute(context.Context, Request) Result { return Result{Data: json.RawMessage(`{}`)} }

func newExecutor(t testing.TB, limits Limits) *Executor {
	t.Helper()
	schema, err := LoadSchema("test.graphqls", `
		directive @public(reason: String!) on FIELD_DEFINITION
		directive @auth(scopes: [[String!]!]) repeatable on OBJECT | INTERFACE | FIELD_DEFINITION
		type Query { hello(name: String): String @public(reason: "Tests ask for it.") me: User @auth }
		type User { id: ID! email: String friends(first: Int = 10): [User!] }`)
	if err != nil {
		t.Fatal(err)
	}
	vocabulary, err := auth.NewVocabulary()
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.Compile(schema, vocabulary, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	x, err := New(Config{Schema: schema, Policy: rules, Engine: silent{}, Logger: slog.New(slog.DiscardHandler), Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (silent) Subscribe(context.Context, Request) iter.Seq[Result] { return func(func(Result) bool) {} }

func TestCacheKeepsWhatIsAskedForOften(t *testing.T) {
	const entries = 200
	x := newExecutor(t, Limits{CacheEntries: entries})
	hot := `{ hello(name: "hot") }`
	for i := range 6_000 {
		if i%50 == 0 {
			x.Execute(t.Context(), Request{Query: hot})
		}
		x.Execute(t.Context(), Request{Query: fmt.Sprintf(`{ hello(name: "%d") }`, i)})
		if i > 2000 && i%500 == 0 {
			if _, ok := x.documents.GetIfPresent(documentKey{text: hot}); !ok {
				t.Fatalf("the hot document was displaced after %d others", i)
			}
		}
	}
	x.documents.CleanUp()
	if n := x.documents.EstimatedSize(); n > entries {
		t.Errorf("%d documents are kept, the limit is %d", n, entries)
	}
}

func TestCacheIsBoundedByBytes(t *testing.T) {
	const limit = 4 << 20
	x := newExecutor(t, Limits{CacheBytes: limit})
	padding := strings.Repeat(" ", 4096)
	query := func(i int) string {
		return fmt.Sprintf("{ hello(name: \"%d\") %s %s }", i, strings.Repeat("me { id email } ", 40), padding)
	}
	before := heap()
	for i := range 750 { // about 20 MiB of documents
		if r := x.Execute(auth.NewContext(t.Context(), &auth.Caller{}), Request{Query: query(i)}); r.Stage != Executed {
			t.Fatal(r.Errors[0].Message)
		}
	}
	x.documents.CleanUp()
	if w := x.documents.WeightedSize(); w > limit {
		t.Errorf("the cache weighs %d bytes, the limit is %d", w, limit)
	}
	if n := x.documents.EstimatedSize(); n == 0 {
		t.Error("nothing is kept")
	}
	if grown := heap() - before; grown > limit {
		t.Errorf("the heap grew by %d bytes, the limit is %d: the estimate of a document's size is too low", grown, limit)
	}
	runtime.KeepAlive(x)
}

// heap returns how many bytes are in use.
func heap() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

func TestOnlyValidDocumentsAreKept(t *testing.T) {
	x := newExecutor(t, Limits{})
	for _, query := range []string{
		"", "{", "{ nope }", `{ hello(name: "a\u0000") }`, strings.Repeat("{ hello } ", 500),
		"{ ...F } fragment F on Query { ...F }",
		`query($v: Int = 3000000000) { me { friends(first: $v) { id } } }`, `{ me { friends(first: 3000000000) { id } } }`,
	} {
		if r := x.Execute(t.Context(), Request{Query: query}); r.Stage != Refused {
			t.Errorf("%q: accepted", query)
		}
	}
	x.documents.CleanUp()
	if n := x.documents.EstimatedSize(); n != 0 {
		t.Errorf("%d documents are kept", n)
	}
	// A valid one that this caller may not execute is as good as any other.
	x.Execute(t.Context(), Request{Query: "{ me { id } }"})
	x.documents.CleanUp()
	if n := x.documents.EstimatedSize(); n != 1 {
		t.Errorf("%d documents are kept, want 1", n)
	}
}

func BenchmarkExecuteCached(b *testing.B) {
	x := newExecutor(b, Limits{})
	ctx := auth.NewContext(b.Context(), &auth.Caller{})
	req := Request{Query: `{ me { id email } }`}
	b.ReportAllocs()
	for b.Loop() {
		if r := x.Execute(ctx, req); r.Stage != Executed {
			b.Fatal(r.Errors[0].Message)
		}
	}
}

func BenchmarkExecuteCachedWithVariables(b *testing.B) {
	x := newExecutor(b, Limits{})
	ctx := auth.NewContext(b.Context(), &auth.Caller{})
	req := Request{
		Query: `query Friends($n: Int, $full: Boolean = false) { me { friends(first: $n) { id email @include(if: ` +
			`$full) } } }`,
		Variables: map[string]any{"n": json.Number("5")},
	}
	b.ReportAllocs()
	for b.Loop() {
		if r := x.Execute(ctx, req); r.Stage != Executed {
			b.Fatal(r.Errors[0].Message)
		}
	}
}

// BenchmarkPrepare splits what a document costs the first time: the plan has to be the smaller part.
func BenchmarkPrepare(b *testing.B) {
	x := newExecutor(b, Limits{})
	query := "{ " + strings.Repeat("me { id email friends(first: 3) { id } } ", 10) + "}"
	everything := x.editions.of(policy.View{})
	tree, _, problems := x.limits.parse(query)
	if problems == nil {
		problems = x.validate(everything.schema, tree)
	}
	if problems != nil {
		b.Fatal(problems[0].fault)
	}
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			x.limits.parse(query)
		}
	})
	b.Run("validate", func(b *testing.B) {
		for b.Loop() {
			x.validate(everything.schema, tree)
		}
	})
	b.Run("plan", func(b *testing.B) {
		for b.Loop() {
			x.policy.Plan(tree, tree.Operations[0])
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			if _, problems := x.prepare(everything, query); problems != nil {
				b.Fatal(problems[0].fault)
			}
		}
	})
}

func TestExecuteIsSafeForConcurrentUse(t *testing.T) {
	x := newExecutor(t, Limits{CacheEntries: 4})
	ctx := auth.NewContext(t.Context(), &auth.Caller{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 200 {
				query := fmt.Sprintf(`query($n: Int) { me { id ...F } a%d: hello } fragment F on User { `+
					`friends(first: $n) { id } nope }`, i%8)
				if i%3 > 0 {
					query = strings.Replace(query, "nope", "email", 1)
				}
				r := x.Execute(ctx, Request{Query: query, Variables: map[string]any{"n": json.Number("3")}})
				if _, err := r.MarshalJSON(); err != nil || (r.Stage == Executed) != (i%3 > 0) {
					t.Errorf("%v: %v", r.Stage, err)
				}
			}
		})
	}
	all.Wait()
}
