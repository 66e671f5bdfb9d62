package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/audit"
	"gatehouse/internal/id"
	"gatehouse/internal/lease"
	"gatehouse/internal/page"
	"gatehouse/internal/session"
	"gatehouse/internal/settings"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// fakeClock shows a time that tests set.
type fakeClock struct{ since atomic.Int64 }

func (c *fakeClock) now() time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(c.since.Load()))
}

func (c *fakeClock) advance(d time.Duration) { c.since.Add(int64(d)) }

// quickly is housekeeping with nothing to wait for and no chores yet.
func quickly(db *store.DB, c *fakeClock, chores ...chore) *housekeeping {
	return &housekeeping{
		leases: lease.New(db, c.now), chores: chores, now: c.now, logger: slog.New(slog.DiscardHandler),
		every: 10 * time.Millisecond, pause: time.Millisecond, lease: sweepLease, margin: sweepMargin, batch: 50,
	}
}

// record writes n entries of an event.
func record(t *testing.T, log *audit.Log, n int, event audit.Event) {
	t.Helper()
	entries := make([]audit.Entry, n)
	for i := range entries {
		entries[i].Event = event
	}
	if err := log.Record(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
}

// kept counts the entries of the log by event.
func kept(t *testing.T, log *audit.Log) map[audit.Event]int {
	t.Helper()
	counts := map[audit.Event]int{}
	for r := (page.Request{First: page.MaxSize}); ; {
		p, err := log.List(t.Context(), nil, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Nodes {
			counts[e.Event]++
		}
		if !p.HasNext {
			return counts
		}
		r.After = p.Cursors[len(p.Cursors)-1]
	}
}

func TestThreeReplicasKeepHouse(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const old, young = 1230, 70
		c := new(fakeClock)
		log := audit.New(db, c.now)
		record(t, log, old, audit.LoggedIn)
		c.advance(48 * time.Hour)
		record(t, log, young, audit.LoggedOut)

		var atWork atomic.Int64
		var worked [3]atomic.Int64
		var running [3]sync.WaitGroup
		var stop [3]context.CancelFunc
		for i := range 3 {
			var ctx context.Context
			ctx, stop[i] = context.WithCancel(t.Context())
			h := quickly(db, c, chore{
				what: "entries", keep: 24 * time.Hour,
				prune: func(ctx context.Context, before time.Time, limit int) (int, bool, error) {
					if atWork.Add(1) > 1 {
						t.Error("two at work")
					}
					defer atWork.Add(-1)
					worked[i].Add(1)
					return entries(log)(ctx, before, limit)
				},
			})
			running[i].Go(func() {
				if err := h.run(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("ended with %v", err)
				}
			})
		}
		until := func(what string, reached func() bool) {
			t.Helper()
			for deadline := time.Now().Add(30 * time.Second); !reached(); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal(what)
				}
			}
		}
		until("what is due stays", func() bool { return kept(t, log)[audit.LoggedIn] == 0 })
		holder := -1
		for i := range worked {
			if worked[i].Load() > 0 {
				if holder >= 0 {
					t.Errorf("%d and %d worked within one lease", holder, i)
				}
				holder = i
			}
		}
		stop[holder]()
		running[holder].Wait() // what it is doing is not interrupted by the end of its lease
		c.advance(sweepLease)
		until("nobody took over", func() bool { return worked[(holder+1)%3].Load()+worked[(holder+2)%3].Load() > 2 })
		if left := kept(t, log)[audit.LoggedOut]; left != young {
			t.Errorf("%d entries are left, want %d", left, young)
		}
		for i := range stop {
			stop[i]()
			running[i].Wait()
		}
	})
}

func TestSweepNeedsTheLease(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := new(fakeClock)
		swept := ""
		replica := func(name string) func() {
			h := quickly(db, c, chore{prune: func(context.Context, time.Time, int) (int, bool, error) {
				swept += name
				return 0, false, nil
			}})
			holder := id.New(c.now())
			return func() {
				t.Helper()
				if err := h.sweep(t.Context(), holder); err != nil {
					t.Fatal(err)
				}
			}
		}
		a, b := replica("a"), replica("b")
		a()
		b()
		a()
		c.advance(sweepLease - time.Microsecond)
		b()
		c.advance(time.Microsecond)
		b()
		a()
		if swept != "aab" {
			t.Errorf("swept by %s, want aab", swept)
		}
	})
}

// Looking at much and finding nothing is work, too: a chore rests after it, and is called until it has no more.
func TestSweepRestsWhereItFindsNothing(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	c := new(fakeClock)
	calls := 0
	h := quickly(db, c, chore{prune: func(context.Context, time.Time, int) (int, bool, error) { calls++; return 0, calls < 5, nil }})
	h.pause = 30 * time.Millisecond
	began := time.Now()
	if err := h.sweep(t.Context(), id.New(c.now())); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); calls != 5 || took < 4*h.pause {
		t.Errorf("%d looks in %v", calls, took)
	}
}

