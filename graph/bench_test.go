package graph_test

import (
	"log/slog"
	"testing"

	"gatehouse/graph"
	"gatehouse/internal/auth"
	"gatehouse/internal/operation"
	"gatehouse/internal/store/storetest"
)

// BenchmarkMe shows where the time of the most frequent operation goes, from the inside out: the look-up in the database, the
// engine around it, and the executor around that.
func BenchmarkMe(b *testing.B) {
	h := newHouse(b, storetest.SQLite)
	accountID, accessToken := h.register(b, "ada@example.com")
	caller, err := h.sessions.Authenticate(b.Context(), accessToken)
	must(b, err)
	ctx := auth.NewContext(b.Context(), caller)
	silent := slog.New(slog.DiscardHandler)
	h.features.Logger = silent
	ask := operation.Request{Query: `{ me { id email } }`}

	b.Run("lookup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := h.accounts.ByID(ctx, accountID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("engine", func(b *testing.B) {
		engine, err := graph.New(readSchema(b), h.features)
		must(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if result := engine.Execute(ctx, operation.Request{Query: `query{me{id email}}`}); result.Errors != nil {
				b.Fatal(result.Errors)
			}
		}
	})
	b.Run("executor", func(b *testing.B) {
		executor := newExecutor(b, h.features, silent)
		b.ReportAllocs()
		for b.Loop() {
			if response := executor.Execute(ctx, ask); response.Errors != nil {
				b.Fatal(response.Errors[0].Message)
			}
		}
	})
}
