// Package gqlhttp owns GraphQL over HTTP: from bytes to a request, from a response to bytes, and which media type and status
// say what (the GraphQL-over-HTTP specification).
//
// It must never know who may do what, and it must never repeat anything of a request: its body may hold a password anywhere.
package gqlhttp

import (
	"cmp"
	"log/slog"
	"net/http"
	"sync"

	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
	"gatehouse/internal/request"
)

// DefaultMaxBody is how large a request's body may be unless Config says otherwise: 256 KiB.
const DefaultMaxBody = 256 << 10

// Config is what New can do without.
type Config struct {
	MaxBody int64        // in bytes; default DefaultMaxBody
	Logger  *slog.Logger // default: none
	Live    *Live        // answers WebSockets, and those who accept event streams alone; default: nobody does
}

// New returns the handler that answers with what x makes of requests: operations by POST, queries by GET and HEAD too. The caller
// is taken from the request's context, where auth put it; operation notes in request.Info what was asked.
func New(x *operation.Executor, cfg Config) http.Handler {
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &handler{executor: x, maxBody: cfg.MaxBody, logger: cfg.Logger, live: cfg.Live}
}

type handler struct {
	executor *operation.Executor
	maxBody  int64
	logger   *slog.Logger
	live     *Live     // nil: there is none
	scratch  sync.Pool // of *scratch, what one exchange needs and the next can use again
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case h.live != nil && isUpgrade(r):
		if refused := h.live.serveSocket(w, r); refused != nil {
			h.refuse(w, r, unnamed, refused)
		}
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusNoContent)
	default:
		h.exchange(w, r)
	}
}

// exchange answers a request: with one response, or with as many as there are where the client accepts events alone.
func (h *handler) exchange(w http.ResponseWriter, r *http.Request) {
	as, refused := negotiate(r.Header["Accept"])
	events := h.live != nil && onlyEvents(r.Header["Accept"], refused)
	var req operation.Request
	switch {
	case !isAnswered(r.Method):
		refused = errMethod
	case refused == nil, events:
		req, refused = h.receive(w, r)
	}
	switch {
	case refused != nil:
	case events:
		refused = h.live.serveEvents(w, r, req)
	default:
		h.execute(w, r, as, req)
	}
	if refused != nil {
		h.refuse(w, r, as, refused)
	}
}

// receive reads the request. What that takes is free for the next one when it returns, however long the answer lasts.
func (h *handler) receive(w http.ResponseWriter, r *http.Request) (operation.Request, *refusal) {
	s, ok := h.scratch.Get().(*scratch)
	if !ok {
		s = newScratch()
	}
	defer func() {
		if s.wipe() {
			h.scratch.Put(s)
		}
	}()
	if r.Method == http.MethodPost {
		return h.read(w, r, s)
	}
	return s.readURL(r.URL.RawQuery)
}

// isAnswered reports whether an operation can come with the method.
func isAnswered(method string) bool {
	return method == http.MethodPost || method == http.MethodGet || method == http.MethodHead
}

// execute answers a well-formed request.
func (h *handler) execute(w http.ResponseWriter, r *http.Request, as media, req operation.Request) {
	response := h.executor.Execute(r.Context(), req)
	status := as.status(response)
	if req.ReadOnly && response.Stage == operation.Refused && !isQuery(response) {
		status = http.StatusMethodNotAllowed
		w.Header().Set("Allow", http.MethodPost)
	}
	advise(w.Header(), status, response.Errors)
	h.write(w, r, as, status, response)
}

// refuse answers an ill-formed request.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, as media, refused *refusal) {
	refused.advise(w.Header())
	h.write(w, r, as, refused.status, refused.response(request.FromContext(r.Context()).ID))
}

// isQuery reports whether the response is about a query, as far as the request got.
func isQuery(response *operation.Response) bool {
	return response.OperationType == "" || response.OperationType == "query"
}

// broken is the body of a response that could not be encoded.
const broken = `{"errors":[{"message":"` + fault.InternalMessage + `","extensions":{"code":"` + string(fault.Internal) + `"}}]}`

// write sends the response.
func (h *handler) write(w http.ResponseWriter, r *http.Request, as media, status int, response *operation.Response) {
	body, err := response.MarshalJSON()
	if err != nil {
		h.logger.ErrorContext(r.Context(), "a response could not be encoded", "error", err)
		status, body = http.StatusInternalServerError, []byte(broken)
	}
	if err := send(w, as, status, body); err != nil {
		h.logger.DebugContext(r.Context(), "a response did not reach its client", "error", err)
	}
}

// send sends a body. Nothing else does, so that every answer carries the same headers.
func send(w http.ResponseWriter, as media, status int, body []byte) error {
	header := w.Header()
	header["Content-Type"] = as.contentType()
	header["Cache-Control"] = noStore
	if header["Vary"] == nil {
		header["Vary"] = varies
	} else {
		header["Vary"] = append(header["Vary"], varies...) // what surrounds this handler may look at other headers
	}
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

// Refuse answers a request that does not come as far as New's handler. It does so as that would, in a media type that the client
// accepts if there is one, so that clients find the error where they look for every other.
func Refuse(w http.ResponseWriter, r *http.Request, status int, f *fault.Error) {
	as, _ := negotiate(r.Header["Accept"])
	extensions := f.Extensions()
	extensions["requestId"] = request.FromContext(r.Context()).ID
	response := operation.Response{Errors: []*operation.Error{{Message: f.Message, Extensions: extensions}}}
	if status != http.StatusForbidden { // it is never a scope that is missing here
		advise(w.Header(), status, response.Errors)
	}
	body, err := response.MarshalJSON()
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(broken)
	}
	_ = send(w, as, status, body) // an error means that the client has gone
}

// refusal is the answer to an ill-formed request: a status whatever the media type, and a message that quotes nothing.
type refusal struct {
	status  int
	message string

	header, value string // what to send instead, for a machine; may be empty

	code fault.Code // empty: BAD_USER_INPUT
}

// Error returns the message.
func (f *refusal) Error() string { return f.message }

// response returns the refusal as GraphQL's response.
func (f *refusal) response(requestID string) *operation.Response {
	extensions := map[string]any{"code": string(cmp.Or(f.code, fault.BadUserInput))}
	if requestID != "" {
		extensions["requestId"] = requestID
	}
	return &operation.Response{
		Stage:  operation.Refused,
		Errors: []*operation.Error{{Message: f.message, Extensions: extensions}},
	}
}

func (f *refusal) advise(header http.Header) {
	if f.header != "" {
		header.Set(f.header, f.value)
	}
}
