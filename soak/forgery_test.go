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
	test := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-timeout=1h",
		"-run=^TestForgedRefreshTokensNeverReachTheDatabase$", "gatehouse/internal/session", fmt.Sprintf("-mutants=%d", mutants))
	if out, err := test.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	proved(t, fmt.Sprintf("%d forged, truncated, bit-flipped, foreign and other-installation refresh tokens", mutants),
		"none accepted, no session ended, no statement sent to the database")
}
