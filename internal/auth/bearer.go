package auth

import (
	"net/http"
	"strings"

	"gatehouse/internal/fault"
)

// MaxCredential is the length in bytes beyond which a credential is not looked at: of an Authorization header, and of the
// token in it. It keeps whatever is done to a credential later from costing more than its sender.
const MaxCredential = 8 << 10

// Realm begins every challenge that asks for an access token; it names what one opens (RFC 6750 section 3).
const Realm = `Bearer realm="gatehouse"`

// Challenge returns the WWW-Authenticate header for whoever is refused because they are nobody: with an error code only where
// a credential was sent (RFC 6750 section 3.1).
func Challenge(reason fault.Reason) string {
	if reason == fault.Missing {
		return Realm
	}
	return Realm + `, error="invalid_token"`
}

// Bearer returns the access token in the Authorization header (RFC 6750 section 2.1; the scheme's name in any case, RFC 9110
// section 11.1).
//
// Without the header the reason is MISSING. It is INVALID for two headers, for another scheme, for one longer than
// [MaxCredential], and for what is not a b64token. A token in the query string or in the body is not looked for.
func Bearer(h http.Header) (token string, err *fault.Error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", fault.Anonymous(fault.Missing)
	}
	if len(values) > 1 || len(values[0]) > MaxCredential {
		return "", fault.Anonymous(fault.Invalid)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ") // 1*SP
	if !strings.EqualFold(scheme, "Bearer") || !isToken68(token) {
		return "", fault.Anonymous(fault.Invalid)
	}
	return token, nil
}

// isToken68 reports whether s is a b64token: one or more of ALPHA DIGIT - . _ ~ + / and then any number of =.
func isToken68(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return s != ""
}
