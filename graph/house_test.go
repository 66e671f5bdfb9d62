package graph_test

import (
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/graph"
	"gatehouse/graph/graphtest"
	"gatehouse/internal/operation"
	"gatehouse/internal/role"
)

var update = flag.Bool("update", false, "write the files in testdata, and what is generated from the schema, anew")

// plan is Gatehouse's own.
func plan(t testing.TB) graphtest.Plan {
	t.Helper()
	registry, err := role.Default()
	must(t, err)
	return graphtest.Plan{SDL: readSchema(t), Registry: registry}
}

// each runs test with a house on either database.
func each(t *testing.T, test func(t *testing.T, h *graphtest.House)) {
	t.Helper()
	graphtest.Each(t, plan(t), test)
}

// newExecutor returns what answers operations with the features.
func newExecutor(t testing.TB, features graph.Features, logger *slog.Logger) *operation.Executor {
	t.Helper()
	plan := plan(t)
	engine, err := graph.New(plan.SDL, features)
	must(t, err)
	return graphtest.NewExecutor(t, plan, engine, time.Now, logger)
}

func readSchema(t testing.TB) string {
	t.Helper()
	sdl, err := os.ReadFile(filepath.Join("..", "schema.graphqls"))
	must(t, err)
	return string(sdl)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
