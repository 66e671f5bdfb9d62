package gqlhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
	"gatehouse/internal/request"
)

// farewell is how long a client has to agree to the end of its socket, and to take what it was sent before.
const farewell = 3 * time.Second

// beforeInit is how many bytes a message may have before its sender has said who they are: an access token and what is around it.
const beforeInit = 2 * auth.MaxCredential

// socket is a WebSocket on which graphql-transport-ws is spoken. While nothing happens, it has the one goroutine that reads.
type socket struct {
	*Live
	*line

	conn   *websocket.Conn
	raw    net.Conn // what conn is spoken on, for what conn has no bound for
	end    func(closure)
	info   request.Info
	caller *auth.Caller // of the handshake, then of connection_init

	release context.CancelFunc // of what ends with the caller's access token; nil before connection_init
	asked   int                // operations so far
	begun   atomic.Bool        // connection_init has come

	mu         sync.Mutex
	timer      *time.Timer          // until connection_init its timeout, then of the next ping
	operations map[string]*activity // by id
	running    int                  // operations that have a place, also those that were told to end
	work       sync.WaitGroup

	parting sync.Mutex // held while a last response is sent
}

// activity is an operation under way.
type activity struct {
	cancel context.CancelFunc
	placed bool // it counts among those that run; under the socket's lock
}

// serve reads until the socket is closed by its client, or ctx ends and says why.
func (s *socket) serve(ctx context.Context) {
	s.conn.SetReadLimit(min(beforeInit, s.cfg.MaxMessage))
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(closed)
		s.close(ctx)
	})
	s.mu.Lock()
	s.timer = time.AfterFunc(s.cfg.InitTimeout, func() { s.due(ctx) })
	s.mu.Unlock()
	s.read(ctx)
	s.end(notAnswering)
	s.timer.Stop()
	if s.release != nil {
		s.release()
	}
	s.work.Wait()
	<-closed
}

// close says goodbye, for the reason that ctx has ended, and waits a while for the answer. The library's own wait ends only where
// the client is silent, not where it begins a frame and leaves it at that.
func (s *socket) close(ctx context.Context) {
	why, ok := errors.AsType[closure](context.Cause(ctx))
	if !ok {
		why = internalError
	}
	hangUp := time.AfterFunc(min(farewell, s.cfg.Patience), func() {
		if err := s.raw.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			s.cfg.Logger.DebugContext(request.NewContext(ctx, s.info), "a connection was not closed in order", "error", err)
		}
	})
	defer hangUp.Stop()
	var err error
	if why == notAnswering {
		err = s.conn.CloseNow()
	} else {
		err = s.conn.Close(why.code, why.reason)
	}
	if err != nil && websocket.CloseStatus(err) == -1 { // else the client has said why, in words that no log repeats
		s.cfg.Logger.DebugContext(request.NewContext(ctx, s.info), "a WebSocket was not closed in order", "error", err)
	}
}

// read takes the messages of the client, one after the other. Reading is never cancelled: whoever ends the socket closes it.
func (s *socket) read(ctx context.Context) {
	defer s.survive(ctx)
	for {
		kind, text, err := s.receive(context.WithoutCancel(ctx))
		if errors.Is(err, websocket.ErrMessageTooBig) {
			s.end(tooLong) // which is said already, but would not arrive if the rest of the message were left unread
		}
		if err != nil {
			return
		}
		if kind != websocket.MessageText {
			s.end(badBinary)
			continue
		}
		next, why, ok := s.take(ctx, text)
		if !ok {
			s.end(why)
		}
		ctx = next
	}
}

// receive waits for a message, for as long as it takes, and then for the rest of it, for which there is a limit: what has come of
// it is held in memory.
func (s *socket) receive(ctx context.Context) (websocket.MessageType, []byte, error) {
	kind, message, err := s.conn.Reader(ctx)
	if err != nil {
		return 0, nil, err
	}
	if err := s.raw.SetReadDeadline(s.wall().Add(s.cfg.Patience)); err != nil {
		return 0, nil, err
	}
	text, err := io.ReadAll(message)
	if err != nil {
		return 0, nil, err
	}
	return kind, text, s.raw.SetReadDeadline(time.Time{})
}

