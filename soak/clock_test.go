package soak

import "testing"

// TestClocks sets the clocks of replicas apart, and by an hour. It runs beside the server, where the wall clock can be set
// without setting the machine's.
func TestClocks(t *testing.T) {
	runBeside(t, "server", "TestClocksThatDiffer")
	proved(t, "Three replicas on PostgreSQL whose clocks are 30 s apart either way, all then set by an hour, forwards and back",
		"nobody logged out, the same successor for every late tab, no access token accepted past its expiry")
}
