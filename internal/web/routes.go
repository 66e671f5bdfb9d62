package web

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/gqlhttp"
	"gatehouse/internal/request"
	"gatehouse/internal/store"
)

// The paths that answer.
const (
	frontPath   = "/"
	graphQLPath = "/graphql"
	healthPath  = "/healthz"
	readyPath   = "/readyz"
	schemaPath  = "/schema.graphqls"
)

// ErrDraining is what [Config].Ready returns while the server finishes its last requests.
var ErrDraining = errors.New("web: draining")

// route is what answers a path.
type route struct {
	handler http.Handler
	methods []string // nil: the handler knows its own
	shared  bool     // whether pages of the allowed origins may read the answers
}

// routed sends a request to the route of its path. The table holds whole paths only, so that what the log calls a route is
// always a word of ours.
func routed(cfg Config) step {
	readers := []string{http.MethodGet, http.MethodHead}
	files := playground(cfg)
	identified := func(h http.Handler) http.Handler { return auth.Middleware(cfg.Authenticator, noteCaller(h)) }
	routes := map[string]route{
		frontPath:   {handler: front(cfg, files[playgroundPage]), methods: readers},
		graphQLPath: {handler: identified(carried(cfg, cfg.GraphQL)), shared: true},
		healthPath:  {handler: http.HandlerFunc(health), methods: readers},
		readyPath:   {handler: ready(cfg), methods: readers},
		schemaPath:  {handler: identified(schema(cfg)), methods: readers, shared: true},
	}
	if cfg.Discovery.Keys != nil {
		routes[keysPath] = route{handler: keys(cfg.Discovery), methods: readers}
		routes[discoveryPath] = route{handler: discovery(cfg), methods: readers}
	}
	pages := newSharing(cfg)
	for name, file := range files {
		if name != playgroundPage {
			routes["/"+name] = route{handler: file, methods: readers}
		}
	}
	return func(x *exchange, r *http.Request) {
		route, ok := routes[r.URL.Path]
		if !ok {
			refuse(x, r, http.StatusNotFound, "Nothing answers here. The API is at POST "+graphQLPath+".")
			return
		}
		x.route = r.URL.Path
		if route.shared && pages.admit(x, r) {
			return
		}
		if !allowed(route.methods, r.Method) {
			x.Header().Set("Allow", strings.Join(route.methods, ", "))
			refuse(x, r, http.StatusMethodNotAllowed, "This path answers "+strings.Join(route.methods, " and ")+".")
			return
		}
		route.handler.ServeHTTP(x, r)
	}
}

func allowed(methods []string, method string) bool {
	return methods == nil || slices.Contains(methods, method)
}

// noteCaller tells the access log who calls.
func noteCaller(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x, ok := w.(*exchange); ok {
			x.account = auth.FromContext(r.Context()).AccountID
		}
		next.ServeHTTP(w, r)
	})
}

// status is the body of both health routes.
type status struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"` // why not: "draining", "schema" or "database"
}

// health answers that the process lives: whoever asks should restart it when it does not answer, and only then.
func health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, status{Status: "ok"})
}

// ready answers whether requests should be sent here. Why not is told in one word; the rest is the log's.
func ready(cfg Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := cfg.Ready(r.Context())
		if err == nil {
			writeJSON(w, http.StatusOK, status{Status: "ready"})
			return
		}
		reason := "database"
		switch {
		case errors.Is(err, ErrDraining):
			reason = "draining"
		case errors.Is(err, store.ErrSchemaOlder), errors.Is(err, store.ErrSchemaNewer):
			reason = "schema"
		}
		cfg.Logger.LogAttrs(r.Context(), slog.LevelWarn, "not ready", slog.String("reason", reason), slog.Any("error", err))
		writeJSON(w, http.StatusServiceUnavailable, status{Status: "unavailable", Reason: reason})
	})
}

// schema answers with the schema as the caller may see it.
func schema(cfg Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sdl, err := cfg.Schema(auth.FromContext(r.Context()))
		if err != nil {
			refusal, code := fault.From(err), http.StatusServiceUnavailable
			if refusal.Code == fault.Unauthenticated {
				code = http.StatusUnauthorized
			}
			gqlhttp.Refuse(w, r, code, refusal)
			return
		}
		w.Header().Add("Vary", "Authorization") // another caller may see another one
		content("text/plain; charset=utf-8", sdl).ServeHTTP(w, r)
	})
}

// refuse answers a request with the reason why not.
func refuse(w http.ResponseWriter, r *http.Request, code int, message string) {
	writeJSON(w, code, struct {
		Error     string `json:"error"`
		RequestID string `json:"requestId"`
	}{message, request.FromContext(r.Context()).ID})
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // nobody puts this into a page, and people read it
	// An error here means that the client has gone, or that body is not of this package's making.
	_ = encoder.Encode(body)
}

// content answers with one text.
func content(mediaType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = io.WriteString(w, body)
	})
}