// survive keeps a panic from ending the process, and must be deferred itself. It ends the socket instead. The log is told what
// kind of thing was thrown, which may hold what a client sent, and where.
func (s *socket) survive(ctx context.Context) {
	if v := recover(); v != nil {
		s.cfg.Logger.ErrorContext(request.NewContext(ctx, s.info), "a WebSocket panicked",
			"panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		s.end(internalError)
	}
}

// take does what a message asks for, and returns the context of those that follow. Where it reports false, the socket ends as the
// closure says.
func (s *socket) take(ctx context.Context, text []byte) (context.Context, closure, bool) {
	scratch := s.borrow()
	defer s.giveBack(scratch)
	m, ok := scratch.decodeMessage(text)
	if ctx.Err() != nil { // the socket ends already, or is about to
		return ctx, closure{}, true
	}
	why := badMessage
	switch {
	case !ok:
	case m.kind == messageInit:
		return s.begin(ctx, scratch, m)
	case m.kind == messagePing:
		ok = s.write(ctx, messagePong, "", nil)
	case m.kind == messagePong:
	case m.kind == messageSubscribe:
		why, ok = s.subscribe(ctx, scratch, m)
	case m.kind == messageComplete:
		why, ok = s.complete(m)
	default:
		ok = false
	}
	return ctx, why, ok
}

// begin learns who the client is: by the credential in the message, else by that of the handshake. The context that it returns
// ends with the client's access token, too.
func (s *socket) begin(ctx context.Context, scratch *scratch, m message) (context.Context, closure, bool) {
	if s.release != nil {
		return ctx, secondInit, false
	}
	credential, ok := scratch.credential(m.payload)
	if !ok {
		return ctx, badMessage, false
	}
	known := request.NewContext(ctx, s.info)
	if len(credential) > 0 {
		s.caller = auth.Identify(known, s.sessions, credential)
	}
	if why, refused := unwelcome(s.caller.Refusal); refused {
		return ctx, why, false
	}
	if !s.own(s.line, s.caller.AccountID) {
		return ctx, crowded, false
	}
	bound, release := s.sessions.Bind(auth.NewContext(known, s.caller), s.caller)
	s.release = release
	context.AfterFunc(bound, func() {
		if why, lapsed := errors.AsType[*fault.Error](context.Cause(bound)); lapsed {
			s.end(lapse(why))
		}
	})
	s.conn.SetReadLimit(s.cfg.MaxMessage)
	s.begun.Store(true)
	s.again()
	return bound, closure{}, s.write(bound, messageAck, "", nil)
}

// due ends a socket on which nobody has said who they are, and asks any other for a sign of life: by a frame of WebSocket's own,
// which browsers answer by themselves.
func (s *socket) due(ctx context.Context) {
	if !s.begun.Load() {
		s.end(initTimeout)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Patience)
	defer cancel()
	if err := s.conn.Ping(ctx); err != nil {
		s.end(notAnswering)
		return
	}
	s.again()
}

// again has the next sign of life asked for.
func (s *socket) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Reset(s.cfg.Keepalive)
}

// subscribe begins an operation, whatever its type.
func (s *socket) subscribe(ctx context.Context, scratch *scratch, m message) (closure, bool) {
	switch {
	case s.release == nil:
		return notInit, false
	case m.id == "", len(m.id) > maxID:
		return badID, false
	case m.payload == nil:
		return badMessage, false
	}
	s.asked++
	ctx = request.NewContext(ctx, forOperation(s.info, strconv.Itoa(s.asked)))
	req, refused := scratch.request(m.payload)
	ctx, cancel := context.WithCancel(ctx)
	begun := &activity{cancel: cancel, placed: true}
	s.mu.Lock()
	_, taken := s.operations[m.id]
	if !taken && refused == nil && (s.running >= s.cfg.Operations || !s.start(s.caller.AccountID)) {
		refused = errBusy
	}
	if !taken && refused == nil {
		s.operations[m.id] = begun
		s.running++
	}
	s.mu.Unlock()
	switch {
	case taken:
		cancel()
		return duplicateID, false
	case refused != nil:
		defer cancel()
		return closure{}, s.refuse(ctx, m.id, refused.response(request.FromContext(ctx).ID))
	}
	s.work.Go(func() {
		defer cancel()
		s.run(ctx, m.id, begun, req)
	})
	return closure{}, true
}

