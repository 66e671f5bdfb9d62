package web

import (
	"mime"
	"net/http"
	"time"

	"gatehouse/internal/fault"
	"gatehouse/internal/gqlhttp"
	"gatehouse/internal/origin"
	"gatehouse/internal/session"
)

const (
	// refreshCookie holds a refresh token. The prefix makes browsers insist on Secure, on the path / and on no Domain, so that no
	// other host can set it (RFC 6265bis section 4.1.3.2).
	refreshCookie = "__Host-gatehouse-refresh"

	// sessionHeader says how a client keeps its session, in one of the words below.
	sessionHeader = "Gatehouse-Session"
	byCookie      = "cookie" // its refresh token in a cookie
	byBearer      = "bearer" // its refresh token itself, as an argument of refresh and in the answers
)

// The ways in which a request cannot use the cookie.
var (
	errSessionHeader = &fault.Error{
		Code: fault.BadUserInput, Message: "The header " + sessionHeader + " is \"" + byCookie + "\" or \"" + byBearer + "\".",
	}
	errNoCookies = &fault.Error{
		Code: fault.BadUserInput, Message: "This server keeps no sessions in cookies: leave " + sessionHeader +
			" out, or set its setting COOKIE_MODE to true.",
	}
	errNotPost = &fault.Error{
		Code: fault.BadUserInput, Message: "A session in a cookie begins, goes on and ends with a POST request of its own.",
	}
	errSimple = &fault.Error{
		Code: fault.BadUserInput, Message: "Send \"Content-Type: application/json\", or the header Apollo-Require-Preflight: " +
			"a page of another origin cannot do that unasked.",
	}
	errOtherSite = &fault.Error{
		Code: fault.BadUserInput, Message: "This page is of another site than the server, and its browser would not keep the " +
			"cookie: send \"" + sessionHeader + ": " + byBearer + "\", or open the page at a host of the server's site.",
	}
	errBegun = &fault.Error{
		Code: fault.BadUserInput, Message: "No cookie can be set while an answer streams: ask for a plain one.",
	}
	errTwoTokens = &fault.Error{
		Code: fault.BadUserInput, Message: "There are two refresh tokens, one in the cookie: leave the argument out, or send \"" +
			sessionHeader + ": " + byBearer + "\".",
	}
	errTwoCookies = &fault.Error{Code: fault.BadUserInput, Message: "There are two cookies with a refresh token: send one."}
)

// carried lets clients have their refresh tokens kept in a cookie, where the server offers that and unless the client says that
// it keeps them itself. Nothing else looks at the cookie: it opens no field of the schema.
func carried(cfg Config, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chosen := r.Header[sessionHeader]
		switch {
		case len(chosen) > 1, len(chosen) == 1 && chosen[0] != byCookie && chosen[0] != byBearer:
			gqlhttp.Refuse(w, r, http.StatusBadRequest, errSessionHeader)
		case len(chosen) == 1 && chosen[0] == byBearer, len(chosen) == 0 && !cfg.Cookies:
			next.ServeHTTP(w, r)
		case !cfg.Cookies:
			gqlhttp.Refuse(w, r, http.StatusBadRequest, errNoCookies)
		case foreign(cfg.Origins, r):
			gqlhttp.Refuse(w, r, http.StatusForbidden, errForeign)
		default:
			c := &carrier{w: w, r: r, now: cfg.Now}
			next.ServeHTTP(w, r.WithContext(session.WithCarrier(r.Context(), c)))
		}
	})
}

// foreign reports whether the request comes from a page that may not use the cookie. SameSite keeps the cookie from most of them,
// but not from those of a neighbour: of another host below the same domain. A request from no page at all may, since nobody can
// be tricked into sending it: it has neither of the headers that browsers set and pages cannot.
func foreign(allowed origin.Policy, r *http.Request) bool {
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site == "same-origin":
		return false // also where a proxy has changed the Host
	case len(r.Header["Origin"]) == 0:
		return site != "" && site != "none"
	default:
		return len(r.Header["Origin"]) > 1 || !allowed.Allows(r.Header["Origin"][0], r.Host)
	}
}

// carrier keeps the refresh token of one request's client in the cookie. It implements [session.Carrier].
type carrier struct {
	w    http.ResponseWriter
	r    *http.Request
	now  func() time.Time
	next *string // what the cookie will hold after this request; nil: what it holds now
}

// Ready refuses a request that a page of another origin can have sent without a preflight, in which its browser would have asked
// us, and one whose answer can set no cookie: none any more, or, since the cookie is SameSite=Strict, none for this page.
func (c *carrier) Ready() error {
	x, ok := c.w.(*exchange)
	switch {
	case c.r.Method != http.MethodPost:
		return errNotPost
	case !preflighted(c.r.Header):
		return errSimple
	case c.r.Header.Get("Sec-Fetch-Site") == "cross-site":
		return errOtherSite
	case !ok || x.status != 0:
		return errBegun
	}
	return nil
}

// preflighted reports whether a browser asks before it sends such a request to another origin.
func preflighted(h http.Header) bool {
	for _, name := range []string{"Apollo-Require-Preflight", "X-Apollo-Operation-Name", sessionHeader} {
		if h.Get(name) != "" {
			return true
		}
	}
	if len(h["Content-Type"]) != 1 {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(h["Content-Type"][0])
	return err == nil && mediaType == "application/json"
}

// Presented returns the refresh token of the cookie, or the argument where there is no cookie.
func (c *carrier) Presented(argument string) (string, error) {
	if err := c.Ready(); err != nil {
		return "", err
	}
	var held string
	switch cookies := c.r.CookiesNamed(refreshCookie); {
	case c.next != nil:
		held = *c.next
	case len(cookies) > 1:
		return "", errTwoCookies
	case len(cookies) == 1:
		held = cookies[0].Value
	}
	switch {
	case held == "":
		return argument, nil
	case argument != "":
		return "", errTwoTokens
	default:
		return held, nil
	}
}

// Keep puts the refresh token into the cookie, for as long as the session lives unless it is refreshed before.
func (c *carrier) Keep(t session.Tokens) session.Tokens {
	c.set(t.Refresh.Reveal(), int(t.RefreshExpiresAt.Sub(c.now()).Seconds()))
	t.Refresh = session.RefreshToken{}
	return t
}

// Drop makes the browser forget the cookie.
func (c *carrier) Drop() { c.set("", 0) }

// set sets the cookie, for some seconds; for none it goes.
func (c *carrier) set(value string, seconds int) {
	if seconds <= 0 {
		seconds = -1 // what http.Cookie calls Max-Age=0
	}
	cookie := http.Cookie{
		Name: refreshCookie, Value: value, Path: "/", MaxAge: seconds,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	// One cookie of a name (RFC 6265 section 4.1.1): the last is what the browser keeps.
	c.w.Header().Set("Set-Cookie", cookie.String())
	c.next = &value
}

var _ session.Carrier = (*carrier)(nil)
