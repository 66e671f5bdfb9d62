package gqlhttp

import (
	"net/http"
	"strconv"
	"strings"

	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
)

// realm names what an access token opens (RFC 6750 section 3).
const realm = `Bearer realm="gatehouse"`

// retrySoon is the Retry-After of an error that does not know how long, in seconds.
const retrySoon = 1

// advise tells a client that reads no body what would help: how to authenticate, which scope it takes, when to come back.
func advise(header http.Header, status int, errs []*operation.Error) {
	switch status {
	case http.StatusUnauthorized:
		challenge := realm
		if extension(errs, "reason") != string(fault.Missing) {
			challenge += `, error="invalid_token"`
		}
		header.Set("WWW-Authenticate", challenge)
	case http.StatusForbidden:
		challenge := realm + `, error="insufficient_scope"`
		if scopes := requiredScopes(errs); len(scopes) > 0 {
			challenge += `, scope="` + strings.Join(scopes, " ") + `"`
		}
		header.Set("WWW-Authenticate", challenge)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", strconv.FormatInt(retryAfter(errs), 10))
	}
}

// extension returns a text among the first error's extensions; empty where there is none.
func extension(errs []*operation.Error, name string) string {
	if len(errs) == 0 {
		return ""
	}
	text, _ := errs[0].Extensions[name].(string)
	return text
}

// requiredScopes returns the scopes that would do for the first error: its first alternative, since the header knows no "or".
func requiredScopes(errs []*operation.Error) []string {
	if len(errs) == 0 {
		return nil
	}
	alternatives, _ := errs[0].Extensions["requiredScopes"].([][]string)
	if len(alternatives) == 0 {
		return nil
	}
	return alternatives[0]
}

// retryAfter returns the longest wait that an error asks for, in seconds.
func retryAfter(errs []*operation.Error) int64 {
	longest := int64(retrySoon)
	for _, e := range errs {
		if seconds, ok := e.Extensions["retryAfter"].(int64); ok {
			longest = max(longest, seconds)
		}
	}
	return longest
}
