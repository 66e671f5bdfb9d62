package graph_test

import (
	"strings"
	"testing"

	"gatehouse/graph/graphtest"
	"gatehouse/internal/operation"
)

const canary = "hunter2-canary"

// TestCanary sends a secret with everything that can go well or wrong below HTTP. It appears in no answer and in no log
// line, not even in one about a fault of the database.
func TestCanary(t *testing.T) {
	each(t, func(t *testing.T, h *graphtest.House) {
		credentials := map[string]any{"email": "ada@example.com", "password": canary}
		requests := []operation.Request{
			{Query: `mutation ($input: RegisterInput!) { register(input: $input) { user { id name } userErrors { code message } } }`},
			{Query: `mutation ($input: LoginInput!) { login(input: $input) { user { id name } userErrors { code message } } }`},
			{Query: `mutation ($input: LoginInput!) { login(input: $input) { nothing } }`},
			{Query: `mutation ($input: String!) { login(input: $input) { user { id } } }`},
			{Query: `mutation { login(input: {email: "` + canary + `", password: "` + canary + `"}) { userErrors { message } } }`},
			{Query: `mutation { register(input: {email: "` + canary + `", password: "` + canary + `"}) { userErrors { message } } }`},
			{Query: `mutation { register(input: {email: "a@b.example", username: "` + canary + ` ", name: "` + canary + `\n",
				password: "` + canary + `"}) { userErrors { message } } }`},
			{Query: `{ user(id: "` + canary + `") { id } }`},
			{Query: `{ users(after: "` + canary + `") { nodes { id } } }`},
			{Query: `{ users(after: ` + canary + `) { nodes { id } } }`},
			{Query: `{ me { id ` + strings.ReplaceAll(canary, "-", "") + ` } }`},
			{Query: `{ me { sessions(after: "` + canary + `") { nodes { id } } securityLog(after: "` + canary + `") { nodes { id } } } }`},
			{Query: `mutation { refresh(input: {refreshToken: "` + canary + `"}) { userErrors { message } } }`},
			{Query: `mutation { logout(input: {refreshToken: "` + canary + `", everywhere: true}) { userErrors { message } } }`},
			{Query: `mutation { revokeSession(input: {sessionId: "` + canary + `"}) { userErrors { message } } }`},
			{Query: `mutation { changePassword(input: {currentPassword: "` + canary + `", newPassword: "` + canary + `"})
				{ userErrors { message } } }`},
			{Query: `mutation { changePassword(input: {currentPassword: "a long enough secret", newPassword: "` + canary + `"})
				{ userErrors { message } } }`},
		}
		_, accessToken := h.Register(t, "eve@example.com")
		ask := func(phase string) {
			for _, req := range requests {
				for _, token := range []string{"", accessToken} {
					req.Variables = map[string]any{"input": credentials}
					response := h.Ask(t.Context(), token, req)
					body, err := response.MarshalJSON()
					must(t, err)
					if strings.Contains(string(body), "hunter2") {
						t.Errorf("%s: %s is answered with %s", phase, req.Query, body)
					}
				}
			}
		}
		ask("in good health")
		for _, table := range []string{"audit_entries", "account_roles", "sessions", "accounts"} {
			_, err := h.DB.Conn(t.Context()).NewRaw("ALTER TABLE " + table + " RENAME TO lost_" + table).Exec(t.Context())
			must(t, err)
			ask("without " + table)
		}
		if text := h.Log.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "a resolver failed") {
			t.Errorf("the log has the password, or nothing at all:\n%s", text)
		}
	})
}
