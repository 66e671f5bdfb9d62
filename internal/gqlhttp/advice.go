package gqlhttp

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
)

// retrySoon is the Retry-After of an error that does not know how long, in seconds.
const retrySoon = 1

// denial returns the code that an answer of denials has on the whole: what has to be put right first. Whoever is nobody has to
// sign in; whoever lacks a scope would sign in again in vain.
func denial(errs []*operation.Error) fault.Code {
	for _, code := range []fault.Code{fault.Unauthenticated, fault.Forbidden, fault.StepUpRequired} {
		if slices.ContainsFunc(errs, func(e *operation.Error) bool { return e.Extensions["code"] == string(code) }) {
			return code
		}
	}
	return ""
}

// advise tells a client that reads no body what would help: how to authenticate, which scope it takes, when to come back.
func advise(header http.Header, status int, errs []*operation.Error) {
	switch status {
	case http.StatusUnauthorized:
		challenge := auth.Challenge(fault.Reason(extension(errs, "reason")))
		if denial(errs) == fault.StepUpRequired {
			challenge = auth.Realm + stepUp(errs)
		}
		header.Set("WWW-Authenticate", challenge)
	case http.StatusForbidden:
		challenge := auth.Realm + `, error="insufficient_scope"`
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

// stepUp returns the parameters of a challenge to prove again who one is, as RFC 9470 section 3 has them: recently enough and
// well enough for every error.
func stepUp(errs []*operation.Error) string {
	maxAge, level := int64(0), auth.LevelNone
	for _, e := range errs {
		if seconds, ok := e.Extensions["maxAge"].(int64); ok && (maxAge == 0 || seconds < maxAge) {
			maxAge = seconds
		}
		if name, ok := e.Extensions["acr"].(string); ok {
			asked, _ := auth.ParseLevel(name)
			level = max(level, asked)
		}
	}
	parameters := `, error="insufficient_user_authentication"`
	if level > auth.LevelNone {
		parameters += `, acr_values="` + level.String() + `"`
	}
	if maxAge > 0 {
		parameters += `, max_age="` + strconv.FormatInt(maxAge, 10) + `"`
	}
	return parameters
}

// requiredScopes returns the scopes that would do for every FORBIDDEN among the errors: of each its first alternative, since the
// header knows no "or". It returns none where for one of them no scope would.
func requiredScopes(errs []*operation.Error) []string {
	var scopes []string
	for _, e := range errs {
		if e.Extensions["code"] != string(fault.Forbidden) {
			continue
		}
		alternatives, _ := e.Extensions["requiredScopes"].([][]string)
		if len(alternatives) == 0 {
			return nil
		}
		for _, scope := range alternatives[0] {
			if !slices.Contains(scopes, scope) {
				scopes = append(scopes, scope)
			}
		}
	}
	return scopes
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
