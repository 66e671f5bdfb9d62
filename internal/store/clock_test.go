package store_test

import (
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestClockIsTheDatabases(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.Postgres)
	var one, other storetest.Machine
	other.Set(time.Hour)
	clocks := []*store.Clock{store.NewClock(one.Now), store.NewClock(other.Now)}
	if apart := clocks[1].Now().Round(0).Sub(clocks[0].Now().Round(0)); apart < 59*time.Minute {
		t.Errorf("before the first measurement they are %v apart", apart)
	}
	measure := func() {
		t.Helper()
		for range 20 { // a clock goes by the quickest answer: on a busy machine one alone may be slow
			for _, clock := range clocks {
				if err := clock.Measure(t.Context(), db); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	agree := func(when string) {
		t.Helper()
		// The closest of some looks: whoever is interrupted between two of them sees them apart.
		between, behind := time.Hour, time.Hour
		for range 20 {
			first, second := clocks[0].Now(), clocks[1].Now()
			between = min(between, second.Sub(first).Abs())
			var database time.Time
			if err := db.QueryRow(t.Context(), "SELECT clock_timestamp()").Scan(&database); err != nil {
				t.Fatal(err)
			}
			behind = min(behind, database.Sub(second).Abs())
		}
		if limit := 50 * time.Millisecond; between > limit || behind > limit {
			t.Errorf("%s: %v between the two, %v behind the database", when, between, behind)
		}
	}
	measure()
	agree("measured")
	one.Set(-time.Hour)
	other.Set(0)
	agree("both walls set by an hour")
	measure()
	agree("measured again")
}

func TestClockGoesOnWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Config{URL: storetest.URL(t, storetest.Postgres), Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	var wall storetest.Machine
	wall.Set(2 * time.Hour)
	clock := store.NewClock(wall.Now)
	if err := clock.Measure(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := clock.Now()
	if err := clock.Measure(t.Context(), db); err == nil {
		t.Error("measured a database that is closed")
	}
	wall.Set(0)
	if passed := clock.Now().Sub(before); passed < 0 || passed > time.Minute {
		t.Errorf("%v passed", passed)
	}
}

// A clock whose storetest.Machine slept, so that its monotonic time stood still, follows at the next measurement.
func TestClockFollows(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.Postgres)
	var slept atomic.Int64
	clock := store.NewClock(func() time.Time { return time.Now().Add(-time.Duration(slept.Load())) })
	if err := clock.Measure(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	slept.Store(int64(time.Hour))
	if behind := time.Until(clock.Now()); behind > -59*time.Minute {
		t.Fatalf("the storetest.Machine did not sleep: %v", behind)
	}
	if err := clock.Measure(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if behind := time.Until(clock.Now()); behind.Abs() > patience {
		t.Errorf("it is off by %v", behind)
	}
}

// An answer that was on its way for long tells less than an earlier one that was quick.
func TestSlowAnswerDoesNotSpoilTheTime(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.Postgres)
	const delay = time.Second // an answer that takes it is off by half of it
	var slow atomic.Bool
	var looks atomic.Int64
	clock := store.NewClock(func() time.Time {
		if slow.Load() && looks.Add(1) == 2 { // the look that ends the round trip
			time.Sleep(delay)
		}
		return time.Now()
	})
	if err := clock.Measure(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	before, reference := clock.Now(), time.Now()
	slow.Store(true)
	if err := clock.Measure(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if passed := time.Since(reference); passed < delay {
		t.Fatalf("the answer took %v", passed)
	}
	if shifted := clock.Now().Sub(before) - time.Since(reference); shifted.Abs() > delay/3 {
		t.Errorf("the time shifted by %v", shifted)
	}
}

func TestClockOfAFileIsTheMachines(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	var m storetest.Machine
	m.Set(time.Hour)
	clock := store.NewClock(m.Now)
	if err := clock.Measure(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if ahead := clock.Now().Round(0).Sub(time.Now().Round(0)); ahead < time.Hour-time.Minute {
		t.Errorf("the clock is %v ahead, want an hour", ahead)
	}
}

func TestClockAllocatesNothing(t *testing.T) {
	db := storetest.Open(t, storetest.Postgres)
	clock := store.NewClock(time.Now)
	if err := clock.Measure(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if allocations := testing.AllocsPerRun(100, func() { clock.Now() }); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