// A batch that took ten seconds is followed by as long a rest, which this test does not wait for.
func TestRestIsAsLongAsTheBatch(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	c := new(fakeClock)
	began := c.now()
	var calls, others int
	var rested time.Time
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := quickly(
		db, c,
		chore{what: "endless", keep: time.Hour, prune: func(_ context.Context, before time.Time, limit int) (int, bool, error) {
			if !before.Equal(began.Add(-time.Hour)) {
				t.Errorf("before %v", before)
			}
			calls++
			c.advance(10 * time.Second)
			return limit, true, nil
		}},
		chore{what: "short", prune: func(context.Context, time.Time, int) (int, bool, error) {
			others++
			rested = time.Now() // until it is interrupted
			time.AfterFunc(200*time.Millisecond, cancel)
			return 0, false, nil
		}},
	)
	if err := h.sweep(ctx, id.New(began)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want to be interrupted at rest", err)
	}
	if took := time.Since(rested); took < 150*time.Millisecond {
		t.Errorf("it rested for %v", took)
	}
	if calls != 1 || others != 1 {
		t.Errorf("%d and %d batches, want one of each before the rest", calls, others)
	}
}

func TestSweepStopsWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	c := new(fakeClock)
	for _, removed := range []int{50, 0} { // to look costs time even where nothing is found
		calls := 0
		h := quickly(db, c, chore{prune: func(context.Context, time.Time, int) (int, bool, error) {
			calls++
			c.advance(time.Millisecond)
			return removed, true, nil
		}})
		h.lease, h.margin = 30*time.Millisecond, 10*time.Millisecond
		if err := h.sweep(t.Context(), id.New(c.now())); err != nil {
			t.Fatal(err)
		}
		if calls != 20 {
			t.Errorf("%d batches of %d, want 20", calls, removed)
		}
		c.advance(h.lease)
	}
}

func TestOneChoreFailsAloneAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	var text logBuffer
	var failed, done atomic.Int64
	h := quickly(
		db, new(fakeClock),
		chore{what: "sessions", prune: func(context.Context, time.Time, int) (int, bool, error) {
			failed.Add(1)
			return 0, false, store.ErrUnavailable
		}},
		chore{what: "entries", prune: func(context.Context, time.Time, int) (int, bool, error) { done.Add(1); return 0, false, nil }},
	)
	h.logger = slog.New(slog.NewTextHandler(&text, nil))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
	for deadline := time.Now().Add(30 * time.Second); failed.Load() < 3 || done.Load() < 3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d and %d times", failed.Load(), done.Load())
		}
	}
	cancel()
	running.Wait()
	if !strings.Contains(text.String(), "removing sessions: store: the database is unavailable") {
		t.Errorf("logged %s", text.String())
	}
}

// SQLite has one writer: whoever wants to write while much is removed gets in between any two batches.
func TestSweepLetsOthersWrite(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := new(fakeClock)
		log := audit.New(db, c.now)
		for range 10 {
			record(t, log, 500, audit.LoggedIn)
		}
		c.advance(time.Hour)
		batches, written := 0, 0
		h := quickly(db, c, chore{prune: func(ctx context.Context, before time.Time, limit int) (int, bool, error) {
			batches++
			return entries(log)(ctx, before, limit)
		}})
		h.batch, h.pause = sweepBatch, sweepPause
		swept := make(chan error)
		go func() { swept <- h.sweep(t.Context(), id.New(c.now())) }()
		for {
			select {
			case err := <-swept:
				if err != nil {
					t.Fatal(err)
				}
				if left := kept(t, log); left[audit.LoggedIn] != 0 || left[audit.LoggedOut] != written {
					t.Errorf("left: %v, written: %d", left, written)
				}
				if batches < 10 || written < batches {
					t.Errorf("%d writes beside %d batches", written, batches)
				}
				return
			default:
				record(t, log, 1, audit.LoggedOut)
				written++
			}
		}
	})
}

func TestChoresFollowTheSettings(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	c := new(fakeClock)
	for _, test := range []struct {
		audit time.Duration
		want  int
	}{{0, 1}, {24 * time.Hour, 2}} {
		cfg := &settings.Settings{SessionRetention: time.Hour, AuditRetention: test.audit}
		h := newHousekeeping(cfg, lease.New(db, c.now), &session.Service{}, audit.New(db, c.now), c.now, slog.New(slog.DiscardHandler))
		if len(h.chores) != test.want || h.chores[0].keep != time.Hour {
			t.Errorf("%v: %d chores", test.audit, len(h.chores))
		}
		if test.want == 2 && h.chores[1].keep != test.audit {
			t.Errorf("entries are kept for %v", h.chores[1].keep)
		}
	}
}
