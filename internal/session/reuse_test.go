package session_test

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var rounds = flag.Int("rounds", 20, "how often 100 callers at once present one refresh token")

// events returns what the audit log says of the account, oldest first.
func (r *replica) events(t *testing.T, accountID id.ID) []audit.Entry {
	t.Helper()
	newest, err := r.log.List(t.Context(), &accountID, page.Request{First: page.MaxSize})
	if err != nil {
		t.Fatal(err)
	}
	var entries []audit.Entry
	for _, e := range slices.Backward(newest.Nodes) {
		entries = append(entries, *e)
	}
	return entries
}

// A token that comes back late was copied: the session ends everywhere, whoever it was that came late.
func TestReuseEndsTheSession(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		here, there := in.start(t, nil), in.start(t, nil)
		ann, first := here.register(t, "ann@example.com")
		_, other := here.register(t, "lee@example.com")
		_, second := here.mustRefresh(t, first.Refresh.Reveal())
		late := noon.Add(grace)
		here.clock.set(late)
		there.clock.set(late)
		here.sync(t)
		there.sync(t)
		here.expect(t, first.Access.Token, "")

		here.expectRefused(t, first.Refresh.Reveal())
		for _, access := range []string{first.Access.Token, second.Access.Token} {
			here.expect(t, access, "REVOKED")
			there.expect(t, access, "") // not within the first second
		}
		there.sync(t)
		for _, access := range []string{first.Access.Token, second.Access.Token} {
			there.expect(t, access, "REVOKED")
		}
		for range 2 { // is noticed once
			there.expectRefused(t, first.Refresh.Reveal())
			there.expectRefused(t, second.Refresh.Reveal())
		}
		there.expect(t, other.Access.Token, "")
		there.mustRefresh(t, other.Refresh.Reveal())

		entries := here.events(t, ann.ID)
		if len(entries) != 2 || entries[0].Event != audit.AccountRegistered || *entries[0].SessionID != first.SessionID {
			t.Fatalf("entries %+v", entries)
		}
		reuse := entries[1]
		if reuse.Event != audit.RefreshTokenReused || reuse.ActorID != nil || *reuse.SessionID != first.SessionID {
			t.Errorf("entry %+v", reuse)
		}
		late9 := in.start(t, nil) // as after a crash
		late9.clock.set(late.Add(9 * time.Minute))
		late9.sync(t)
		late9.expect(t, second.Access.Token, "REVOKED")
	})
}

// Without its audit entry, a reuse has not ended the session; the next one tries again.
func TestReuseAndItsEntryAreOne(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		_, first := r.register(t, "ann@example.com")
		r.mustRefresh(t, first.Refresh.Reveal())
		r.clock.set(noon.Add(time.Minute))
		r.sync(t)
		execute(t, db, "ALTER TABLE audit_entries RENAME TO elsewhere")
		_, _, err := r.Refresh(t.Context(), first.Refresh.Reveal())
		if users, other := fault.Split(err); users != nil || other == nil {
			t.Errorf("a fault is told as %v", err)
		}
		r.expect(t, first.Access.Token, "")
		if revoked := count(t, db, "sessions WHERE revoked_at IS NOT NULL"); revoked != 0 {
			t.Error("revoked without an entry")
		}
		execute(t, db, "ALTER TABLE elsewhere RENAME TO audit_entries")
		r.expectRefused(t, first.Refresh.Reveal())
		r.expect(t, first.Access.Token, "REVOKED")
	})
}

// What fails half-way has replaced nothing: without a grace, trying again would be reuse otherwise.
func TestFailedRefreshChangesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		in.grace = 0
		r := in.start(t, nil)
		_, opened := r.register(t, "ann@example.com")
		execute(t, db, "ALTER TABLE account_roles RENAME TO elsewhere")
		if _, _, err := r.Refresh(t.Context(), opened.Refresh.Reveal()); err == nil {
			t.Error("refreshed without roles")
		}
		execute(t, db, "ALTER TABLE elsewhere RENAME TO account_roles")
		r.mustRefresh(t, opened.Refresh.Reveal())
	})
}

func TestDisabledAccountsRefreshNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		ann, opened := r.register(t, "ann@example.com")
		_, lees := r.register(t, "lee@example.com")
		if err := r.DisableAccount(t.Context(), ann.ID); err != nil {
			t.Fatal(err)
		}
		r.expectRefused(t, opened.Refresh.Reveal())
		// Even where the session lives on, as after restoring half a backup.
		execute(t, db, "UPDATE sessions SET revoked_at = NULL")
		r.expectRefused(t, opened.Refresh.Reveal())
		r.mustRefresh(t, lees.Refresh.Reveal())
		execute(t, db, "DELETE FROM accounts WHERE id = ?", ann.ID)
		r.expectRefused(t, opened.Refresh.Reveal())
	})
}

func TestOneTokenManyCallers(t *testing.T) {
	t.Parallel()
	const callers = 100
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		replicas := []*replica{in.start(t, nil), in.start(t, nil), in.start(t, nil)}
		_, opened := replicas[0].register(t, "ann@example.com")
		for _, r := range replicas {
			r.sync(t)
		}
		present := opened.Refresh.Reveal()
		for round := range *rounds {
			var got [callers]session.Tokens
			var group sync.WaitGroup
			begin := make(chan struct{})
			for i := range callers {
				group.Go(func() {
					<-begin
					var err error
					if _, got[i], err = replicas[i%len(replicas)].Refresh(t.Context(), present); err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			close(begin)
			group.Wait()
			if t.Failed() {
				return
			}
			successor := got[0].Refresh.Reveal()
			if successor == present {
				t.Fatal("the token was not replaced")
			}
			for i, tokens := range got {
				if tokens.Refresh.Reveal() != successor {
					t.Fatalf("round %d: caller %d has a successor of their own", round, i)
				}
				replicas[(i+1)%len(replicas)].expect(t, tokens.Access.Token, "")
			}
			if row := sessionRow(t, db, opened.SessionID); row.Generation != int32(round+1) || row.RevokedAt != nil {
				t.Fatalf("round %d: generation %d, revoked %v", round, row.Generation, row.RevokedAt)
			}
			present = successor
		}
	})
}

// One caller is late, a hundred are in time: the session must be dead for all afterwards, whoever came first.
func TestReuseBeatsEveryRefresh(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		_, stolen := r.register(t, "ann@example.com")
		_, current := r.mustRefresh(t, stolen.Refresh.Reveal())
		r.clock.set(noon.Add(time.Minute))
		r.sync(t)
		var group sync.WaitGroup
		var mu sync.Mutex
		var accesses []string
		for i := range 50 {
			group.Go(func() {
				present := current
				if i%10 == 5 {
					present = stolen
				}
				_, tokens, err := r.Refresh(t.Context(), present.Refresh.Reveal())
				if users, other := fault.Split(err); other != nil || users != nil && users[0].Code != fault.InvalidRefreshToken {
					t.Errorf("refresh: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					accesses = append(accesses, tokens.Access.Token)
				}
			})
		}
		group.Wait()
		for _, access := range append(accesses, stolen.Access.Token, current.Access.Token) {
			r.expect(t, access, "REVOKED")
		}
		if reuses := count(t, db, "audit_entries WHERE event = 'REFRESH_TOKEN_REUSED'"); reuses != 1 {
			t.Errorf("%d entries", reuses)
		}
	})
}

// BenchmarkRefresh refreshes many sessions, each by its own client, as many at a time as there are connections.
func BenchmarkRefresh(b *testing.B) {
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		b.Run(kind, func(b *testing.B) {
			r := install(b, storetest.Open(b, kind)).start(b, nil)
			const clients = 16
			present := make(chan string, clients)
			for i := range clients {
				_, opened, err := r.Register(b.Context(), account.Registration{
					Email: fmt.Sprintf("ann%d@example.com", i), Password: goodPassword,
				})
				if err != nil {
					b.Fatal(err)
				}
				present <- opened.Refresh.Reveal()
			}
			b.ReportAllocs()
			b.SetParallelism(clients / runtime.GOMAXPROCS(0))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				token := <-present
				for pb.Next() {
					_, tokens, err := r.Refresh(b.Context(), token)
					if err != nil {
						b.Error(err)
						return
					}
					token = tokens.Refresh.Reveal()
				}
			})
		})
	}
}
