package main

import (
	"context"
	"slices"
)

// measureRevocation runs the session feature's own benchmark of what it looks up for every request: whether the session was
// revoked, and when it was last seen.
func measureRevocation(ctx context.Context, _ *house, _ plan) ([]line, error) {
	spans, allocations, err := benchmark(ctx, "./internal/session", "^BenchmarkRefusal$", repeats)
	if err != nil {
		return nil, err
	}
	return []line{
		{what: "looking whether a session was revoked, and noting that it was seen", measured: median(spans), limit: 100, unit: "ns"},
		{what: "allocations of that", measured: slices.Max(allocations), limit: 0, unit: "allocs"},
	}, nil
}
