package gqlhttp

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/operation"
	"gatehouse/internal/request"
)

// typeEvents is the media type of server-sent events.
const typeEvents = "text/event-stream"

// eventStream is its Content-Type. Events are UTF-8 always, so it takes no charset.
var eventStream = []string{typeEvents}

// onlyEvents reports whether a request with this Accept header takes an event stream and no plain answer. Clients that take both
// want the stream for what has many answers, and a query has one.
func onlyEvents(accept []string, refused *refusal) bool {
	if refused != errNotAcceptable {
		return false
	}
	for _, value := range accept {
		for element := range strings.SplitSeq(value, ",") {
			name, parameters, _ := strings.Cut(element, ";")
			quality, ok := weight(parameters)
			if ok && quality > 0 && strings.EqualFold(strings.TrimSpace(name), typeEvents) {
				return true
			}
		}
	}
	return false
}

// stream is an answer that goes out as events: each response as one of the name "next", and "complete" after the last, as the
// distinct connections mode of graphql-sse has it.
type stream struct {
	*Live

	w       http.ResponseWriter
	control *http.ResponseController

	mu     sync.Mutex
	timer  *time.Timer // of the next sign of life
	failed bool        // the client does not take what it is sent, or has taken all
}

// serveEvents answers the operation with a stream of events. Whatever becomes of it is told in an event, with status 200: a
// client that reads events reads nothing else.
func (l *Live) serveEvents(w http.ResponseWriter, r *http.Request, req operation.Request) *refusal {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	caller := auth.FromContext(ctx)
	open, refused := l.enter(request.FromContext(ctx).Address, func(why closure) { cancel(why) })
	if refused != nil {
		return refused
	}
	defer l.leave(open)
	if !l.own(open, caller.AccountID) {
		return errCrowded
	}
	bound, release := l.sessions.Bind(ctx, caller)
	defer release()

	s := &stream{Live: l, w: w, control: http.NewResponseController(w)}
	// Else the server would end the request when its time for reading is over.
	if err := s.control.SetReadDeadline(time.Time{}); err != nil {
		l.cfg.Logger.DebugContext(ctx, "a stream keeps its deadline", "error", err)
	}
	header := w.Header()
	header["Content-Type"] = eventStream
	header["Cache-Control"] = noStore
	header["X-Accel-Buffering"] = []string{"no"} // nginx would keep the events until there are many
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead { // nobody would be told of an event, nor that there will be no more
		return nil
	}
	s.begin()
	defer s.finish()
	for response := range l.executor.Subscribe(bound, req) {
		if !s.next(ctx, response) {
			return nil
		}
	}
	if ctx.Err() == nil { // else the stream is broken off, so that its client comes back
		s.send([]byte("event: complete\ndata:\n\n"))
	}
	return nil
}

// next sends a response, and reports whether another can follow.
func (s *stream) next(ctx context.Context, response *operation.Response) bool {
	body, err := response.MarshalJSON()
	if err != nil {
		s.cfg.Logger.ErrorContext(ctx, "a response could not be encoded", "error", err)
		body = []byte(broken)
	}
	event := make([]byte, 0, len("event: next\ndata: \n\n")+len(body))
	event = append(event, "event: next\ndata: "...)
	// JSON has line breaks between its tokens only, and a line of an event ends at either.
	for _, c := range body {
		if c == '\n' || c == '\r' {
			c = ' '
		}
		event = append(event, c)
	}
	return s.send(append(event, "\n\n"...))
}

// begin sends a first sign of life, which brings the header to the client, and others from time to time.
func (s *stream) begin() {
	s.mu.Lock()
	s.timer = time.AfterFunc(s.cfg.Keepalive, s.live)
	s.mu.Unlock()
	s.send([]byte(":\n\n"))
}

// live sends a comment, which clients pass over, and keeps what is between here and them from giving up the connection.
func (s *stream) live() {
	if s.send([]byte(":\n\n")) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.timer.Reset(s.cfg.Keepalive)
	}
}

// send sends bytes at once, and reports whether the client took them in time.
func (s *stream) send(event []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed {
		return false
	}
	err := s.control.SetWriteDeadline(s.wall().Add(s.cfg.Patience))
	if err == nil {
		_, err = s.w.Write(event)
	}
	if err == nil {
		err = s.control.Flush()
	}
	s.failed = err != nil
	return !s.failed
}

// finish makes sure that nothing is written any more.
func (s *stream) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
	s.failed = true
}
