package password

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"gatehouse/internal/fault"
)

// retryAfter is about what a full queue of the default length takes to drain: 64 hashes of 30 ms, and the rests between them.
const retryAfter = 3 * time.Second

// longestRest bounds a rest where the clock says nonsense of how long the hash took, as it does after the process was stopped.
const longestRest = 100 * time.Millisecond

// gate lets a few callers hash at once and some more wait, first come, first served. Whoever finds the queue full is turned
// away at once: under a flood of logins an honest "later" is better than a time-out, and the other requests keep their cores.
//
// While callers wait, a turn rests after each hash for half as long as that took. A hash does nothing but compute and drags
// 19 MiB through the caches, so that without the rests a flood leaves the other requests less than half of what they had.
type gate struct {
	turns   *semaphore.Weighted // first in, first out
	queue   chan struct{}       // a place for each caller that may wait
	maxWait time.Duration
}

func newGate(concurrency, queue int, maxWait time.Duration) *gate {
	return &gate{turns: semaphore.NewWeighted(int64(concurrency)), queue: make(chan struct{}, queue), maxWait: maxWait}
}

// full reports whether a caller would be turned away at this moment.
func (g *gate) full() bool { return len(g.queue) == cap(g.queue) }

// enter returns nil when it is the caller's turn, who calls leave when done.
func (g *gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return busy(err)
	}
	if g.turns.TryAcquire(1) {
		return nil
	}
	select {
	case g.queue <- struct{}{}:
	default:
		return busy(nil)
	}
	defer func() { <-g.queue }()
	ctx, cancel := context.WithTimeout(ctx, g.maxWait)
	defer cancel()
	if err := g.turns.Acquire(ctx, 1); err != nil {
		return busy(err)
	}
	return nil
}

// leave ends the turn of a caller whose hash took so long.
func (g *gate) leave(took time.Duration) {
	rest := min(took/2, longestRest)
	if rest <= 0 || len(g.queue) == 0 {
		g.turns.Release(1)
		return
	}
	time.AfterFunc(rest, func() { g.turns.Release(1) })
}

func busy(cause error) error {
	return &fault.Error{
		Code:       fault.Unavailable,
		Message:    "Too many passwords are being checked at the moment: try again shortly.",
		RetryAfter: retryAfter,
		Cause:      cause,
	}
}
