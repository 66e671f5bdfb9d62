package graph_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"gatehouse/graph/graphtest"
	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
	"gatehouse/internal/session"
)

// pouch is a carrier that writes down what is asked of it.
type pouch struct {
	held    string
	unready error
	did     []string
}

func (p *pouch) Ready() error { return p.unready }

func (p *pouch) Presented(argument string) (string, error) {
	if p.unready != nil {
		return "", p.unready
	}
	if p.held != "" {
		return p.held, nil
	}
	return argument, nil
}

func (p *pouch) Keep(t session.Tokens) session.Tokens {
	p.held = t.Refresh.Reveal()
	p.did = append(p.did, "keep")
	t.Refresh = session.RefreshToken{}
	return t
}

func (p *pouch) Drop() {
	p.held = ""
	p.did = append(p.did, "drop")
}

// ask executes an operation whose refresh token the pouch carries, and returns the answer and what was done to the pouch.
func (p *pouch) ask(t *testing.T, ctx context.Context, h *graphtest.House, token, query string) (body, did string) {
	t.Helper()
	p.did = nil
	response := h.Ask(session.WithCarrier(ctx, p), token, operation.Request{Query: query})
	text, err := response.MarshalJSON()
	must(t, err)
	return string(text), fmt.Sprint(p.did)
}

// The mutations that bring tokens, and that take one.
const (
	carriedTokens   = ` { tokens { accessToken refreshToken } userErrors { code } } }`
	carriedRegister = `mutation { register(input: {email: "ada@example.com", password: "a long enough secret"})` + carriedTokens
	carriedLogin    = `mutation { login(input: {email: "ada@example.com", password: "a long enough secret"})` + carriedTokens
	carriedChange   = `mutation { changePassword(input: {currentPassword: "a long enough secret",
		newPassword: "another secret, as long"})` + carriedTokens
	carriedRefresh = `mutation { refresh` + carriedTokens
	carriedLogout  = `mutation { logout { endedSessions userErrors { code } } }`
)

// TestCarrier: whoever opens or prolongs a session gives its refresh token to the carrier, once and on success alone; only a
// logout takes it away.
func TestCarrier(t *testing.T) {
	each(t, func(t *testing.T, h *graphtest.House) {
		p := new(pouch)
		expect := func(ctx context.Context, token, query, body, did string) string {
			t.Helper()
			before := p.held
			gotBody, gotDid := p.ask(t, ctx, h, token, query)
			if !strings.Contains(gotBody, body) || gotDid != did {
				t.Errorf("%s: %s and %s, want %s and %s", query, gotBody, gotDid, body, did)
			}
			for _, secret := range []string{before, p.held} {
				if secret != "" && strings.Contains(gotBody, secret) {
					t.Errorf("%s: the answer has the refresh token: %s", query, gotBody)
				}
			}
			return gotBody
		}
		const withoutToken = `"refreshToken":null`
		expect(t.Context(), "", carriedRegister, withoutToken, "[keep]")
		expect(t.Context(), "", carriedRegister, "EMAIL_TAKEN", "[]")
		expect(t.Context(), "", strings.Replace(carriedLogin, "long enough", "wrong", 1), "INVALID_CREDENTIALS", "[]")
		_, token, _ := strings.Cut(expect(t.Context(), "", carriedLogin, withoutToken, "[keep]"), `"accessToken":"`)
		token, _, _ = strings.Cut(token, `"`)
		first := p.held
		expect(t.Context(), "", carriedRefresh, withoutToken, "[keep]")
		if p.held == first {
			t.Error("the refresh token was not replaced")
		}
		expect(t.Context(), token, strings.Replace(carriedChange, "a long enough", "a wrong", 1), "INVALID_CREDENTIALS", "[]")
		expect(t.Context(), token, carriedChange, withoutToken, "[keep]")

		late, cancel := context.WithTimeout(t.Context(), -1)
		defer cancel()
		expect(late, "", carriedRefresh, `"code":"SERVICE_UNAVAILABLE"`, "[]")
		expect(late, "", carriedLogout, `"code":"SERVICE_UNAVAILABLE"`, "[]")

		last := p.held
		expect(t.Context(), "", carriedLogout, `"endedSessions":1`, "[drop]")
		p.held = last
		expect(t.Context(), "", carriedRefresh, "INVALID_REFRESH_TOKEN", "[]")
		expect(t.Context(), "", carriedLogout, `"endedSessions":0`, "[drop]")
		p.held = "ghrt_forged"
		expect(t.Context(), "", carriedRefresh, "INVALID_REFRESH_TOKEN", "[]")
		expect(t.Context(), "", carriedLogout, "INVALID_REFRESH_TOKEN", "[drop]")
		expect(t.Context(), "", carriedLogout, `"code":"UNAUTHENTICATED"`, "[]")
	})
}

// TestNothingHappensWithoutTheCarrier: a refresh token that cannot be delivered must not be made, and none be used up.
func TestNothingHappensWithoutTheCarrier(t *testing.T) {
	each(t, func(t *testing.T, h *graphtest.House) {
		_, token := h.Register(t, "ada@example.com")
		before := h.Statements("sessions") + h.Statements("accounts")
		p := &pouch{held: "ghrt_some", unready: &fault.Error{Code: fault.BadUserInput, Message: "Not this way."}}
		for _, query := range []string{carriedRegister, carriedLogin, carriedRefresh, carriedChange, carriedLogout} {
			if body, did := p.ask(t, t.Context(), h, token, query); did != "[]" || !strings.Contains(body, `"message":"Not this way."`) ||
				!strings.Contains(body, `"code":"BAD_USER_INPUT"`) {
				t.Errorf("%s: %s, %s", query, body, did)
			}
		}
		if after := h.Statements("sessions") + h.Statements("accounts"); after != before {
			t.Errorf("%d statements", after-before)
		}
	})
}
