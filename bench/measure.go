package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"golang.org/x/tools/benchmark/parse"
)

const mega = 1e6

// measureBinary looks at the size of the binary as the Dockerfile builds it.
func measureBinary(_ context.Context, h *house, _ plan) ([]line, error) {
	info, err := os.Stat(h.binary)
	if err != nil {
		return nil, err
	}
	return []line{{what: "size of the binary", measured: float64(info.Size()) / mega, limit: 35, unit: "MB"}}, nil
}

// measureStart starts the server on an existing database again and again, and looks at its memory while it is idle.
func measureStart(ctx context.Context, h *house, p plan) ([]line, error) {
	var lines []line
	for _, database := range []struct{ name, url string }{{"SQLite", h.sqlite()}, {"PostgreSQL", h.database}} {
		if err := h.visit(ctx, database.url, func(*server) error { return nil }); err != nil { // so that it exists
			return nil, err
		}
		var startups, residents []float64
		for range p.rounds {
			err := h.visit(ctx, database.url, func(s *server) error {
				startups = append(startups, float64(s.startup.Milliseconds()))
				time.Sleep(p.span / 2)
				resident, err := s.resident()
				residents = append(residents, resident)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
		lines = append(lines,
			line{what: "start to `/readyz` on an existing database, " + database.name, measured: median(startups), limit: 300, unit: "ms"},
			line{what: "resident memory when idle, " + database.name, measured: median(residents), limit: 40, unit: "MiB"})
	}
	return lines, nil
}

// measureMe holds a protected query through the whole server against the bare handler, in turns.
func measureMe(ctx context.Context, h *house, p plan) ([]line, error) {
	var ours, bare []float64
	err := h.visit(ctx, h.database, func(s *server) error {
		access, err := h.signIn(ctx, s)
		if err != nil {
			return err
		}
		other, err := h.startReference(ctx)
		if err != nil {
			return err
		}
		defer other.stop()

		for round := range p.rounds + 1 {
			a, err := throughput(ctx, s.address, p, newShot(s.address, "/graphql", access, meQuery, `"email"`))
			if err != nil {
				return fmt.Errorf("gatehouse: %w", err)
			}
			b, err := throughput(ctx, other.address, p, newShot(other.address, "/", access, meQuery, `"email"`))
			if err != nil {
				return fmt.Errorf("bare handler: %w", err)
			}
			if round > 0 { // the first one warms both up
				ours, bare = append(ours, a), append(bare, b)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return []line{{
		what:     "protected `me`, throughput against the bare handler",
		measured: median(ours) / median(bare), limit: 0.60, atLeast: true,
	}}, nil
}

// measureFlood looks at a protected query while others log in as fast as they can, and at the memory that takes.
func measureFlood(ctx context.Context, h *house, p plan) ([]line, error) {
	var idle, flooded, peaks []float64
	err := h.visit(ctx, h.database, func(s *server) error {
		access, err := h.signIn(ctx, s)
		if err != nil {
			return err
		}
		// Somebody else's logins: an account has so many sessions and no more, and these would end the one that asks.
		if err := h.post(ctx, s, as(crowdedEmail, registerQuery), &struct{}{}); err != nil {
			return err
		}
		me := newShot(s.address, "/graphql", access, meQuery, `"email"`)
		for round := range p.rounds + 1 {
			calm, err := throughput(ctx, s.address, p, me)
			if err != nil {
				return err
			}
			under, peak, err := throughputUnderLogins(ctx, s, me, p)
			if err != nil {
				return err
			}
			if round > 0 {
				idle, flooded, peaks = append(idle, calm), append(flooded, under), append(peaks, peak)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return []line{
		{
			what:     "protected `me` while logins run at full speed, throughput against without them",
			measured: median(flooded) / median(idle), limit: 0.60, atLeast: true,
		},
		{what: "resident memory at the peak of that", measured: median(peaks), limit: 160, unit: "MiB"},
	}, nil
}

// throughputUnderLogins is the throughput of s while as many connections do nothing but log in, and the server's peak memory.
func throughputUnderLogins(ctx context.Context, s *server, me shot, p plan) (perSecond, peak float64, err error) {
	during, cancel := context.WithCancel(ctx)
	defer cancel()
	logins := make(chan tally, 1)
	go func() {
		login := newShot(s.address, "/graphql", "", as(crowdedEmail, loginQuery), `"accessToken"`)
		logins <- fire(during, s.address, []shot{login}, p.connections, p.span+time.Second)
	}()
	peaks := make(chan error, 1)
	go func() {
		var err error
		peak, err = s.watchResident(during)
		peaks <- err
	}()

	time.Sleep(p.span / 10) // until the flood is there
	perSecond, err = throughput(during, s.address, p, me)
	cancel()
	flood, watched := <-logins, <-peaks
	switch {
	case err != nil:
		return 0, 0, err
	case watched != nil:
		return 0, 0, watched
	case flood.bad > 0 || flood.good == 0:
		return 0, 0, fmt.Errorf("logins: %d good answers, %d bad ones, the first: %w", flood.good, flood.bad, flood.firstBad)
	}
	return perSecond, peak, nil
}

// throughput is that of one measurement, in which every answer must be good.
func throughput(ctx context.Context, address string, p plan, shots ...shot) (float64, error) {
	t := fire(ctx, address, shots, p.connections, p.span)
	if t.bad > 0 || t.good == 0 {
		return 0, fmt.Errorf("%d good answers, %d bad ones, the first: %w", t.good, t.bad, t.firstBad)
	}
	return t.perSecond(), nil
}

// measurePolicy runs the policy engine's own benchmark of a decision over a planned operation, for a caller who may.
func measurePolicy(ctx context.Context, _ *house, _ plan) ([]line, error) {
	spans, allocations, err := benchmark(ctx, "./internal/policy", "^BenchmarkCheck$/^10$", repeats)
	if err != nil {
		return nil, err
	}
	return []line{
		{what: "deciding a planned operation of 10 fields, allowed", measured: median(spans), limit: 100, unit: "ns"},
		{what: "allocations of that", measured: slices.Max(allocations), limit: 0, unit: "allocs"},
	}, nil
}

// measureLayer runs gqlhttp's own benchmark of what lies between net/http and the executor, and the bare handler that it has
// there, in turns. Both execute the operation, so what they differ by is the layer's.
func measureLayer(ctx context.Context, _ *house, _ plan) ([]line, error) {
	const path, allowed = "./internal/gqlhttp", 1000 // ns
	var ours, bare, allocations, bareAllocations []float64
	for range repeats {
		spans, counts, err := benchmark(ctx, path, "^BenchmarkLayer$/^gatehouse$", 1)
		if err != nil {
			return nil, err
		}
		bareSpans, bareCounts, err := benchmark(ctx, path, "^BenchmarkLayer$/^bare$", 1)
		if err != nil {
			return nil, err
		}
		ours, allocations = append(ours, spans...), append(allocations, counts...)
		bare, bareAllocations = append(bare, bareSpans...), append(bareAllocations, bareCounts...)
	}
	span, bareSpan, count, bareCount := median(ours), median(bare), median(allocations), median(bareAllocations)
	return []line{
		{what: "GraphQL over HTTP, time over that of the bare handler", measured: span - bareSpan, limit: allowed, unit: "ns"},
		{
			what:     fmt.Sprintf("time against the bare handler: %.0f ns against %.0f ns", span, bareSpan),
			measured: span / bareSpan, limit: 1 + allowed/bareSpan,
		},
		{
			what:     fmt.Sprintf("allocations over those of the bare handler: %.0f against %.0f", count, bareCount),
			measured: count - bareCount, limit: 0, unit: "allocs",
		},
	}, nil
}

// repeats is how often a Go benchmark runs for its median.
const repeats = 5

// benchmark runs a Go benchmark of a package some times, and returns what an operation took each time: nanoseconds, and
// allocations.
func benchmark(ctx context.Context, path, pattern string, times int) (spans, allocations []float64, err error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench="+pattern, "-benchmem", "-count="+strconv.Itoa(times), path)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, nil, fmt.Errorf("benchmark %s: %w\n%s", path, err, out)
	}
	set, err := parse.ParseSet(bytes.NewReader(out))
	if err != nil {
		return nil, nil, err
	}
	for _, runs := range set {
		for _, run := range runs {
			spans = append(spans, run.NsPerOp)
			allocations = append(allocations, float64(run.AllocsPerOp))
		}
	}
	if len(spans) == 0 {
		return nil, nil, fmt.Errorf("%s has no benchmark %s", path, pattern)
	}
	return spans, allocations, nil
}
