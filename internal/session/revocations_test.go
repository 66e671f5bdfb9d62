package session

import (
	"sync"
	"testing"
	"time"

	"gatehouse/internal/id"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestRevocationsAreForgottenOnlyWhenTokensAreDead(t *testing.T) {
	t.Parallel()
	set := newRevocations()
	short, long := make([]Session, 300), make([]Session, 300)
	for i := range short {
		short[i] = Session{ID: id.New(noon), TokenExpiresAt: noon.Add(10 * time.Minute)}
		long[i] = Session{ID: id.New(noon), TokenExpiresAt: noon.Add(time.Hour)}
	}
	set.add(short)
	set.add(long)
	set.add(short) // as every look within the overlap does
	pruneAll := func(now time.Time) {
		for turn := range shards {
			set.prune(turn, now)
		}
	}
	expect := func(sessions []Session, want bool) {
		t.Helper()
		for _, s := range sessions {
			if set.contains(s.ID) != want {
				t.Fatalf("contains = %t, want %t", !want, want)
			}
		}
	}

	pruneAll(noon.Add(10*time.Minute + margin))
	expect(short, true)
	expect(long, true)
	pruneAll(noon.Add(10*time.Minute + margin + 1))
	expect(short, false)
	expect(long, true)
	pruneAll(noon.Add(2 * time.Hour))
	expect(long, false)
	for i := range set.shards {
		if left := len(set.shards[i].until); left != 0 {
			t.Errorf("shard %d still holds %d", i, left)
		}
	}
}

func TestRevocationsMayBeUsedConcurrently(t *testing.T) {
	t.Parallel()
	set := newRevocations()
	live := id.New(noon)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for turn := range 200 {
				revoked := Session{ID: id.New(noon), TokenExpiresAt: noon.Add(time.Hour)}
				set.add([]Session{revoked})
				set.prune(worker+turn, noon)
				if !set.contains(revoked.ID) {
					t.Error("a revoked session was let in")
				}
				if set.contains(live) {
					t.Error("a live session was refused")
				}
			}
		})
	}
	group.Wait()
}

func newStandingService(t testing.TB) *Service {
	t.Helper()
	s, err := New(nil, nil, nil, nil, nil, func() time.Time { return noon }, Config{})
	if err != nil {
		t.Fatal(err)
	}
	s.looked.Store(noon.UnixNano())
	revoked := make([]Session, 10_000)
	for i := range revoked {
		revoked[i] = Session{ID: id.New(noon), TokenExpiresAt: noon}
	}
	s.revoked.add(revoked)
	return s
}

// The check runs on every request. This test is not parallel, since it counts the allocations of the whole process.
func TestLettingASessionInAllocatesNothing(t *testing.T) {
	s, live := newStandingService(t), id.New(noon)
	allocations := testing.AllocsPerRun(1000, func() {
		if s.admit(live) != nil {
			t.Error("refused")
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// BenchmarkRefusal shows what the check costs beside reading the clock once, which stands still here.
func BenchmarkRefusal(b *testing.B) {
	s := newStandingService(b)
	live := make([]id.ID, 1024)
	for i := range live {
		live[i] = id.New(noon)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if s.admit(live[i%len(live)]) != nil {
				b.Error("refused")
			}
		}
	})
}
