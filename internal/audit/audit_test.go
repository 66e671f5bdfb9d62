package audit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/internal/audit"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/request"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock shows a time that tests set.
type clock struct{ since atomic.Int64 }

func (c *clock) now() time.Time { return noon.Add(time.Duration(c.since.Load())) }

func (c *clock) advance(d time.Duration) { c.since.Add(int64(d)) }

var errStop = errors.New("stop")

// all reads the whole log, or one account's part of it, page by page.
func all(t *testing.T, log *audit.Log, accountID *id.ID, size int) []*audit.Entry {
	t.Helper()
	var entries []*audit.Entry
	for after := ""; ; {
		p, err := log.List(t.Context(), accountID, page.Request{First: size, After: after})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Nodes) > size || p.HasNext && len(p.Nodes) < size {
			t.Fatalf("a page of %d, want %d", len(p.Nodes), size)
		}
		entries = append(entries, p.Nodes...)
		if !p.HasNext {
			return entries
		}
		after = p.Cursors[len(p.Cursors)-1]
	}
}

func details(entries []*audit.Entry) []string {
	var words []string
	for _, e := range entries {
		words = append(words, e.Detail)
	}
	return words
}

func TestEntryComesBackAsItWasRecorded(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := new(clock)
		c.advance(1234 * time.Nanosecond)
		log := audit.New(db, c.now)
		actor, account, session := id.New(noon), id.New(noon), id.New(noon)
		ctx := request.NewContext(t.Context(), request.Info{ID: "r1", Address: "192.0.2.1", UserAgent: "Firefox's \"ü\""})
		given := audit.Entry{
			Event: audit.RoleGranted, ActorID: &actor, AccountID: &account, SessionID: &session, Detail: "ADMIN",
		}
		if err := log.Record(ctx, given); err != nil {
			t.Fatal(err)
		}
		if given.ID != (id.ID{}) || given.RequestID != "" {
			t.Errorf("the caller's entry was changed: %+v", given)
		}
		c.advance(time.Second)
		if err := log.Record(t.Context(), audit.Entry{Event: audit.LoginFailed, IPAddress: "forged", UserAgent: "forged"}); err != nil {
			t.Fatal(err)
		}
		want := []*audit.Entry{
			{Event: audit.LoginFailed, CreatedAt: noon.Add(time.Second + time.Microsecond)},
			{
				Event: audit.RoleGranted, CreatedAt: noon.Add(time.Microsecond), ActorID: &actor, AccountID: &account, SessionID: &session,
				IPAddress: "192.0.2.1", UserAgent: "Firefox's \"ü\"", RequestID: "r1", Detail: "ADMIN",
			},
		}
		got := all(t, log, nil, 10)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(audit.Entry{}, "ID", "BaseModel")); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		for _, e := range got {
			if e.ID.Version() != 7 {
				t.Errorf("id %s", e.ID)
			}
		}
	})
}

func TestRecordLivesAndDiesWithItsTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := audit.New(db, new(clock).now)
		news := db.Listen(t.Context(), audit.Channel)
		take := func(when string) {
			t.Helper()
			select {
			case <-news:
			case <-time.After(20 * time.Second):
				t.Fatalf("no hint %s", when)
			}
		}
		take("at the beginning")
		inside := func(end error) error {
			return db.Atomically(t.Context(), func(ctx context.Context) error {
				if err := log.Record(ctx, audit.Entry{Event: audit.LoggedIn, Detail: "one"}); err != nil {
					return err
				}
				if err := log.Record(ctx, audit.Entry{Event: audit.LoggedIn, Detail: "two"}); err != nil {
					return err
				}
				p, err := log.List(ctx, nil, page.Request{First: 10})
				if err != nil || len(p.Nodes) != 2 {
					t.Errorf("inside there are %d entries (%v), want 2", len(p.Nodes), err)
				}
				if outside := all(t, log, nil, 10); len(outside) != 0 {
					t.Errorf("outside there are %d entries, want none yet", len(outside))
				}
				return end
			})
		}
		if err := inside(errStop); !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		if left := all(t, log, nil, 10); len(left) != 0 {
			t.Errorf("%d entries of what did not happen", len(left))
		}
		if err := inside(nil); err != nil {
			t.Fatal(err)
		}
		if kept := all(t, log, nil, 10); len(kept) != 2 {
			t.Errorf("%d entries, want 2", len(kept))
		}
		take("after the commit")

		// The other way about: what cannot be recorded must not happen.
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := log.Record(ended, audit.Entry{Event: audit.LoggedIn}); !errors.Is(err, context.Canceled) {
			t.Errorf("in a context that had ended: %v", err)
		}
		if err := log.Record(t.Context()); err != nil {
			t.Errorf("nothing to record: %v", err)
		}
	})
}

