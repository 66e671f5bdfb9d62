package graph_test

import (
	"testing"

	"gatehouse/graph/graphtest"
)

// TestMatrix tries every protected place of the API.
func TestMatrix(t *testing.T) {
	t.Parallel()
	graphtest.Matrix(t, plan(t))
}

// TestStepUpMatrix tries a stricter API.
func TestStepUpMatrix(t *testing.T) {
	t.Parallel()
	graphtest.Matrix(t, stepUp(t))
}

// TestEveryRuleIsLocked loosens every rule of the API, one at a time.
func TestEveryRuleIsLocked(t *testing.T) {
	t.Parallel()
	graphtest.EveryRuleIsLocked(t, plan(t))
}

// TestEveryStepUpRuleIsLocked loosens every rule of a stricter API.
func TestEveryStepUpRuleIsLocked(t *testing.T) {
	t.Parallel()
	graphtest.EveryRuleIsLocked(t, stepUp(t))
}
