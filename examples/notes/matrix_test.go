package main

import (
	"testing"

	"gatehouse/graph/graphtest"
)

// TestMatrix tries every protected place of Gatehouse with notes.
func TestMatrix(t *testing.T) {
	t.Parallel()
	graphtest.Matrix(t, plan(t))
}

// TestEveryRuleIsLocked loosens every rule of Gatehouse with notes, one at a time.
func TestEveryRuleIsLocked(t *testing.T) {
	t.Parallel()
	graphtest.EveryRuleIsLocked(t, plan(t))
}
