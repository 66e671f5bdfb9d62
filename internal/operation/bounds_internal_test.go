package operation

import (
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/policy"
)

// TestFloodOfDocuments sends 100,000 distinct documents, half of them valid, while one document is asked from time to time, as
// a client would ask for it. Memory stays within what the cache may hold, and the hot document stays in the cache.
func TestFloodOfDocuments(t *testing.T) {
	total := 100_000
	if testing.Short() {
		total = 20_000
	}
	x := newExecutor(t, Limits{})
	ctx := auth.NewContext(t.Context(), &auth.Caller{})
	hot := documentKey{text: `{ me { id email } }`}
	padding := strings.Repeat(" ", 2048)
	kinds := []func(int) string{
		func(i int) string { return fmt.Sprintf(`{ hello(name: "%d") }`, i) },
		func(i int) string { return fmt.Sprintf(`{ hello(name: "%d" }`, i) },
		func(i int) string { return fmt.Sprintf(`{ me { id a%d: friends(first: %[1]d) { id } } }`, i) },
		func(i int) string { return fmt.Sprintf(`{ nothing%d }%s`, i, padding) },
	}
	before, peak, misses, asked := heap(), 0, 0, 0
	for i := range total {
		if i%20 == 0 {
			asked++
			if _, known := x.documents.GetIfPresent(hot); !known {
				misses++
			}
			x.Execute(ctx, Request{Query: hot.text})
		}
		r := x.Execute(ctx, Request{Query: kinds[i%len(kinds)](i)})
		if valid := i%2 == 0; valid != (r.Stage == Executed) {
			t.Fatalf("%d: %v: %s", i, r.Stage, r.Errors[0].Message)
		}
		if i%(total/10) == 0 {
			peak = max(peak, heap()-before)
		}
	}
	x.documents.CleanUp()
	grown := heap() - before
	t.Logf("%d documents: the heap grew by %d KiB, at most %d KiB on the way; %d are kept, weighing %d KiB; "+
		"the hot one was missing %d times of %d", total, grown>>10, peak>>10, x.documents.EstimatedSize(),
		x.documents.WeightedSize()>>10, misses, asked)
	if limits := (Limits{}).orDefaults(); max(grown, peak) > limits.CacheBytes {
		t.Errorf("the heap grew by %d bytes, at most %d; the limit is %d", grown, peak, limits.CacheBytes)
	}
	if _, known := x.documents.GetIfPresent(hot); !known || misses > 2 { // it has to be met once, and to prove itself
		t.Errorf("the hot document was missing %d times of %d, at the end: %t", misses, asked, !known)
	}
	runtime.KeepAlive(x)
}

// large is a schema of 300 types with 20 fields each, in which each type leads to all others.
func large(t testing.TB) *Executor {
	t.Helper()
	var sdl strings.Builder
	sdl.WriteString(`directive @public(reason: String!) on FIELD_DEFINITION` +
		` type Query { first: T0 @public(reason: "A test asks for it.") }`)
	for i := range 300 {
		fmt.Fprintf(&sdl, "\n\"%s\"\ntype T%d {", strings.Repeat("It is described at length. ", 8), i)
		for j := range 20 {
			fmt.Fprintf(&sdl, " \"Described.\" field%d(a: Int = 3, b: [String!]): [T%d!]!", j, (i+j+1)%300)
		}
		sdl.WriteString(" }")
	}
	return newExecutorOf(t, sdl.String())
}

