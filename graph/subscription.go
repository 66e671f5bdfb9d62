package graph

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"time"

	"github.com/graph-gophers/graphql-go"

	"gatehouse/internal/audit"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/operation"
	"gatehouse/internal/session"
)

// patience is how long the engine lets an event take, from its source to whoever waits for it: beyond, it drops the event without
// a word. That must never happen. What a resolver calls has bounds of its own, and so has who takes the events.
const patience = 365 * 24 * time.Hour

// errNoStream reports that the engine answered a subscription with something else than it always does.
var errNoStream = errors.New("graph: the engine did not answer with responses")

// errBegin reports that the engine did not survive the beginning of a subscription.
var errBegin = errors.New("graph: the engine panicked")

// Subscribe implements [operation.Engine]. Every error in a result is a *fault.Error.
func (e *Engine) Subscribe(ctx context.Context, req operation.Request) iter.Seq[operation.Result] {
	return func(yield func(operation.Result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // so that the resolver ends with whoever takes its events
		end := new(ending)
		events, err := e.begin(context.WithValue(ctx, endingKey{}, end), req)
		if err != nil {
			yield(failed(err))
			return
		}
		for event := range events {
			response, ok := event.(*graphql.Response)
			if !ok {
				yield(failed(errNoStream))
				return
			}
			if !yield(translate(response)) {
				return
			}
		}
		if ctx.Err() == nil && end.err != nil { // in this order: if ctx has ended, the resolver may be about to set it
			yield(failed(end.err))
		}
	}
}

// begin has the engine begin a subscription, in a goroutine of its own: reading the document takes a deep stack, which the one
// that waits for the events would keep for as long as they come. A panic there, which nobody else could recover, is an error.
func (e *Engine) begin(ctx context.Context, req operation.Request) (events <-chan any, err error) {
	begun := make(chan struct{})
	go func() {
		defer close(begun)
		defer func() {
			if v := recover(); v != nil { // the value stays out: it may hold what a client sent
				err = fmt.Errorf("%w: %T at %s", errBegin, v, debug.Stack())
			}
		}()
		events, err = e.schema.Subscribe(ctx, req.Query, req.OperationName, req.Variables)
	}()
	<-begun
	return events, err
}

func failed(err error) operation.Result {
	return operation.Result{Errors: []operation.ResolverError{{Err: fault.From(err)}}}
}

// ending is why a subscription ended before whoever takes its events had enough: the engine knows no way to say so. It is set
// before the resolver closes its channel, and read after.
type ending struct{ err error }

type endingKey struct{}

// endWith notes why the subscription of a resolver's context is about to end.
func endWith(ctx context.Context, err error) {
	if end, ok := ctx.Value(endingKey{}).(*ending); ok {
		end.err = err
	}
}

// Subscription resolves the fields of Subscription.
type Subscription struct{ features Features }

// SecurityEvents tells what happens to the caller's account.
func (s *Subscription) SecurityEvents(ctx context.Context) <-chan *SecurityEvent {
	caller := auth.FromContext(ctx)
	follower := s.features.Feed.Follow(ctx, caller.AccountID)
	events := make(chan *SecurityEvent)
	go func() {
		defer close(events)
		for {
			entry, err := follower.Next(ctx)
			if err != nil {
				endWith(ctx, fault.Outage(err))
				return
			}
			select {
			case events <- &SecurityEvent{*entry, caller.SessionID}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events
}

// SecurityEvent resolves SecurityEvent; Event resolves by itself.
type SecurityEvent struct {
	audit.Entry

	listening id.ID // the session that the event is told to
}

// ID returns the id of the entry.
func (e *SecurityEvent) ID() ID { return ID(e.Entry.ID.String()) }

// CreatedAt returns when it happened.
func (e *SecurityEvent) CreatedAt() DateTime { return DateTime{e.Entry.CreatedAt} }

// SessionID returns which session it concerns, nil where it concerns none in particular.
func (e *SecurityEvent) SessionID() *ID { return reference(e.Entry.SessionID) }

// Current reports whether that is the session that listens.
func (e *SecurityEvent) Current() bool {
	return e.Entry.SessionID != nil && *e.Entry.SessionID == e.listening
}

// IPAddress returns where it was done from, nil where that is not known.
func (e *SecurityEvent) IPAddress() *string { return optional(e.Entry.IPAddress) }

// UserAgent returns how the program that did it described itself, nil where it did not.
func (e *SecurityEvent) UserAgent() *string { return optional(e.Entry.UserAgent) }

// Device returns in a few words what it was done with.
func (e *SecurityEvent) Device() string { return session.Device(e.Entry.UserAgent) }

// Detail returns more about the event, nil where there is no more to say.
func (e *SecurityEvent) Detail() *string { return optional(e.Entry.Detail) }
