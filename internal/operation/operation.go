// Package operation owns the way from a request to a response: document cache, limits, validation, the choice of an operation,
// variables, introspection, policy. What is left goes to the engine.
//
// It must never repeat anything of a request in a message or a log line, for somebody may have put a password anywhere: messages
// name elements of the schema, and places by line and column. (An error's path has the client's aliases in it, as GraphQL
// demands.)
package operation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"

	"gatehouse/internal/fault"
)

// Request is one operation to execute. The document is Query, or the one that is known by Hash; with both, Hash has to be that of
// Query, and from then on says as much as it.
type Request struct {
	Query         string
	Hash          Digest         // zero: not given
	OperationName string         // which operation of the document; empty: the only one
	Variables     map[string]any // as JSON was read, numbers as json.Number
	ReadOnly      bool           // refuse a mutation: the request came in a way that must change nothing
}

// Digest is the SHA-256 of a document's text.
type Digest [sha256.Size]byte

// Engine executes an operation that is valid and permitted. It is never given the client's text: a second parser may read
// another document in it than the one that policy judged. Request.Query is printed from the judged tree and holds that one
// operation, anonymous, its fragments where they are used, without literals of the client's, and without __schema and __type,
// which are answered before it. Every argument is a variable of the argument's own type, and Request.Variables has their coerced
// values: schema defaults filled in, Int as int32, Float as float64, String, ID and enum values as string, Boolean as bool, lists
// as []any, input objects as map[string]any, null as nil; custom scalars are string, bool, json.Number, []any or map[string]any.
// The values are shared between requests and must not be changed.
type Engine interface {
	// Execute runs a query or mutation.
	Execute(ctx context.Context, req Request) Result
	// Subscribe runs a subscription and yields what each of its events gives, until there are no more or ctx ends. It waits for
	// whoever takes them: an event is not dropped because the one before it is still on its way.
	Subscribe(ctx context.Context, req Request) iter.Seq[Result]
}

// Result is what an execution gave.
type Result struct {
	Data   json.RawMessage // a JSON object, or nil for null
	Errors []ResolverError
}

// refusal returns why nothing was executed, because the engine found that to begin would cost too much; nil where something was.
func (r Result) refusal() *fault.Error {
	if r.Data != nil || len(r.Errors) != 1 || r.Errors[0].Path != nil {
		return nil
	}
	if f := fault.From(r.Errors[0].Err); f.Code == fault.ValidationFailed {
		return f
	}
	return nil
}

// ResolverError is one error of an execution.
type ResolverError struct {
	Path []any // response path: string for a field, int for a list element; nil when it concerns the whole
	Err  error // a *fault.Error is shown as it is; anything else is masked and logged
}

// Stage says how far a request came, which is what an HTTP status depends on.
type Stage int

// The stages, from first to last.
const (
	Refused     Stage = iota // a request error: not parsed, not valid, over a limit, variables that do not fit; no data
	Denied                   // policy said no and nothing ran; no data. extensions.code tells UNAUTHENTICATED from FORBIDDEN
	Unavailable              // SERVICE_UNAVAILABLE somewhere; Data is nil when nothing ran
	Failed                   // an internal error that left no result; no data
	Executed                 // the engine ran: there is data, perhaps null, perhaps with errors beside it
)

// Response is the answer to a Request.
type Response struct {
	Data   json.RawMessage // nil where nothing ran
	Errors []*Error
	Stage  Stage

	OperationName string // of the operation that was chosen, for the access log; "" when it has none or none was chosen
	OperationType string // "query", "mutation" or "subscription"; "" when none was chosen
}

// Error is one entry of a response's errors.
type Error struct {
	Message    string         `json:"message"`
	Locations  []Location     `json:"locations,omitempty"`
	Path       []any          `json:"path,omitempty"`
	Extensions map[string]any `json:"extensions,omitempty"`
}

// Location is a place in the client's query text; both count from 1.
type Location struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// MarshalJSON writes the response as the GraphQL specification has it: errors where there are any, data where something ran.
// Called directly it saves the second pass over the data that json.Marshal makes.
func (r *Response) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(r.Data) + len(`{"data":}`) + len(r.Errors)*256)
	out.WriteByte('{')
	if len(r.Errors) > 0 {
		out.WriteString(`"errors":`)
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false) // nobody puts this into a page, and people read it
		if err := encoder.Encode(r.Errors); err != nil {
			return nil, fmt.Errorf("operation: errors of a response: %w", err)
		}
		out.Truncate(out.Len() - len("\n"))
	}
	if r.Data != nil {
		if len(r.Errors) > 0 {
			out.WriteByte(',')
		}
		out.WriteString(`"data":`)
		out.Write(r.Data)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// String returns the stage's name, for logs and tests.
func (s Stage) String() string {
	switch s {
	case Refused:
		return "refused"
	case Denied:
		return "denied"
	case Unavailable:
		return "unavailable"
	case Failed:
		return "failed"
	case Executed:
		return "executed"
	}
	return "stage " + strconv.Itoa(int(s))
}
