package graph_test

import (
	"log/slog"
	"testing"

	"gatehouse/graph"
	"gatehouse/graph/graphtest"
	"gatehouse/internal/auth"
	"gatehouse/internal/operation"
	"gatehouse/internal/store/storetest"
)

// BenchmarkMe shows where the time of the most frequent operation goes, from the inside out: the look-up in the database, the
// engine around it, and the executor around that.
func BenchmarkMe(b *testing.B) {
	h := graphtest.New(b, storetest.SQLite, plan(b))
	accountID, accessToken := h.Register(b, "ada@example.com")
	caller, err := h.Sessions.Authenticate(b.Context(), accessToken)
	must(b, err)
	ctx := auth.NewContext(b.Context(), caller)
	silent := slog.New(slog.DiscardHandler)
	h.Features.Logger = silent
	ask := operation.Request{Query: `{ me { id email } }`}

	b.Run("lookup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := h.Accounts.ByID(ctx, accountID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("engine", func(b *testing.B) {
		engine, err := graph.New(readSchema(b), h.Features)
		must(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if result := engine.Execute(ctx, operation.Request{Query: `query{me{id email}}`}); result.Errors != nil {
				b.Fatal(result.Errors)
			}
		}
	})
	b.Run("executor", func(b *testing.B) {
		executor := newExecutor(b, h.Features, silent)
		b.ReportAllocs()
		for b.Loop() {
			if response := executor.Execute(ctx, ask); response.Errors != nil {
				b.Fatal(response.Errors[0].Message)
			}
		}
	})
}
