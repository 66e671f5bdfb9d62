package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"gatehouse/internal/fault"
	"gatehouse/internal/gqlhttp"
	"gatehouse/internal/id"
)

// maxOperationName is how many bytes of an operation's name the log repeats.
const maxOperationName = 64

// logged writes one line for each request, once it is over.
func logged(cfg Config, next step) step {
	return func(x *exchange, r *http.Request) {
		defer logExchange(r.Context(), cfg, x, r.Method, cfg.Now())
		next(x, r)
	}
}

func logExchange(ctx context.Context, cfg Config, x *exchange, method string, start time.Time) {
	level := slog.LevelInfo
	if x.status < http.StatusBadRequest && (x.route == healthPath || x.route == readyPath) {
		level = slog.LevelDebug // a probe that finds all well
	}
	if cfg.Logger.Enabled(ctx, level) {
		cfg.Logger.LogAttrs(ctx, level, "request", x.attributes(method, cfg.Now().Sub(start))...)
	}
}

// attributes returns what the access log says of the exchange.
func (x *exchange) attributes(method string, took time.Duration) []slog.Attr {
	attributes := make([]slog.Attr, 0, 8)
	attributes = append(attributes,
		slog.String("method", knownMethod(method)),
		slog.String("route", x.route),
		slog.Int("status", cmp.Or(x.status, http.StatusOK)), // what net/http sends for a handler that says nothing
		slog.Float64("ms", float64(took.Microseconds())/1e3),
		slog.Int64("bytes", x.bytes),
	)
	if x.operation.Type != "" {
		attributes = append(attributes, slog.String("type", x.operation.Type))
	}
	if x.operation.Name != "" {
		attributes = append(attributes, slog.String("operation", cutText(x.operation.Name, maxOperationName)))
	}
	if x.account != (id.ID{}) {
		attributes = append(attributes, slog.String("account", x.account.String()))
	}
	return attributes
}

// knownMethod returns method where HTTP knows it. Any other word is the client's own, and stays out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	default:
		return "other"
	}
}

// recovered answers a panic further in with INTERNAL_SERVER_ERROR; or, where the answer has begun, ends the connection so
// that nobody takes half an answer for a whole one.
func recovered(cfg Config, next step) step {
	return func(x *exchange, r *http.Request) {
		defer answerPanic(cfg.Logger, x, r)
		next(x, r)
	}
}

// answerPanic must be deferred itself: recover works nowhere else.
func answerPanic(logger *slog.Logger, x *exchange, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	logPanic(r.Context(), logger, x, cause)
	if x.status != 0 {
		panic(http.ErrAbortHandler)
	}
	x.Header().Del("Content-Length")
	gqlhttp.Refuse(x, r, http.StatusInternalServerError, &fault.Error{Code: fault.Internal, Message: fault.InternalMessage})
}

// logPanic logs where it happened and what kind of thing was thrown. Only the runtime's own words are repeated: other
// values may hold what a client sent.
func logPanic(ctx context.Context, logger *slog.Logger, x *exchange, cause any) {
	kind := fmt.Sprintf("%T", cause)
	if err, ok := cause.(runtime.Error); ok {
		kind = err.Error()
	}
	logger.LogAttrs(ctx, slog.LevelError, "panic", slog.String("route", x.route), slog.String("panic", kind),
		slog.String("stack", string(debug.Stack())))
}

// secured sets the headers that every response carries. Answers are about one caller and often hold tokens, so nobody may
// store them; and no answer but the front page needs anything of a browser.
func secured(cfg Config, next step) step {
	type header struct {
		name   string
		values []string
	}
	headers := []header{
		{"Cache-Control", []string{"no-store"}},
		{"Content-Security-Policy", []string{"default-src 'none'; frame-ancestors 'none'"}},
		{"Cross-Origin-Opener-Policy", []string{"same-origin"}},
		{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
		{"Referrer-Policy", []string{"no-referrer"}},
		{"X-Content-Type-Options", []string{"nosniff"}},
		{"X-Frame-Options", []string{"DENY"}},
	}
	if strings.HasPrefix(cfg.URL, "https://") {
		headers = append(headers, header{"Strict-Transport-Security", []string{"max-age=31536000"}})
	}
	return func(x *exchange, r *http.Request) {
		// The values are shared between responses: setting a header replaces the slice, and adding to one grows a copy.
		h := x.Header()
		for _, header := range headers {
			h[header.name] = header.values
		}
		next(x, r)
	}
}