func TestNewestFirst(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := new(clock)
		log := audit.New(db, c.now)
		ann, bob := id.New(noon), id.New(noon)
		record := func(entries ...audit.Entry) {
			t.Helper()
			if err := log.Record(t.Context(), entries...); err != nil {
				t.Fatal(err)
			}
		}
		entry := func(accountID *id.ID, detail string) audit.Entry {
			return audit.Entry{Event: audit.LoggedIn, AccountID: accountID, Detail: detail}
		}
		record(entry(&ann, "1"), entry(&bob, "2"), entry(nil, "3"))
		c.advance(time.Second)
		record(entry(&ann, "4"))
		c.advance(time.Second)
		record(entry(&bob, "5"), entry(&ann, "6"))
		for size := 1; size <= 7; size++ {
			for _, test := range []struct {
				who  *id.ID
				want []string
			}{
				{nil, []string{"6", "5", "4", "3", "2", "1"}},
				{&ann, []string{"6", "4", "1"}},
				{&bob, []string{"5", "2"}},
			} {
				if diff := cmp.Diff(test.want, details(all(t, log, test.who, size))); diff != "" {
					t.Errorf("pages of %d: -want +got\n%s", size, diff)
				}
			}
		}
		stranger := id.New(noon)
		p, err := log.List(t.Context(), &stranger, page.Request{First: 1})
		if err != nil || len(p.Nodes) != 0 || p.Nodes == nil || p.HasNext || p.HasPrevious {
			t.Errorf("a stranger's page: %+v, %v", p, err)
		}
		for _, wrong := range []page.Request{{}, {First: 101}, {First: 1, After: "x"}} {
			_, err := log.List(t.Context(), nil, wrong)
			if refused, ok := errors.AsType[*fault.Error](err); !ok || refused.Code != fault.BadUserInput {
				t.Errorf("%+v: %v", wrong, err)
			}
		}
	})
}

// Whoever turns the pages while others write sees each entry that was there at the beginning once, in order.
func TestPagesHoldStillUnderInserts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const there = 300
		c := new(clock)
		log := audit.New(db, c.now)
		ann := id.New(noon)
		var entries []audit.Entry
		for i := range there {
			entries = append(entries, audit.Entry{Event: audit.LoggedIn, AccountID: &ann, Detail: fmt.Sprint(i)})
		}
		if err := log.Record(t.Context(), entries...); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Second)
		var writing sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			writing.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					c.advance(time.Microsecond)
					if err := log.Record(t.Context(), audit.Entry{Event: audit.LoggedOut, AccountID: &ann, Detail: "new"}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for round, who := range []*id.ID{nil, &ann, nil, &ann} {
			next := there - 1
			seen := map[id.ID]bool{}
			for _, e := range all(t, log, who, 37) {
				if seen[e.ID] {
					t.Fatalf("round %d: %s comes twice", round, e.ID)
				}
				seen[e.ID] = true
				if e.Detail == "new" {
					continue
				}
				if e.Detail != fmt.Sprint(next) {
					t.Fatalf("round %d: entry %s, want %d", round, e.Detail, next)
				}
				next--
			}
			if next != -1 {
				t.Errorf("round %d: %d entries are missing", round, next+1)
			}
		}
		close(stop)
		writing.Wait()
	})
}
