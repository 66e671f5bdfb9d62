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
			http.StatusUnauthorized, with(map[string]any{"reason": "MISSING"}),
			"WWW-Authenticate", `Bearer realm="gatehouse"`,
		},
		"no scopes known": {
			http.StatusForbidden, with(map[string]any{}),
			"WWW-Authenticate", `Bearer realm="gatehouse", error="insufficient_scope"`,
		},
		"two alternatives": {
			http.StatusForbidden, with(map[string]any{"requiredScopes": [][]string{{"a", "b"}, {"c"}}}),
			"WWW-Authenticate", `Bearer realm="gatehouse", error="insufficient_scope", scope="a b"`,
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
