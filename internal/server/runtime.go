package server

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The runtime's settings, where GOGC, GOMEMLIMIT and GOMAXPROCS leave them open. A request leaves little that lives on, so with
// the default of 100 the collector runs often for nothing: letting the heap grow to five times what lives gives about a sixth
// more throughput. The limit keeps bursts of password hashes, 19 MiB each, from growing it much further. One processor more
// than there are cores takes the hash that is being computed: on one of theirs it would hold up all requests that wait there,
// while the operating system shares the cores among them.
const (
	garbagePercent  = 400
	memoryLimit     = 112 << 20
	extraProcessors = 1
)

// Where much lives, as with thousands of sockets, the limit is so many times that: below what lives, the collector would run
// without end, on half of the processors.
const (
	memoryFactor = 2
	memoryEvery  = 2 * time.Second
)

// tuneRuntime sets what the environment leaves open, and returns what keeps it fitting.
func tuneRuntime(lookup func(string) (string, bool)) []task {
	if _, set := lookup("GOMAXPROCS"); !set {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + extraProcessors)
	}
	if _, set := lookup("GOGC"); !set {
		debug.SetGCPercent(garbagePercent)
	}
	if _, set := lookup("GOMEMLIMIT"); set {
		return nil
	}
	fitMemoryLimit()
	return []task{{"fitting the memory limit to what lives", func(ctx context.Context) error {
		for rest(ctx, memoryEvery) {
			fitMemoryLimit()
		}
		return ctx.Err()
	}}}
}

// fitMemoryLimit sets the limit by what the collector last found alive, and returns it in bytes.
func fitMemoryLimit() int64 {
	alive := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(alive)
	limit := max(memoryLimit, memoryFactor*int64(alive[0].Value.Uint64()+alive[1].Value.Uint64()))
	debug.SetMemoryLimit(limit)
	return limit
}
