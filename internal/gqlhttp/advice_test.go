package gqlhttp

import (
	"net/http"
	"testing"

	"gatehouse/internal/operation"
)

func TestAdvise(t *testing.T) {
	t.Parallel()
	with := func(extensions ...map[string]any) []*operation.Error {
		errs := make([]*operation.Error, len(extensions))
		for i, e := range extensions {
			errs[i] = &operation.Error{Extensions: e}
		}
		return errs
	}
	forbidden := func(scopes ...[]string) map[string]any {
		return map[string]any{"code": "FORBIDDEN", "requiredScopes": scopes}
	}
	old := func(seconds int64) map[string]any {
		return map[string]any{"code": "STEP_UP_REQUIRED", "maxAge": seconds}
	}
	weak := func(level string) map[string]any { return map[string]any{"code": "STEP_UP_REQUIRED", "acr": level} }
	tests := map[string]struct {
		status        int
		errs          []*operation.Error
		header, value string
	}{
		"no errors": {
			http.StatusUnauthorized, nil,
			"WWW-Authenticate", `Bearer realm="gatehouse", error="invalid_token"`,
		},
		"no token": {
			http.StatusUnauthorized, with(map[string]any{"code": "UNAUTHENTICATED", "reason": "MISSING"}),
			"WWW-Authenticate", `Bearer realm="gatehouse"`,
		},
		"an old token": {
			http.StatusUnauthorized, with(map[string]any{"code": "UNAUTHENTICATED", "reason": "EXPIRED"}, old(300)),
			"WWW-Authenticate", `Bearer realm="gatehouse", error="invalid_token"`,
		},
		"no scopes known": {
			http.StatusForbidden, with(map[string]any{"code": "FORBIDDEN"}),
			"WWW-Authenticate", `Bearer realm="gatehouse", error="insufficient_scope"`,
		},
		"two alternatives": {
			http.StatusForbidden, with(forbidden([]string{"a", "b"}, []string{"c"})),
			"WWW-Authenticate", `Bearer realm="gatehouse", error="insufficient_scope", scope="a b"`,
		},
		"two fields": {
			http.StatusForbidden, with(forbidden([]string{"a", "b"}), forbidden([]string{"b", "c"})),
			"WWW-Authenticate", `Bearer realm="gatehouse", error="insufficient_scope", scope="a b c"`,
		},
		"one of two is hopeless": {
			http.StatusForbidden, with(forbidden([]string{"a"}), map[string]any{"code": "FORBIDDEN"}),
			"WWW-Authenticate", `Bearer realm="gatehouse", error="insufficient_scope"`,
		},
		"stepping up would not be enough": {
			http.StatusForbidden, with(old(300), forbidden([]string{"a"})),
			"WWW-Authenticate", `Bearer realm="gatehouse", error="insufficient_scope", scope="a"`,
		},
		"signed in too long ago": {
			http.StatusUnauthorized, with(old(300)),
			"WWW-Authenticate", `Bearer realm="gatehouse", error="insufficient_user_authentication", max_age="300"`,
		},
		"signed in too weakly": {
			http.StatusUnauthorized, with(weak("mfa")),
			"WWW-Authenticate", `Bearer realm="gatehouse", error="insufficient_user_authentication", acr_values="mfa"`,
		},
		"the strictest of each": {
			http.StatusUnauthorized, with(old(300), weak("mfa"), old(60), weak("pwd"), old(900)),
			"WWW-Authenticate",
			`Bearer realm="gatehouse", error="insufficient_user_authentication", acr_values="mfa", max_age="60"`,
		},
		"the longest wait": {
			http.StatusServiceUnavailable, with(map[string]any{"retryAfter": int64(2)}, map[string]any{"retryAfter": int64(7)}),
			"Retry-After", "7",
		},
		"no wait known": {
			http.StatusServiceUnavailable, nil,
			"Retry-After", "1",
		},
		"success": {
			http.StatusOK, nil,
			"WWW-Authenticate", "",
		},
	}
	for name, test := range tests {
		header := http.Header{}
		advise(header, test.status, test.errs)
		if got := header.Get(test.header); got != test.value {
			t.Errorf("%s: %s is %q, want %q", name, test.header, got, test.value)
		}
		if test.value == "" && len(header) > 0 {
			t.Errorf("%s: unasked headers %v", name, header)
		}
	}
}

// TestDenial: what has to be put right first decides on the status.
func TestDenial(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		codes []string
		want  int
	}{
		"nobody":                  {[]string{"UNAUTHENTICATED"}, http.StatusUnauthorized},
		"no scope":                {[]string{"FORBIDDEN"}, http.StatusForbidden},
		"too long ago":            {[]string{"STEP_UP_REQUIRED", "STEP_UP_REQUIRED"}, http.StatusUnauthorized},
		"too long ago, no scope":  {[]string{"STEP_UP_REQUIRED", "FORBIDDEN"}, http.StatusForbidden},
		"no scope, too long ago":  {[]string{"FORBIDDEN", "STEP_UP_REQUIRED"}, http.StatusForbidden},
		"nobody, behind the rest": {[]string{"FORBIDDEN", "STEP_UP_REQUIRED", "UNAUTHENTICATED"}, http.StatusUnauthorized},
		"unknown":                 {[]string{"SOMETHING"}, http.StatusForbidden},
		"nothing":                 {nil, http.StatusForbidden},
	} {
		response := &operation.Response{Stage: operation.Denied}
		for _, code := range test.codes {
			response.Errors = append(response.Errors, &operation.Error{Extensions: map[string]any{"code": code}})
		}
		if got := strict.status(response); got != test.want {
			t.Errorf("%s: status %d, want %d", name, got, test.want)
		}
		for _, as := range []media{legacy, unnamed} {
			if got := as.status(response); got != http.StatusOK {
				t.Errorf("%s: status %d in %v, want 200", name, got, as.contentType())
			}
		}
	}
}
