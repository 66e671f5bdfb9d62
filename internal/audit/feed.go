package audit

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

const (
	// lookEvery is between two looks at the log. Even where no hint arrives, an entry is passed on within a second.
	lookEvery = time.Second / 2

	// Between two looks there is a rest, however many hints arrive: so long that looking takes no more than a tenth of the time,
	// within these bounds.
	shortRest = time.Second / 10
	longRest  = time.Second
	restShare = 10

	// reachBack is how far a look reaches back beyond the beginning of the one before it. It covers transactions that commit
	// well after they noted the time: their entries appear among older ones.
	reachBack = time.Minute

	// atOnce is how many accounts one statement asks about.
	atOnce = 500

	// backlog is how many entries may wait for a follower: what one look finds about an account that somebody tries passwords on,
	// many times over.
	backlog = 1000
)

// ErrBehind is why a follower gets nothing more who did not take what there was.
var ErrBehind = errors.New("audit: a follower fell too far behind")

// Feed passes on what is recorded about accounts to whoever follows them, whichever process recorded it. Nothing is passed on
// while [Feed.Watch] does not run. It is safe for concurrent use.
type Feed struct {
	db     *store.DB
	now    func() time.Time
	logger *slog.Logger

	mu        sync.Mutex
	followers map[id.ID][]*Follower // by account

	looked time.Time      // when the last look began that succeeded; Watch's alone, as what follows
	told   map[id.ID]bool // the entries that it found
}

// Follower is who follows an account.
type Follower struct {
	since   time.Time
	settled bool          // has been through a look: what is new to the feed is new to it
	stirred chan struct{} // holds something when waiting or ended have changed

	mu      sync.Mutex
	waiting []*Entry
	ended   error // why no more will come; nil while there may
}

// Next waits for the next entry and returns it: each comes once, in the order in which they were found. The error is ErrBehind
// for whoever did not take them, and else that of a context that has ended, ctx or the one of Follow. One goroutine at a
// time may call it.
func (f *Follower) Next(ctx context.Context) (*Entry, error) {
	for {
		if entry, ended := f.take(); entry != nil || ended != nil {
			return entry, ended
		}
		select {
		case <-f.stirred:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (f *Follower) take() (*Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		f.waiting = nil // what it has grown to
		return nil, f.ended
	}
	entry := f.waiting[0]
	f.waiting = f.waiting[1:]
	return entry, nil
}

// give has an entry wait for the follower, and reports false where too many do.
func (f *Follower) give(entry *Entry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) >= backlog {
		return false
	}
	f.waiting = append(f.waiting, entry)
	f.stir()
	return true
}

// end lets the follower know that nothing more will come.
func (f *Follower) end(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = why
	f.stir()
}

func (f *Follower) stir() {
	select {
	case f.stirred <- struct{}{}:
	default: // it holds something already
	}
}

// NewFeed returns a feed of the log in db.
func NewFeed(db *store.DB, now func() time.Time, logger *slog.Logger) *Feed {
	return &Feed{db: db, now: now, logger: logger, followers: make(map[id.ID][]*Follower), looked: now()}
}

// Follow passes on what is recorded about the account from now on, until ctx ends. Nothing is passed over because a hint or the
// database was away for a while. Whoever leaves a thousand entries waiting is dropped, so that nobody else has to wait.
func (f *Feed) Follow(ctx context.Context, accountID id.ID) *Follower {
	follower := &Follower{since: f.now(), stirred: make(chan struct{}, 1)}
	f.mu.Lock()
	f.followers[accountID] = append(f.followers[accountID], follower)
	f.mu.Unlock()
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.drop(accountID, follower, ctx.Err())
	})
	return follower
}

// drop ends following. The caller holds the lock.
func (f *Feed) drop(accountID id.ID, follower *Follower, why error) {
	i := slices.Index(f.followers[accountID], follower)
	if i < 0 { // dropped before
		return
	}
	left := slices.Delete(f.followers[accountID], i, i+1)
	f.followers[accountID] = left
	if len(left) == 0 {
		delete(f.followers, accountID)
	}
	follower.end(why)
}

// Watch looks for new entries twice a second, sooner when a process hints that it recorded some, and passes them on. While nobody
// follows anything it asks nothing. It returns ctx's error when ctx ends, and logs when looking begins to fail and when it works
// again.
func (f *Feed) Watch(ctx context.Context) error {
	hints := f.db.Listen(ctx, Channel)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-hints:
		case <-ticker.C:
		}
		began := f.now()
		err := f.look(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !failing:
			f.logger.WarnContext(ctx, "the audit log cannot be read; security events come later", "error", err)
		case err == nil && failing:
			f.logger.InfoContext(ctx, "the audit log can be read again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(max(shortRest, (restShare-1)*f.now().Sub(began)), longRest)):
		}
	}
}

// look reads what is new about the accounts that are followed, and passes it on.
func (f *Feed) look(ctx context.Context) error {
	began := f.now()
	from, accounts, waiting := f.wanted(began)
	var found []*Entry
	for some := range slices.Chunk(accounts, atOnce) {
		var entries []*Entry
		err := f.db.Conn(ctx).NewSelect().Model(&entries).
			Where("account_id IN (?)", bun.List(some)).
			Where("created_at >= ?", from.UTC()).
			OrderExpr("created_at, id").
			Scan(ctx)
		if err != nil {
			return err
		}
		found = append(found, entries...) // an account's are in order, and nobody follows two at once
	}
	told := make(map[id.ID]bool, len(found)) // what is older than this look's reach is in no later one
	for _, entry := range found {
		told[entry.ID] = true
		if !f.told[entry.ID] {
			f.tell(entry)
		}
	}
	f.told, f.looked = told, began
	f.settle(waiting)
	return nil
}

// wanted returns from when on a look has to read the entries of which accounts, and the followers for whom it is the first.
func (f *Feed) wanted(now time.Time) (from time.Time, accounts []id.ID, first []*Follower) {
	from = now
	if f.looked.Before(from) { // else the clock was set back
		from = f.looked
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for accountID, followers := range f.followers {
		accounts = append(accounts, accountID)
		for _, follower := range followers {
			if !follower.settled {
				first = append(first, follower)
			}
		}
	}
	return from.Add(-reachBack), accounts, first
}

// tell passes an entry on to those who follow its account. To whom a look is the first, what is older than they are is not new.
func (f *Feed) tell(entry *Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, follower := range slices.Clone(f.followers[*entry.AccountID]) {
		if !follower.settled && entry.CreatedAt.Before(follower.since) {
			continue
		}
		if !follower.give(entry) {
			f.drop(*entry.AccountID, follower, ErrBehind)
		}
	}
}

// settle notes that the followers have been through a look.
func (f *Feed) settle(followers []*Follower) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, follower := range followers {
		follower.settled = true
	}
}
