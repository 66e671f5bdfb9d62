package gqlhttp

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/operation"
)

// The refusals of a request whose URL is not well-formed.
var (
	errLongURL = &refusal{
		status: http.StatusRequestURITooLong, message: "The URL is too long: send the request with POST, its document in the body.",
	}
	errURL           = malformed("The parameters in the URL must be percent-encoded UTF-8.")
	errParameters    = malformed("A parameter is in the URL twice.")
	errParameterJSON = malformed("The parameters \"variables\" and \"extensions\" must be JSON, percent-encoded.")
)

// maxURL is how many bytes of parameters a URL may have: what RFC 9110 section 4.1 recommends at least, and no more than the
// server, which bounds URL and header together, lets through beside the longest access token.
const maxURL = 8 << 10

// parameters are what a request can have in its URL.
var parameters = []string{"query", "operationName", "variables", "extensions", "documentId"}

// readURL reads a request from the parameters of its URL, for GET and HEAD. Parameters of other names are passed over.
//
// A page of any origin can make a browser send such a request without asking first. It can do no harm: what comes this way is
// ReadOnly, so that no mutation runs, and nothing else has a side effect; no cookie says who is asking, since the only one there
// may be is read by mutations alone; and without CORS the page does not see the answer.
func (s *scratch) readURL(raw string) (operation.Request, *refusal) {
	if len(raw) > maxURL {
		return operation.Request{}, errLongURL
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return operation.Request{}, errURL
	}
	req := operation.Request{ReadOnly: true}
	for _, name := range parameters {
		given, ok := values[name]
		if !ok {
			continue
		}
		if len(given) > 1 {
			return operation.Request{}, errParameters
		}
		if refused := s.parameter(name, given[0], &req); refused != nil {
			return operation.Request{}, refused
		}
	}
	if req.Query == "" && req.Hash == (operation.Digest{}) {
		return operation.Request{}, errNoQuery
	}
	return req, nil
}

// parameter reads a parameter of the URL. Two of them are JSON; the others are themselves.
func (s *scratch) parameter(name, text string, req *operation.Request) *refusal {
	switch {
	case !utf8.ValidString(text):
		return errURL
	case strings.ContainsFunc(text, forbidden):
		return errControl
	}
	switch name {
	case "query":
		req.Query = text
	case "operationName":
		req.OperationName = text
	case "documentId":
		return asRefusal(know(req, text, errDocumentID), errDocumentID)
	default:
		s.hold(text)
		s.decoder.Reset(&s.in)
		b := body{s.decoder}
		if err := b.member(name, req); err != nil {
			return asRefusal(err, errParameterJSON)
		}
		if _, err := b.ReadToken(); !errors.Is(err, io.EOF) {
			return errParameterJSON
		}
	}
	return nil
}

// asRefusal returns err if it is a refusal, else the one for any other error; nil for no error.
func asRefusal(err error, other *refusal) *refusal {
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused
	}
	return other
}
