package gqlhttp

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"os"
	"strings"

	"gatehouse/internal/operation"
)

// methods are those that are answered.
const methods = "GET, HEAD, OPTIONS, POST"

// The refusals of an ill-formed request, before its body is looked into.
var (
	errMethod = &refusal{
		status: http.StatusMethodNotAllowed, message: "Send GraphQL operations with POST, or queries with GET.",
		header: "Allow", value: methods,
	}
	errNotAcceptable = &refusal{
		status:  http.StatusNotAcceptable,
		message: "Accept " + typeStrict + " or " + typeJSON + ": there are answers of no other type.",
	}
	errContentType = &refusal{
		status:  http.StatusUnsupportedMediaType,
		message: "Send the request as JSON: \"Content-Type: " + typeJSON + "\", in UTF-8.",
		header:  "Accept", value: typeJSON,
	}
	errEncoding = &refusal{
		status: http.StatusUnsupportedMediaType, message: "Send the body as it is: no Content-Encoding is understood.",
		header: "Accept-Encoding", value: "identity",
	}
	errUnread = &refusal{status: http.StatusBadRequest, message: "The body broke off before its end."}
	errSlow   = &refusal{status: http.StatusRequestTimeout, message: "The body took too long to arrive."}
)

// read reads the request: first what its header says, then its body.
func (h *handler) read(w http.ResponseWriter, r *http.Request, s *scratch) (operation.Request, *refusal) {
	switch {
	case !isJSON(r.Header["Content-Type"]):
		return operation.Request{}, errContentType
	case !isPlain(r.Header["Content-Encoding"]):
		return operation.Request{}, errEncoding
	case r.ContentLength > h.maxBody:
		return operation.Request{}, h.tooLarge()
	}
	// The reader counts for itself: a chunked body announces no length, and an announced one can be wrong.
	if err := s.fill(http.MaxBytesReader(w, r.Body, h.maxBody)); err != nil {
		return operation.Request{}, h.unread(err)
	}
	return s.decode()
}

// unread says why a body could not be read to its end.
func (h *handler) unread(err error) *refusal {
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLarge:
		return h.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	default:
		return errUnread
	}
}

func (h *handler) tooLarge() *refusal {
	return &refusal{
		status:  http.StatusRequestEntityTooLarge,
		message: fmt.Sprintf("The body is larger than %d bytes: send less at once.", h.maxBody),
	}
}

// isJSON reports whether the values of the Content-Type header say JSON in UTF-8.
func isJSON(values []string) bool {
	if len(values) != 1 {
		return false
	}
	if values[0] == typeJSON {
		return true
	}
	name, parameters, err := mime.ParseMediaType(values[0])
	if err != nil || name != typeJSON {
		return false
	}
	charset, named := parameters["charset"]
	return !named || strings.EqualFold(charset, "utf-8")
}

// isPlain reports whether the values of the Content-Encoding header say that the body is as it is.
func isPlain(values []string) bool {
	for _, value := range values {
		if value = strings.TrimSpace(value); value != "" && !strings.EqualFold(value, "identity") {
			return false
		}
	}
	return true
}
