package request

import (
	"context"
	"log/slog"
)

// LogHandler returns a handler that writes with next, and gives every line that is logged in a request's context the id of
// that request, as requestId. Whoever logs passes the context on and need not think of it.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h logHandler) Handle(ctx context.Context, line slog.Record) error {
	if id := FromContext(ctx).ID; id != "" {
		line.AddAttrs(slog.String("requestId", id))
	}
	return h.Handler.Handle(ctx, line)
}

// WithAttrs implements [slog.Handler].
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
