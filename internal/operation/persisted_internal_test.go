package operation

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"gatehouse/internal/auth"
)

// register sends a document with its hash, and reports whether the hash is enough from then on.
func (x *Executor) register(t *testing.T, document string) bool {
	t.Helper()
	ctx := auth.NewContext(t.Context(), &auth.Caller{})
	req := Request{Query: document, Hash: sha256.Sum256([]byte(document))}
	if r := x.Execute(ctx, req); r.Stage != Executed {
		t.Fatalf("%s: %s", document, r.Errors[0].Message)
	}
	return x.Execute(ctx, Request{Hash: req.Hash}).Stage == Executed
}

// What one client registers and never asks for again pushes nothing out that another one uses, however much of it there is.
func TestPersistedQueriesInUseStay(t *testing.T) {
	const entries = 200
	x := newExecutor(t, Limits{PersistedEntries: entries})
	hot := `{ hello(name: "hot") }`
	if !x.register(t, hot) {
		t.Fatal("it was not registered")
	}
	for i := range 6_000 {
		if i%50 == 0 && x.Execute(t.Context(), Request{Hash: sha256.Sum256([]byte(hot))}).Stage != Executed {
			t.Fatalf("the hot document was displaced after %d others", i)
		}
		x.register(t, fmt.Sprintf(`{ hello(name: "%d") }`, i))
	}
	x.registered.CleanUp()
	if n := x.registered.EstimatedSize(); n > entries {
		t.Errorf("%d documents are kept, the limit is %d", n, entries)
	}
}

func TestPersistedQueriesAreBoundedByBytes(t *testing.T) {
	const limit = 2 << 20
	x := newExecutor(t, Limits{PersistedBytes: limit, CacheEntries: 1}) // next to nothing else is kept
	before := heap()
	for i := range 400 { // 8 MiB of documents
		x.register(t, fmt.Sprintf("{ hello(name: \"%d\") %s }", i, strings.Repeat(" ", 20<<10)))
	}
	x.registered.CleanUp()
	if w := x.registered.WeightedSize(); w > limit {
		t.Errorf("they weigh %d bytes, the limit is %d", w, limit)
	}
	if n := x.registered.EstimatedSize(); n == 0 {
		t.Error("nothing is kept")
	}
	if grown := heap() - before; grown > limit+limit/4 {
		t.Errorf("the heap grew by %d bytes, the limit is %d", grown, limit)
	}
	runtime.KeepAlive(x)
}
