package web

import (
	"net/http"
	"strings"

	"gatehouse/internal/fault"
	"gatehouse/internal/gqlhttp"
	"gatehouse/internal/origin"
)

// preflightSeconds is how long a browser may remember the answer to a preflight: as long as Chromium does at most.
const preflightSeconds = "7200"

// What pages of other origins may use, beside what the Fetch standard lets everybody.
var (
	sharedMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost}
	readHeaders   = []string{requestIDHeader, "WWW-Authenticate", "Retry-After"}
	sentHeaders   = []string{
		"Authorization", "Content-Type", requestIDHeader, sessionHeader,
		"Apollo-Require-Preflight", "X-Apollo-Operation-Name",
		"Apollographql-Client-Name", "Apollographql-Client-Version", // Apollo Client sends them when it is given a name
		"Traceparent", "Tracestate", "Baggage", "Sentry-Trace", // tracers add them unasked, Sentry's to all of localhost
	}
)

// sharing tells browsers which pages may read an answer (Fetch standard, section "CORS protocol"). It keeps nobody from sending
// anything: what may be done is decided by what a request comes with.
type sharing struct {
	origins origin.Policy
	// With or without cookies. The origin is repeated in either case, so that turning them on changes nothing else.
	credentials []string

	methods, sent, read, maxAge []string
	vary, varyPreflight         []string
}

func newSharing(cfg Config) *sharing {
	s := &sharing{
		origins:       cfg.Origins,
		methods:       []string{strings.Join(sharedMethods, ", ")},
		sent:          []string{strings.Join(sentHeaders, ", ")},
		read:          []string{strings.Join(readHeaders, ", ")},
		maxAge:        []string{preflightSeconds},
		vary:          []string{"Origin"},
		varyPreflight: []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"},
	}
	if cfg.Cookies {
		s.credentials = []string{"true"}
	}
	return s
}

// admit sets the headers by which a page of an allowed origin can read the answer. It reports true when it has answered itself: a
// preflight, which is for nobody else.
func (s *sharing) admit(w http.ResponseWriter, r *http.Request) (answered bool) {
	h := w.Header()
	preflight := r.Method == http.MethodOptions && r.Header["Origin"] != nil && r.Header["Access-Control-Request-Method"] != nil
	if preflight {
		h["Vary"] = s.varyPreflight
	} else {
		h["Vary"] = s.vary // also where there is no origin: a cache must not give this answer to a page
	}
	if from := r.Header["Origin"]; len(from) == 1 && s.origins.Allows(from[0], r.Host) {
		h["Access-Control-Allow-Origin"] = from
		if s.credentials != nil {
			h["Access-Control-Allow-Credentials"] = s.credentials
		}
		if preflight {
			h["Access-Control-Allow-Methods"] = s.methods
			h["Access-Control-Allow-Headers"] = s.sent
			h["Access-Control-Max-Age"] = s.maxAge
			w.WriteHeader(http.StatusNoContent)
			return true
		}
		h["Access-Control-Expose-Headers"] = s.read
	} else if preflight {
		gqlhttp.Refuse(w, r, http.StatusForbidden, errForeign)
		return true
	}
	return false
}

// errForeign is for pages, so it is the person who develops one that reads it, among the browser's requests.
var errForeign = &fault.Error{
	Code:    fault.Forbidden,
	Message: "Pages of this origin may not use the server: add the origin to its setting CORS_ORIGINS.",
}
