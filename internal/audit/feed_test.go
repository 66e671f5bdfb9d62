package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/audit"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// watched returns a feed that is watched until the test ends.
func watched(t *testing.T, db *store.DB, now func() time.Time) *audit.Feed {
	t.Helper()
	feed := audit.NewFeed(db, now, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- feed.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
	})
	return feed
}

// take returns the details of the next entries.
func take(t *testing.T, f *audit.Follower, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var words []string
	for range n {
		entry, err := f.Next(ctx)
		if err != nil {
			t.Fatalf("it ended (%v) after %q", err, words)
		}
		words = append(words, entry.Detail)
	}
	return words
}

// TestFeed: a follower gets what is recorded about an account from then on, each entry once and in order, whether or not a hint
// tells of it, and also what became visible late.
func TestFeed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := new(clock)
		log, feed := audit.New(db, c.now), watched(t, db, c.now)
		ann, lee := id.New(noon), id.New(noon)
		about := func(accountID id.ID, detail string) audit.Entry {
			return audit.Entry{Event: audit.LoggedIn, AccountID: &accountID, Detail: detail}
		}
		record := func(entries ...audit.Entry) {
			t.Helper()
			if err := log.Record(t.Context(), entries...); err != nil {
				t.Fatal(err)
			}
		}
		record(about(ann, "before"))
		c.advance(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		first := feed.Follow(ctx, ann)
		c.advance(time.Millisecond)
		record(about(ann, "1"), about(lee, "another's"), about(ann, "2"), audit.Entry{Event: audit.KeyAdded, Detail: "nobody's"})
		if got := take(t, first, 2); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("got %q", got)
		}
		c.advance(time.Second)
		second := feed.Follow(t.Context(), ann)
		c.advance(time.Millisecond)
		var want []string
		for i := range 60 {
			want = append(want, fmt.Sprint("more ", i))
			record(about(ann, want[i]))
			c.advance(time.Millisecond)
		}
		for _, f := range []*audit.Follower{first, second} {
			if got := take(t, f, 60); !slices.Equal(got, want) {
				t.Errorf("got %q", got)
			}
		}
		// A transaction that took its time: the entry bears an earlier one. And nobody hints at it.
		late := about(ann, "late")
		late.CreatedAt = c.now().Add(-50 * time.Second)
		late.ID = id.New(late.CreatedAt)
		if _, err := db.Conn(t.Context()).NewInsert().Model(&late).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		record(about(ann, "last"))
		got := take(t, first, 2)
		slices.Sort(got)
		if !slices.Equal(got, []string{"last", "late"}) {
			t.Errorf("got %q", got)
		}
		cancel()
		if entry, err := first.Next(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end came %v, %v", entry, err)
		}
		record(about(ann, "after"))
		if got := take(t, second, 3); got[2] != "after" {
			t.Errorf("got %q", got)
		}
	})
}

// TestFeedDropsWhoIsBehind: who does not take what there is holds up nobody, and learns why it ended.
func TestFeedDropsWhoIsBehind(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := new(clock)
		log, feed := audit.New(db, c.now), watched(t, db, c.now)
		ann := id.New(noon)
		slow, quick := feed.Follow(t.Context(), ann), feed.Follow(t.Context(), ann)
		for range 5 {
			var entries []audit.Entry
			for range 300 {
				entries = append(entries, audit.Entry{Event: audit.LoginFailed, AccountID: &ann})
			}
			if err := log.Record(t.Context(), entries...); err != nil {
				t.Fatal(err)
			}
			c.advance(time.Second)
			take(t, quick, 300)
		}
		n := 0
		var err error
		for ; err == nil; n++ {
			_, err = slow.Next(t.Context())
		}
		if !errors.Is(err, audit.ErrBehind) || n < 2 || n > 1500 {
			t.Errorf("%d came, and then %v", n-1, err)
		}
	})
}

// TestFeedOutlivesAnOutage: what is recorded while the log cannot be read comes later.
func TestFeedOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := new(clock)
		log, feed := audit.New(db, c.now), watched(t, db, c.now)
		ann := id.New(noon)
		f := feed.Follow(t.Context(), ann)
		record := func(detail string) {
			if err := log.Record(t.Context(), audit.Entry{Event: audit.LoggedIn, AccountID: &ann, Detail: detail}); err != nil {
				t.Fatal(err)
			}
		}
		record("1")
		take(t, f, 1)
		record("2")
		if _, err := db.Conn(t.Context()).NewRaw("ALTER TABLE audit_entries RENAME TO away").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // two looks, which fail
		c.advance(10 * time.Minute)
		if _, err := db.Conn(t.Context()).NewRaw("ALTER TABLE away RENAME TO audit_entries").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := take(t, f, 1); got[0] != "2" {
			t.Errorf("got %q", got)
		}
	})
}

// TestFeedOfAFlood: much that happens at once, as when somebody tries passwords, is told to the last.
func TestFeedOfAFlood(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := new(clock)
		log, feed := audit.New(db, c.now), watched(t, db, c.now)
		ann, lee := id.New(noon), id.New(noon)
		flooded, calm := feed.Follow(t.Context(), ann), feed.Follow(t.Context(), lee)
		const flood = 900
		entries := make([]audit.Entry, flood)
		for i := range entries {
			entries[i] = audit.Entry{Event: audit.LoginFailed, AccountID: &ann, Detail: fmt.Sprint(i)}
		}
		entries = append(entries, audit.Entry{Event: audit.LoggedIn, AccountID: &lee})
		if err := log.Record(t.Context(), entries...); err != nil {
			t.Fatal(err)
		}
		take(t, calm, 1) // so all of it has been passed on
		if got := take(t, flooded, flood); got[0] != "0" || got[flood-1] != fmt.Sprint(flood-1) {
			t.Errorf("got %q", got)
		}
	})
}
