package soak

import (
	"fmt"
	"os/exec"
	"testing"
)

// TestForgeries presents refresh tokens that nobody was given, each the nearest to a good one that a forger could come. It runs
// beside the parser, where what reaches the database can be counted.
func TestForgeries(t *testing.T) {
	mutants := times(1_000, 1_000_000)
	runBeside(t, "session", "TestForgedRefreshTokensNeverReachTheDatabase", fmt.Sprintf("-mutants=%d", mutants))
	proved(t, fmt.Sprintf("%d forged, truncated, bit-flipped, foreign and other-installation refresh tokens", mutants),
		"none accepted, no session ended, no statement sent to the database")
}

// runBeside runs a test that stands beside what it looks into, in an internal package.
func runBeside(t *testing.T, name, test string, flags ...string) {
	t.Helper()
	arguments := append([]string{"test", "-count=1", "-timeout=1h", "-run=^" + test + "$", "gatehouse/internal/" + name}, flags...)
	if out, err := exec.CommandContext(t.Context(), "go", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
