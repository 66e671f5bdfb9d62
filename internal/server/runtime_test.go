package server

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// TestTheMemoryLimitFollowsWhatLives keeps more alive than the limit allows at first: without room above it, the collector would
// not stop running.
func TestTheMemoryLimitFollowsWhatLives(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) }) // which the other tests, many servers at once, have no use for
	const size = 2 * memoryLimit
	held := make([]byte, size)
	runtime.GC()
	if limit := fitMemoryLimit(); limit < memoryFactor*size {
		t.Errorf("the limit is %d MiB where %d MiB live", limit>>20, size>>20)
	}
	runtime.KeepAlive(held)
	runtime.GC()
	if limit := fitMemoryLimit(); limit < memoryLimit || limit >= memoryFactor*size {
		t.Errorf("the limit stays at %d MiB though nothing of that lives", limit>>20)
	}
}
