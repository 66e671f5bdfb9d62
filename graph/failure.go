package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	gqlerrors "github.com/graph-gophers/graphql-go/errors"

	"gatehouse/internal/fault"
	"gatehouse/internal/store"
)

// Causes of internal errors that are the engine's own. Its messages may quote a client and go no further.
var (
	errPanic      = errors.New("graph: a resolver panicked")
	errRefused    = errors.New("graph: the engine refused an operation that was found valid")
	errIncomplete = errors.New("graph: the engine could not complete the result")
)

// explain turns an error of the engine into one that may leave: what a resolver said, if that is a fault, and otherwise what
// kind of trouble it was.
func explain(err *gqlerrors.QueryError) *fault.Error {
	cause := err.ResolverError
	if cause == nil {
		cause = err.Err
	}
	if known, ok := errors.AsType[*fault.Error](cause); ok {
		return known
	}
	switch {
	case err.Rule == "OverlapValidationLimitExceeded":
		return &fault.Error{
			Code: fault.ValidationFailed, Message: "The document has too many fragments whose fields have to be compared.",
		}
	case errors.Is(cause, store.ErrUnavailable), errors.Is(cause, context.DeadlineExceeded), errors.Is(cause, context.Canceled):
		return fault.Outage(cause)
	case err.ResolverError != nil:
		return fault.From(err.ResolverError)
	case err.Rule != "":
		return fault.From(fmt.Errorf("%w: %s", errRefused, err.Rule))
	case errors.Is(cause, gqlerrors.ErrSyntax):
		return fault.From(errRefused)
	default:
		return fault.From(errIncomplete)
	}
}

// panics turns a panic in a resolver into an internal error, and logs where it happened.
type panics struct{ logger *slog.Logger }

// LogPanic logs the stack. The value stays out: it may hold what a client sent.
func (p panics) LogPanic(ctx context.Context, value any) {
	p.logger.ErrorContext(ctx, "a resolver panicked",
		"panic", fmt.Sprintf("%T", value), "stack", string(debug.Stack()))
}

// MakePanicError returns the error that takes the result's place.
func (panics) MakePanicError(context.Context, any) *gqlerrors.QueryError {
	return &gqlerrors.QueryError{Message: fault.InternalMessage, Err: fault.From(errPanic)}
}
