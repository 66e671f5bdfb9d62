package audit_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/audit"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestPruneForgetsTheOldestOnly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := new(clock)
		log := audit.New(db, c.now)
		for i := range 6 {
			if err := log.Record(t.Context(), audit.Entry{Event: audit.LoggedIn, Detail: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			c.advance(time.Hour)
		}
		// In another zone, and exactly at an entry's own time: that one stays.
		before := noon.Add(4 * time.Hour).In(time.FixedZone("", 5*3600))
		for _, step := range []struct {
			limit, removed int
			left           []string
		}{
			{3, 3, []string{"5", "4", "3"}},
			{3, 1, []string{"5", "4"}},
			{3, 0, []string{"5", "4"}},
		} {
			removed, err := log.Prune(t.Context(), before, step.limit)
			if err != nil || removed != step.removed {
				t.Errorf("removed %d (%v), want %d", removed, err, step.removed)
			}
			if diff := cmp.Diff(step.left, details(all(t, log, nil, 10))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		}
	})
}

// Batches of several at once, while others write: everything due goes once, nothing else does.
func TestPruneUnderLoad(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const old, batch, written = 900, 50, 30
		c := new(clock)
		log := audit.New(db, c.now)
		ann := id.New(noon)
		var entries []audit.Entry
		for range old {
			entries = append(entries, audit.Entry{Event: audit.LoginFailed, AccountID: &ann, Detail: "old"})
		}
		if err := log.Record(t.Context(), entries...); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Hour)
		var work sync.WaitGroup
		for range 4 {
			work.Go(func() {
				for range written {
					if err := log.Record(t.Context(), audit.Entry{Event: audit.LoggedIn, AccountID: &ann, Detail: "new"}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		var total atomic.Int64
		for range 3 {
			work.Go(func() {
				for none := 0; none < 2; { // one that met another's batch comes back with less
					removed, err := log.Prune(t.Context(), noon.Add(time.Minute), batch)
					if err != nil || removed > batch {
						t.Errorf("removed %d: %v", removed, err)
						return
					}
					total.Add(int64(removed))
					if removed == 0 {
						none++
					}
				}
			})
		}
		work.Wait()
		if total.Load() != old {
			t.Errorf("removed %d, want %d", total.Load(), old)
		}
		left := all(t, log, nil, 100)
		if len(left) != 4*written {
			t.Errorf("%d entries are left, want %d", len(left), 4*written)
		}
		for _, e := range left {
			if e.Detail != "new" {
				t.Errorf("left: %s", e.Detail)
			}
		}
	})
}
