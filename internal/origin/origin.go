// Package origin owns which web pages may talk to the server: what an origin is (RFC 6454), and whether it is one of ours.
//
// It must never trust a part of an origin: scheme, host and port are compared together, and what is not spelled as browsers
// spell it is nobody's.
package origin

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origin is where a page came from, as browsers send it (RFC 6454 section 6.2): scheme, "://", host, and the port unless it is
// the scheme's own. The zero Origin is none.
type Origin string

// The reasons why a text is no origin. They quote nothing of it.
var (
	errWhole    = errors.New("an origin is a scheme, a host and perhaps a port, such as https://app.example.com")
	errPath     = errors.New("an origin ends before the first slash of the path")
	errWildcard = errors.New("an origin is exact: no * stands for many")
	errASCII    = errors.New("an origin is ASCII: write the host as browsers send it, in Punycode (xn--...)")
)

// Parse returns the origin that text names, in the spelling of browsers: lower case, without the scheme's own port. It takes no
// path, not even a final slash, no wildcard, and not "null".
func Parse(text string) (Origin, error) {
	for i := range len(text) {
		switch c := text[i]; {
		case c == '*':
			return "", errWildcard
		case c >= 0x80:
			return "", errASCII
		case c <= ' ', c == 0x7f, c == '%', c == '\\':
			return "", errWhole
		}
	}
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", errWhole
	}
	if u.Path != "" {
		return "", errPath
	}
	host, ok := hostname(u.Hostname())
	if !ok {
		return "", errWhole
	}
	port := u.Port()
	if port == "" && strings.HasSuffix(u.Host, ":") || port != "" && !isPort(port) {
		return "", errWhole
	}
	if port == "" || port == defaultPort(u.Scheme) {
		return Origin(u.Scheme + "://" + host), nil
	}
	return Origin(u.Scheme + "://" + host + ":" + port), nil
}

// Of returns the origin of the pages at a URL; the zero Origin where it has none.
func Of(address string) Origin {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	own, err := Parse(u.Scheme + "://" + u.Host)
	if err != nil {
		return ""
	}
	return own
}

// hostname returns a host as it stands in an origin, and false for what no browser would take for one.
func hostname(host string) (string, bool) {
	if address, err := netip.ParseAddr(host); err == nil {
		if address.Zone() != "" {
			return "", false
		}
		if address.Is6() {
			return "[" + address.String() + "]", true
		}
		return address.String(), true
	}
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return "", false
		}
	}
	return host, true
}

// isPort reports whether text is a port in the one spelling that browsers have for it.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == text
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	default:
		return ""
	}
}
