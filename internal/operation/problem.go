package operation

import (
	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/fault"
)

// maxErrors bounds how many errors a request that is refused or denied is answered with.
const maxErrors = 20

// problem is a reason not to execute a request.
type problem struct {
	fault     *fault.Error
	locations []Location
	path      []any
}

// reject returns a problem with one message. It must name elements of the schema only.
func reject(code fault.Code, message string, at ...*ast.Position) problem {
	p := problem{fault: &fault.Error{Code: code, Message: message}}
	for _, position := range at {
		p.locations = append(p.locations, locate(position)...)
	}
	return p
}

// locate returns the place of a position; none for what has no position.
func locate(position *ast.Position) []Location {
	if position == nil {
		return nil
	}
	return []Location{{Line: position.Line, Column: position.Column}}
}

// error returns the problem as the client sees it.
func (p problem) error(requestID string) *Error {
	extensions := p.fault.Extensions()
	if requestID != "" {
		extensions["requestId"] = requestID
	}
	return &Error{Message: p.fault.Message, Locations: p.locations, Path: p.path, Extensions: extensions}
}
