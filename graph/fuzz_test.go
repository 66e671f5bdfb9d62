package graph_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	graphql "github.com/graph-gophers/graphql-go"
	"golang.org/x/tools/txtar"

	"gatehouse/graph/graphtest"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/operation"
)

// recorder is an engine that resolves nothing and keeps what it was asked last.
type recorder struct {
	graphtest.Counter
	last operation.Request
}

func (r *recorder) Execute(ctx context.Context, req operation.Request) operation.Result {
	r.last = req
	return r.Counter.Execute(ctx, req)
}

// FuzzOperation sends any document with any variables to the API's own schema, for callers of every kind. Nothing panics; nothing
// runs for whoever is refused, and exactly once for whoever is not; whoever holds more is allowed what whoever holds less is; and
// what runs is valid to the second implementation of GraphQL that will read it.
func FuzzOperation(f *testing.F) {
	conversations, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	must(f, err)
	for _, file := range conversations {
		archive, err := txtar.ParseFile(file)
		must(f, err)
		parts := map[string]string{}
		for _, part := range archive.Files {
			parts[part.Name] = string(part.Data)
		}
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			if step, ok := strings.CutSuffix(name, ".graphql"); ok {
				f.Add(parts[name], parts[step+".variables"])
			}
		}
	}
	introspection, err := os.ReadFile(filepath.Join("..", "internal", "operation", "testdata", "introspection.graphql"))
	must(f, err)
	f.Add(string(introspection), `{}`)

	plan := plan(f)
	engine := new(recorder)
	log := new(graphtest.Log)
	executor := graphtest.NewExecutor(f, plan, engine, time.Now, slog.New(slog.NewTextHandler(log, nil)))
	other, err := graphql.ParseSchema(plan.SDL, nil)
	must(f, err)
	all := plan.Registry.Vocabulary().Names()
	callers := []*auth.Caller{ // each is allowed what the one before is
		auth.Anonymous(fault.Anonymous(fault.Expired)),
		{AccountID: id.ID{15: 1}, AuthTime: time.Now()},
		{AccountID: id.ID{15: 1}, AuthTime: time.Now(), Scopes: plan.Registry.Vocabulary().Set(all...)},
	}
	f.Fuzz(func(t *testing.T, query, sent string) {
		var variables map[string]any
		decoder := json.NewDecoder(strings.NewReader(sent))
		decoder.UseNumber()
		if decoder.Decode(&variables) != nil {
			variables = nil
		}
		allowed := false
		for i, caller := range callers {
			before := engine.Calls()
			engine.last = operation.Request{}
			r := executor.Execute(auth.NewContext(t.Context(), caller), operation.Request{Query: query, Variables: variables})
			ran := engine.Calls() - before
			if logged := log.String(); strings.Contains(logged, "panicked") {
				t.Fatal(logged)
			}
			if r.Stage != operation.Executed && (ran != 0 || r.Data != nil || len(r.Errors) == 0) || ran > 1 {
				t.Fatalf("caller %d: %v, and %d ran", i, r.Stage, ran)
			}
			if r.Stage == operation.Executed && ran == 0 && !strings.Contains(query, "__") {
				t.Fatalf("caller %d: executed, and nothing ran", i)
			}
			if allowed && r.Stage != operation.Executed {
				t.Fatalf("caller %d: %v, and one who holds less was allowed", i, r.Stage)
			}
			allowed = r.Stage == operation.Executed
			if ran == 0 {
				continue
			}
			if problems := other.ValidateWithVariables(engine.last.Query, engine.last.Variables); len(problems) > 0 {
				t.Fatalf("caller %d: the engine was given %s, which it finds wrong: %v", i, engine.last.Query, problems)
			}
		}
	})
}
