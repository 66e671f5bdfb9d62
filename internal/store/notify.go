package store

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
)

var channelName = regexp.MustCompile(`^[a-z_]{1,32}$`)

// Notify hints at news on the channel when the transaction in ctx has been committed, or at once outside one; rolled back, it
// does nothing. With PostgreSQL the hint reaches every process that listens on the same database, with SQLite this DB alone. It
// carries nothing but the channel, whose name is lower-case letters and underscores.
//
// It asks nothing of the transaction and waits for nothing: a hint that cannot be sent is lost, as hints may be. The error is
// that of a name that will not do.
func (db *DB) Notify(ctx context.Context, channel string) error {
	if !channelName.MatchString(channel) {
		return fmt.Errorf("store: a channel of the name %q: it takes up to 32 lower-case letters and underscores", channel)
	}
	if tx, inside := db.transaction(ctx); inside {
		tx.channels = append(tx.channels, channel)
		return nil
	}
	db.outbox.put(ctx, db, channel)
	return nil
}

// outbox holds hints that are to be sent.
//
// They could go with the transaction, but PostgreSQL commits transactions that notify one after the other, each with its wait
// for the disk, which left 16 connections a fifth of their throughput. Sent afterwards, hints hold up nobody, and many go as one.
type outbox struct {
	mu      sync.Mutex
	waiting []string // channels, each once
	busy    bool     // a goroutine sends
	closed  bool
	sending sync.WaitGroup
}

// put adds hints and makes sure that they are sent. It does not wait.
func (o *outbox) put(ctx context.Context, db *DB, channels ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, channel := range channels {
		if !slices.Contains(o.waiting, channel) {
			o.waiting = append(o.waiting, channel)
		}
	}
	if len(o.waiting) == 0 || o.busy || o.closed {
		return
	}
	o.busy = true
	ctx = context.WithoutCancel(ctx) // the request may be over sooner
	o.sending.Go(func() {
		for next := o.take(); len(next) > 0; next = o.take() {
			_ = db.backend.announce(ctx, next, db.listeners.hear) // whoever cannot be reached looks by itself
		}
	})
}

// take empties the outbox. Finding it empty ends the goroutine that sends.
func (o *outbox) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := o.waiting
	o.waiting = nil
	o.busy = len(next) > 0
	return next
}

// close waits until nothing is left to send.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.sending.Wait()
}

// Listen returns where hints arrive that there is news on the channel, until ctx ends; then it is closed. One that was not taken
// yet stands for all that follow.
//
// The first hint comes when listening has begun, and another whenever it has begun again after a failure, since nothing tells
// what was missed. No error ever comes, and behind a connection pooler maybe no hint either: look at the database now and
// then without one. All listeners of a DB share one connection besides its pool.
func (db *DB) Listen(ctx context.Context, channel string) <-chan struct{} {
	hints := db.listeners.add(ctx, channel, db.backend.listen)
	context.AfterFunc(ctx, func() { db.listeners.remove(channel, hints) })
	return hints
}

// listeners are who asked for hints, by channel, and the goroutine that hears for them.
type listeners struct {
	mu      sync.Mutex
	hints   map[string][]chan struct{}
	begun   bool               // the goroutine has begun to hear at least once
	stop    context.CancelFunc // ends the goroutine; nil before the first listener
	closed  bool
	hearing sync.WaitGroup
}

// add returns the hints of a new listener and makes sure that somebody listens.
func (l *listeners) add(
	ctx context.Context, channel string, listen func(ctx context.Context, begun func(), hear func(string)),
) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	hints := make(chan struct{}, 1)
	if l.hints == nil {
		l.hints = make(map[string][]chan struct{})
	}
	l.hints[channel] = append(l.hints[channel], hints)
	if l.begun {
		hint(hints)
	}
	if l.stop == nil && !l.closed {
		ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // it outlives this listener
		l.stop = stop
		l.hearing.Go(func() { listen(ctx, l.begin, l.hear) })
	}
	return hints
}

// remove closes a listener's hints.
func (l *listeners) remove(channel string, hints chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hints[channel] = slices.DeleteFunc(l.hints[channel], func(other chan struct{}) bool { return other == hints })
	close(hints)
}

// begin hints to everybody: what happened so far was not heard.
func (l *listeners) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun = true
	for _, all := range l.hints {
		for _, hints := range all {
			hint(hints)
		}
	}
}

// hear hints to the channel's listeners.
func (l *listeners) hear(channel string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, hints := range l.hints[channel] {
		hint(hints)
	}
}

// close ends the goroutine and waits for it.
func (l *listeners) close() {
	l.mu.Lock()
	l.closed = true
	if l.stop != nil {
		l.stop()
	}
	l.mu.Unlock()
	l.hearing.Wait()
}

func hint(hints chan struct{}) {
	select {
	case hints <- struct{}{}:
	default: // one that was not taken yet
	}
}