func newExecutorOf(t testing.TB, sdl string) *Executor {
	t.Helper()
	schema, err := LoadSchema("large.graphqls", sdl)
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
	x, err := New(Config{
		Schema: schema, Policy: rules, Engine: silent{}, Logger: slog.New(slog.DiscardHandler), OpenIntrospection: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestNarrowingIsBounded: a fragment that has to be printed for each type that it applies to may not grow out of proportion, and
// neither may a field that is printed for each, however often they stand within each other.
func TestNarrowingIsBounded(t *testing.T) {
	var sdl, either strings.Builder
	sdl.WriteString(`directive @public(reason: String!) on FIELD_DEFINITION` +
		` type Query { n: N @public(reason: "A test asks for it.") a: T0 @public(reason: "A test asks for it.") }` +
		` interface N { n: N s: String }`)
	for i := range 200 {
		fmt.Fprintf(&sdl, " type T%d implements N { n: N s: String }", i)
		fmt.Fprintf(&either, " | T%d", i)
	}
	x := newExecutorOf(t, sdl.String()+" union U ="+either.String())
	nested := func(depth int, open, leaf, closing string) string {
		return strings.Repeat(open, depth) + leaf + strings.Repeat(closing, depth)
	}
	for name, test := range map[string]struct {
		query string
		fits  bool
	}{
		"all of them once":      {"{ n { ... on U { ... on N { s n { s } } } } }", true},
		"leaves of all of them": {"{ n { " + strings.Repeat("... on U { ... on N { s } } ", 2) + "} }", true},
		"in each other":         {"{" + nested(9, "n { ... on U { ... on N { ", "s", "} } }") + "}", false},
		"in each other, named":  {"{ n { ...A } }" + named(8, "U") + " fragment I on N { s }", false},
		"fields of both":        {"{ a { n { s } }" + nested(9, "n { ", "s", "} ") + "}", false},
		"many operations":       {operations(20, "{ n { ... on U { ...F } } }") + "fragment F on N { n { s } }", false},
		"side by side":          {"{ n { " + strings.Repeat("... on U { ... on N { n { s } } } ", 40) + "} }", false},
		"none, of one of them":  {"{ a { " + nested(80, "... on U { ... on N { ", "s", "} } ") + "} }", true},
	} {
		t.Run(name, func(t *testing.T) {
			const most = time.Second // 50 ms is the aim; the rest is for a busy machine and the race detector
			r, took, allocated := cost(t, x, test.query, most)
			t.Logf("%v in %v, %d KiB allocated", r.Stage, took, allocated>>10)
			if fits := r.Stage == Executed; fits != test.fits || !fits && !strings.Contains(r.Errors[0].Message, "for each type") {
				t.Errorf("%v: %v", r.Stage, r.Errors)
			}
			if allocated > 32<<20 || took > most {
				t.Errorf("took %v and %d KiB", took, allocated>>10)
			}
		})
	}
}

// cost runs a query and returns what comes of it, and the time and the memory that it takes: of some tries the least, where it
// takes more than limit, since others use the machine, too.
func cost(t *testing.T, x *Executor, query string, limit time.Duration) (r *Response, took time.Duration, allocated uint64) {
	t.Helper()
	took, allocated = math.MaxInt64, math.MaxUint64
	for i := 0; i == 0 || i < 10 && took > limit; i++ {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		began := time.Now()
		r = x.Execute(t.Context(), Request{Query: query})
		took = min(took, time.Since(began))
		runtime.ReadMemStats(&after)
		allocated = min(allocated, after.TotalAlloc-before.TotalAlloc)
	}
	return r, took, allocated
}

// named returns fragments of N, A to H, each of which spreads the next one on the type.
func named(n int, on string) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, " fragment %c on %s { ... on N { n { ...%c } } }", 'A'+i, on, 'B'+i)
	}
	return all.String()
}

// operations returns as many operations of the same selections.
func operations(n int, selections string) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "query Q%d %s ", i, selections)
	}
	return all.String()
}

// Documents that multiply the schema by itself and by aliases are refused, at a cost that does not depend on how large the
// answer would have been.
func TestIntrospectionIsBounded(t *testing.T) {
	x := large(t)
	alias := func(n int, field string) string {
		var all strings.Builder
		for i := range n {
			fmt.Fprintf(&all, "a%d: %s ", i, field)
		}
		return all.String()
	}
	named := func(fields string) string { return "type { ofType { ofType { ofType { " + fields + " } } } } " }
	for name, query := range map[string]string{
		"the schema by itself": "{ __schema { types { fields { " + named("fields { name args { name description } "+
			named("name description")+"}") + "} } } }",
		"many answers": "{" + alias(15, "__schema { types { "+alias(15, "description")+"} }") + "}",
		"aliases, squared": "{ __schema {" + alias(14, "types { fields { "+named(alias(15, "description"))+"} }") +
			"} }",
		"empty objects":     "{ __schema { types { fields { " + named("fields { args { name @skip(if: true) } }") + "} } } }",
		"a lot of skipping": "{ __schema { types { fields { " + strings.Repeat("name @skip(if: true) ", 50) + "} } } }",
	} {
		t.Run(name, func(t *testing.T) {
			const most = 2 * time.Second // 50 ms is the aim; the rest is for a busy machine and the race detector
			r, took, allocated := cost(t, x, query, most)
			t.Logf("%v: %d bytes in %v, %d KiB allocated", r.Stage, len(r.Data), took, allocated>>10)
			if len(r.Data) > x.limits.IntrospectionBytes || allocated > 32<<20 {
				t.Errorf("%d bytes, for %d allocated", len(r.Data), allocated)
			}
			if r.Stage == Refused && !strings.Contains(r.Errors[0].Message, "takes more than 4194304 bytes to answer") {
				t.Error(r.Errors[0].Message)
			}
			if took > most {
				t.Errorf("took %v", took)
			}
		})
	}
	plain := Request{Query: `{ __schema { types { fields { name args { name } } } } }`}
	if r := x.Execute(t.Context(), plain); r.Stage != Executed {
		t.Error(r.Errors[0].Message)
	}
}
