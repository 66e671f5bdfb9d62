// Package gqlhttp owns GraphQL over HTTP: from bytes to a request, from a response to bytes, and which media type and status
// say what (the GraphQL-over-HTTP specification).
//
// It must never know who may do what, and it must never repeat anything of a request: its body may hold a password anywhere.
package gqlhttp

import (
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
}

// New returns the handler that answers POST requests with what x makes of them. The caller is taken from the request's
// context, where auth put it; the operation is noted in request.Info, where that has room for it.
func New(x *operation.Executor, cfg Config) http.Handler {
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &handler{executor: x, maxBody: cfg.MaxBody, logger: cfg.Logger}
}

type handler struct {
	executor *operation.Executor
	maxBody  int64
	logger   *slog.Logger
	scratch  sync.Pool // of *scratch, what one exchange needs and the next can use again
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, ok := h.scratch.Get().(*scratch)
	if !ok {
		s = newScratch()
	}
	defer func() {
		if s.wipe() {
			h.scratch.Put(s)
		}
	}()

	as, refused := negotiate(r.Header["Accept"])
	if r.Method != http.MethodPost {
		refused = errMethod
	}
	var req operation.Request
	if refused == nil {
		req, refused = h.read(w, r, s)
	}
	if refused != nil {
		refused.advise(w.Header())
		h.write(w, r, as, refused.status, refused.response(request.FromContext(r.Context()).ID))
		return
	}
	response := h.executor.Execute(r.Context(), req)
	if asked := request.FromContext(r.Context()).Operation; asked != nil {
		asked.Name, asked.Type = response.OperationName, response.OperationType
	}
	status := as.status(response)
	advise(w.Header(), status, response.Errors)
	h.write(w, r, as, status, response)
}

// broken is the body of a response that could not be encoded.
const broken = `{"errors":[{"message":"` + fault.InternalMessage + `","extensions":{"code":"` + string(fault.Internal) + `"}}]}`

// write sends the response. Nothing else does, so that every answer carries the same headers.
func (h *handler) write(w http.ResponseWriter, r *http.Request, as media, status int, response *operation.Response) {
	body, err := response.MarshalJSON()
	if err != nil {
		h.logger.ErrorContext(r.Context(), "a response could not be encoded", "error", err)
		status, body = http.StatusInternalServerError, []byte(broken)
	}
	header := w.Header()
	header["Content-Type"] = as.contentType()
	header["Cache-Control"] = noStore
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		h.logger.DebugContext(r.Context(), "a response did not reach its client", "error", err)
	}
}

// refusal is the answer to an ill-formed request: a status whatever the media type, and a message that quotes nothing.
type refusal struct {
	status  int
	message string

	header, value string // what to send instead, for a machine; may be empty
}

// Error returns the message.
func (f *refusal) Error() string { return f.message }

// response returns the refusal as GraphQL's response.
func (f *refusal) response(requestID string) *operation.Response {
	extensions := map[string]any{"code": string(fault.BadUserInput)}
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