// complete ends an operation that the client wants no more of. It may be over already.
func (s *socket) complete(m message) (closure, bool) {
	if m.id == "" || len(m.id) > maxID {
		return badID, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if underWay, ok := s.operations[m.id]; ok {
		underWay.cancel()
		delete(s.operations, m.id)
	}
	return closure{}, true
}

// run sends the responses of an operation. Once ctx has ended nothing is sent: the client has ended the operation, or the socket
// ends. Above all not that the caller is no longer signed in, which would be the last that the client asks for on this operation;
// closed for that reason, it comes back with another token and begins it again.
func (s *socket) run(ctx context.Context, operationID string, own *activity, req operation.Request) {
	defer s.survive(ctx)
	began := s.wall()
	responses := 0
	defer func() {
		s.vacate(own)
		s.report(ctx, responses, began)
	}()
	for response := range s.executor.Subscribe(ctx, req) {
		if ctx.Err() != nil {
			return
		}
		responses++
		if response.Data == nil {
			s.part(operationID, own, func() { s.refuse(ctx, operationID, response) })
			return
		}
		payload, err := response.MarshalJSON()
		if err != nil {
			s.cfg.Logger.ErrorContext(ctx, "a response could not be encoded", "error", err)
			payload = []byte(broken)
		}
		if !s.write(ctx, messageNext, operationID, payload) {
			return
		}
	}
	if ctx.Err() == nil {
		s.part(operationID, own, func() { s.write(ctx, messageComplete, operationID, nil) })
	}
}

// part has an operation's last message sent, unless the client has ended it. Its id and its place are free before that, since the
// client may use both as soon as it hears. One at a time: else who takes no messages could have any number of them waiting.
func (s *socket) part(operationID string, own *activity, say func()) {
	s.parting.Lock()
	defer s.parting.Unlock()
	if s.forget(operationID, own) {
		s.vacate(own)
		say()
	}
}

// forget lets the id of an operation be used again. It reports false where the client has ended the operation: the id may be
// another's by now.
func (s *socket) forget(operationID string, own *activity) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[operationID] != own {
		return false
	}
	delete(s.operations, operationID)
	return true
}

// vacate lets another operation run in place of this one, if none does already.
func (s *socket) vacate(own *activity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own.placed {
		own.placed = false
		s.running--
		s.finish(s.caller.AccountID)
	}
}

// refuse answers an operation with nothing but errors, which ends it.
func (s *socket) refuse(ctx context.Context, operationID string, response *operation.Response) bool {
	payload, err := encodeErrors(response.Errors)
	if err != nil {
		s.cfg.Logger.ErrorContext(ctx, "errors could not be encoded", "error", err)
		s.end(internalError)
		return false
	}
	return s.write(ctx, messageError, operationID, payload)
}

// write sends a message, whole even if ctx ends meanwhile. A client that takes too long is cut off, so that nothing heaps up for
// it.
func (s *socket) write(ctx context.Context, kind, operationID string, payload []byte) bool {
	text, err := encodeMessage(kind, operationID, payload)
	if err != nil {
		s.end(internalError)
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Patience)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, text); err != nil {
		s.end(notAnswering)
		return false
	}
	return true
}

// errBusy refuses one operation too many.
var errBusy = malformed("Too many operations run on this connection, or for this account: wait for one to end, or complete it.")
