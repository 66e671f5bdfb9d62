package graph_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/graph"
	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
)

// TestCanIsBounded: a hundred coordinates are answered, one more is the client's mistake.
func TestCanIsBounded(t *testing.T) {
	t.Parallel()
	_, rules := plan(t).Compile(t, time.Now)
	logger := slog.New(slog.DiscardHandler)
	executor := newExecutor(t, graph.Features{Rules: rules, Logger: logger}, logger)
	ask := func(coordinates int) *operation.Response {
		return executor.Execute(t.Context(), operation.Request{
			Query:     `query ($coordinates: [String!]!) { can(coordinates: $coordinates) }`,
			Variables: map[string]any{"coordinates": slices.Repeat([]any{"Query.can"}, coordinates)},
		})
	}
	if response := ask(100); response.Errors != nil || strings.Count(string(response.Data), "true") != 100 {
		t.Errorf("a hundred: %s, %v", response.Data, response.Errors)
	}
	response := ask(101)
	if len(response.Errors) != 1 || response.Errors[0].Extensions["code"] != string(fault.BadUserInput) {
		t.Fatalf("one more: %s, %v", response.Data, response.Errors)
	}
	if message := response.Errors[0].Message; !strings.Contains(message, "100") {
		t.Errorf("one more: the message is %q, want one that names the bound", message)
	}
}
