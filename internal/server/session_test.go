package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/store/storetest"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) " +
		"Version/18.5 Mobile/15E148 Safari/604.1"
)

// visitor is a program that somebody uses, and what it holds of their session.
type visitor struct {
	server          *testServer
	agent           string // its user agent
	access, refresh string
}

// ask sends a request as a visitor's program does, with its access token if it holds one.
func (v *visitor) ask(t *testing.T, query string, input map[string]any) answer {
	t.Helper()
	return v.send(t, v.access, query, input)
}

// send is ask with an access token of choice; empty for none.
func (v *visitor) send(t *testing.T, access, query string, input map[string]any) answer {
	t.Helper()
	request := map[string]any{"query": query}
	if input != nil {
		request["variables"] = map[string]any{"input": input}
	}
	payload, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	headers := []string{
		"Content-Type: application/json", "Accept: application/graphql-response+json", "User-Agent: " + v.agent,
	}
	if access != "" {
		headers = append(headers, "Authorization: Bearer "+access)
	}
	return v.server.send(t, http.MethodPost, "/graphql", string(payload), headers...)
}

// take keeps the tokens that the payload of a mutation has.
func (v *visitor) take(t *testing.T, got answer, mutation string) {
	t.Helper()
	access, _ := got.at(mutation, "tokens", "accessToken").(string)
	refresh, _ := got.at(mutation, "tokens", "refreshToken").(string)
	if access == "" || refresh == "" {
		t.Fatalf("%s: %s", mutation, got.Body)
	}
	v.access, v.refresh = access, refresh
}

const payloadWithTokens = ` { user { id } tokens { accessToken refreshToken } userErrors { code field } } }`

// mutate sends a mutation whose payload has tokens, and keeps them.
func (v *visitor) mutate(t *testing.T, name string, input map[string]any) {
	t.Helper()
	v.take(t, v.ask(t, mutation(name), input), name)
}

func mutation(name string) string {
	return `mutation ($input: ` + strings.ToUpper(name[:1]) + name[1:] + `Input!) { ` + name + `(input: $input)` + payloadWithTokens
}

func (s *testServer) registered(t *testing.T, agent, email string) *visitor {
	t.Helper()
	v := &visitor{server: s, agent: agent}
	v.mutate(t, "register", map[string]any{"email": email, "password": goodPassword})
	return v
}

func (s *testServer) loggedIn(t *testing.T, agent, email, password string) *visitor {
	t.Helper()
	v := &visitor{server: s, agent: agent}
	v.mutate(t, "login", map[string]any{"email": email, "password": password})
	return v
}

// expect checks what me answers a visitor: the reason for being refused, or empty where they are not.
func (v *visitor) expect(t *testing.T, want string) {
	t.Helper()
	got := v.ask(t, meQuery, nil)
	reason := ""
	if got.code() != "" {
		reason, _ = got.Errors[0].Extensions["reason"].(string)
	}
	status := http.StatusOK
	if want != "" {
		status = http.StatusUnauthorized
	}
	if reason != want || got.Status != status {
		t.Errorf("me: %d %s, want the reason %q", got.Status, got.Body, want)
	}
}

// refuses checks that a mutation has exactly one user error.
func refuses(t *testing.T, got answer, mutation, code, field string) {
	t.Helper()
	want := fmt.Sprintf(`"userErrors":[{"code":%q,"field":["input",%q]}]`, code, field)
	if !strings.Contains(got.Body, want) || got.at(mutation) == nil {
		t.Errorf("%s: %s, want %s", mutation, got.Body, want)
	}
}

func (v *visitor) logout(t *testing.T, input map[string]any, want float64) {
	t.Helper()
	got := v.ask(t, `mutation ($input: LogoutInput!) { logout(input: $input) { endedSessions userErrors { code } } }`, input)
	if got.at("logout", "endedSessions") != want || !strings.Contains(got.Body, `"userErrors":[]`) {
		t.Errorf("logout: %s, want %v ended", got.Body, want)
	}
}

// TestASessionsLife follows one from the login to the logout, by way of an answer that was lost. Another one is ended from it.
func TestASessionsLife(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind)
			phone := s.registered(t, safari, "ada@example.com")
			desk := s.loggedIn(t, firefox, "ada@example.com", goodPassword)
			before := *desk

			// The answer is lost; the retry, and another tab that comes late, get what it said.
			lost := desk.ask(t, mutation("refresh"), map[string]any{"refreshToken": desk.refresh})
			retried := desk.send(t, "", mutation("refresh"), map[string]any{"refreshToken": before.refresh})
			next := lost.at("refresh", "tokens", "refreshToken")
			if next == nil || next == before.refresh || retried.at("refresh", "tokens", "refreshToken") != next {
				t.Fatalf("the first answer: %s\nthe second: %s", lost.Body, retried.Body)
			}
			desk.take(t, retried, "refresh")
			desk.expect(t, "")
			before.expect(t, "") // an access token lives as long as its session, refreshed or not
			desk.mutate(t, "refresh", map[string]any{"refreshToken": desk.refresh})

			const query = `{ me { sessions { nodes { id device userAgent ipAddress current createdAt lastSeenAt expiresAt } } } }`
			listed := desk.ask(t, query, nil)
			nodes, _ := listed.at("me", "sessions", "nodes").([]any)
			if len(nodes) != 2 {
				t.Fatalf("sessions: %s", listed.Body)
			}
			var ids []string
			for i, want := range []map[string]any{
				{"device": "Firefox on Linux", "userAgent": firefox, "current": true},
				{"device": "Safari on iOS", "userAgent": safari, "current": false},
			} {
				node, _ := nodes[i].(map[string]any)
				for name, value := range want {
					if node[name] != value {
						t.Errorf("session %d: %s is %v, want %v", i, name, node[name], value)
					}
				}
				sessionID, _ := node["id"].(string)
				ids = append(ids, sessionID)
				if node["ipAddress"] != "127.0.0.1" {
					t.Errorf("session %d: opened from %v", i, node["ipAddress"])
				}
			}

			const revoke = `mutation ($input: RevokeSessionInput!) {
				revokeSession(input: $input) { revokedSessionId userErrors { code field } }
			}`
			stranger := s.registered(t, firefox, "eve@example.com")
			refuses(t, stranger.ask(t, revoke, map[string]any{"sessionId": ids[1]}), "revokeSession", "NOT_FOUND", "sessionId")
			phone.expect(t, "")
			got := desk.ask(t, revoke, map[string]any{"sessionId": ids[1]})
			if got.at("revokeSession", "revokedSessionId") != ids[1] {
				t.Errorf("revokeSession: %s", got.Body)
			}
			phone.expect(t, "REVOKED")
			refuses(t, phone.ask(t, mutation("refresh"), map[string]any{"refreshToken": phone.refresh}),
				"refresh", "INVALID_REFRESH_TOKEN", "refreshToken")
			refuses(t, desk.ask(t, revoke, map[string]any{"sessionId": ids[1]}), "revokeSession", "NOT_FOUND", "sessionId")

			desk.logout(t, map[string]any{}, 1)
			desk.expect(t, "REVOKED")
			before.expect(t, "REVOKED")
			refuses(t, desk.ask(t, mutation("refresh"), map[string]any{"refreshToken": desk.refresh}),
				"refresh", "INVALID_REFRESH_TOKEN", "refreshToken")
			desk.logout(t, map[string]any{"refreshToken": desk.refresh}, 0) // ended already
			stranger.expect(t, "")
		})
	}
}

// TestReuseEndsTheSession: a refresh token that comes back after the grace period has been copied. Without a grace period that is
// the second use.
func TestReuseEndsTheSession(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind, "--refresh-grace=0s")
			ada := s.registered(t, firefox, "ada@example.com")
			thief := *ada
			ada.mutate(t, "refresh", map[string]any{"refreshToken": ada.refresh})
			refuses(t, thief.ask(t, mutation("refresh"), map[string]any{"refreshToken": thief.refresh}),
				"refresh", "INVALID_REFRESH_TOKEN", "refreshToken")
			thief.expect(t, "REVOKED")
			ada.expect(t, "REVOKED")
			refuses(t, ada.ask(t, mutation("refresh"), map[string]any{"refreshToken": ada.refresh}),
				"refresh", "INVALID_REFRESH_TOKEN", "refreshToken")
			ada = s.loggedIn(t, firefox, "ada@example.com", goodPassword)
			if got := ada.ask(t, `{ me { securityLog { nodes { event } } } }`, nil); !strings.Contains(got.Body, "REFRESH_TOKEN_REUSED") {
				t.Errorf("securityLog: %s", got.Body)
			}
		})
	}
}

// TestLogoutEverywhere ends all sessions of an account from one whose access token is not at hand, and on the other replica too.
func TestLogoutEverywhere(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url, secret := storetest.URL(t, kind), "--secret="+newSecret()
			one, two := startServerOn(t, url, secret), startServerOn(t, url, secret)
			eve := one.registered(t, firefox, "eve@example.com")
			all := []*visitor{
				one.registered(t, firefox, "ada@example.com"),
				two.loggedIn(t, safari, "ada@example.com", goodPassword), one.loggedIn(t, "", "ada@example.com", goodPassword),
			}
			refresh := all[1].refresh
			bare := &visitor{server: one}
			bare.logout(t, map[string]any{"refreshToken": refresh, "everywhere": true}, 3)
			for _, v := range all {
				eventually(t, 20*time.Second, "the access token is refused", func() bool { return v.ask(t, meQuery, nil).code() != "" })
				v.expect(t, "REVOKED")
				refuses(t, v.ask(t, mutation("refresh"), map[string]any{"refreshToken": v.refresh}),
					"refresh", "INVALID_REFRESH_TOKEN", "refreshToken")
			}
			eve.expect(t, "")
			if got := bare.ask(t, `mutation { logout { endedSessions } }`, nil); got.code() != "UNAUTHENTICATED" {
				t.Errorf("logout of nobody: %s", got.Body)
			}
		})
	}
}

// TestPasswordChangeTakesARecentLogin: not a recent refresh. Sixteen minutes pass in the row of the session, from which the time
// of the login gets into every access token.
func TestPasswordChangeTakesARecentLogin(t *testing.T) {
	t.Parallel()
	const newPassword = "seven herons over the marsh"
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind)
			elsewhere := s.registered(t, safari, "ada@example.com")
			ada := s.loggedIn(t, firefox, "ada@example.com", goodPassword)
			_, err := s.db.Conn(t.Context()).NewRaw("UPDATE sessions SET auth_time = ?", wall().Add(-16*time.Minute)).Exec(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			change := map[string]any{"currentPassword": goodPassword, "newPassword": newPassword}

			ada.mutate(t, "refresh", map[string]any{"refreshToken": ada.refresh})
			got := ada.ask(t, mutation("changePassword"), change)
			if got.code() != "STEP_UP_REQUIRED" || got.Errors[0].Extensions["maxAge"] != float64(900) ||
				got.Errors[0].Extensions["coordinate"] != "Mutation.changePassword" {
				t.Errorf("an old login: %s", got.Body)
			}
			// RFC 9470 section 3.
			challenge := `Bearer realm="gatehouse", error="insufficient_user_authentication", max_age="900"`
			if got.Status != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") != challenge {
				t.Errorf("an old login: %d %q", got.Status, got.Header.Get("WWW-Authenticate"))
			}
			elsewhere.expect(t, "")

			ada = s.loggedIn(t, firefox, "ada@example.com", goodPassword)
			refuses(t, ada.ask(t, mutation("changePassword"), map[string]any{"currentPassword": "a guess", "newPassword": newPassword}),
				"changePassword", "INVALID_CREDENTIALS", "currentPassword")
			refuses(t, ada.ask(t, mutation("changePassword"), map[string]any{"currentPassword": goodPassword, "newPassword": "tulips"}),
				"changePassword", "PASSWORD_TOO_SHORT", "newPassword")
			before := *ada
			ada.mutate(t, "changePassword", change)
			elsewhere.expect(t, "REVOKED")
			ada.expect(t, "")
			before.expect(t, "") // the session goes on
			ada.mutate(t, "refresh", map[string]any{"refreshToken": ada.refresh})

			old := ada.ask(t, mutation("login"), map[string]any{"email": "ada@example.com", "password": goodPassword})
			if old.at("login", "tokens") != nil || !strings.Contains(old.Body, "INVALID_CREDENTIALS") {
				t.Errorf("login with the old password: %s", old.Body)
			}
			s.loggedIn(t, firefox, "ada@example.com", newPassword)
		})
	}
}

// TestWhoReadsTheAuditLog: one's own entries are for oneself, everybody's for whoever holds audit:read.
func TestWhoReadsTheAuditLog(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind)
			ada, eve := s.registered(t, firefox, "ada@example.com"), s.registered(t, safari, "eve@example.com")
			eve.ask(t, mutation("login"), map[string]any{"email": "ada@example.com", "password": "a guess"})
			own := ada.ask(t, `{ me { id securityLog { nodes { event accountId userAgent ipAddress } } } }`, nil)
			for _, want := range []string{`"event":"LOGIN_FAILED"`, safari, `"event":"ACCOUNT_REGISTERED"`, firefox} {
				if !strings.Contains(own.Body, want) {
					t.Errorf("ada's securityLog lacks %s: %s", want, own.Body)
				}
			}
			adaID := own.at("me", "id")
			entries, _ := own.at("me", "securityLog", "nodes").([]any)
			for _, entry := range entries {
				if found, _ := entry.(map[string]any); found["accountId"] != adaID {
					t.Errorf("ada's securityLog has %v", found)
				}
			}
			const everything = `{ auditLog(first: 100) { nodes { event accountId requestId } } }`
			others := fmt.Sprintf(`{ user(id: %q) { securityLog { nodes { event } } } }`, adaID)
			for _, query := range []string{everything, others} {
				if got := eve.ask(t, query, nil); got.code() != "FORBIDDEN" || got.Status != http.StatusForbidden ||
					!strings.Contains(got.Body, `"requiredScopes":[["audit:read"]]`) {
					t.Errorf("%s: %s", query, got.Body)
				}
				if got := eve.send(t, "", query, nil); got.code() != "UNAUTHENTICATED" {
					t.Errorf("%s: %s", query, got.Body)
				}
			}
			grant := []string{"user", "grant", "--email=eve@example.com", "--role=ADMIN", "--database-url=" + s.DatabaseURL}
			if code, _, complaint := call(t, "", grant...); code != 0 {
				t.Fatalf("user grant ended with %d: %s", code, complaint)
			}
			eve = s.loggedIn(t, safari, "eve@example.com", goodPassword)
			got := eve.ask(t, everything, nil)
			if !strings.Contains(got.Body, `"event":"ROLE_GRANTED"`) || !strings.Contains(got.Body, fmt.Sprint(adaID)) {
				t.Errorf("auditLog: %s", got.Body)
			}
			if got := eve.ask(t, others, nil); !strings.Contains(got.Body, "LOGIN_FAILED") {
				t.Errorf("ada's securityLog for an administrator: %s", got.Body)
			}
		})
	}
}

// TestSessionCanary leads sessions through all that can go well or wrong, and then looks for every password and token: none is in
// the log, in an audit entry or in an answer's errors.
func TestSessionCanary(t *testing.T) {
	t.Parallel()
	const first, second, wrong = "canary-1f-first-password", "canary-2e-second-password", "canary-3d-wrong-password"
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind)
			secrets := []string{first, second, wrong, "ghrt_canary"}
			ada := &visitor{server: s, agent: firefox}
			// keep does something and remembers the tokens that came of it.
			keep := func(name string, input map[string]any) {
				t.Helper()
				ada.mutate(t, name, input)
				secrets = append(secrets, ada.access, ada.refresh)
			}
			// refused does something that brings errors, in which nothing may be repeated.
			refused := func(query string, input map[string]any) {
				t.Helper()
				got := ada.ask(t, query, input)
				if !strings.Contains(got.Body, `"code"`) {
					t.Errorf("%s: %s, want errors", query, got.Body)
				}
				for _, secret := range secrets {
					if strings.Contains(got.Body, secret) || strings.Contains(fmt.Sprint(got.Header), secret) {
						t.Errorf("%s: the answer has a secret: %s", query, got.Body)
					}
				}
			}
			keep("register", map[string]any{"email": "ada@example.com", "password": first})
			refused(mutation("login"), map[string]any{"email": "ada@example.com", "password": wrong})
			refused(mutation("login"), map[string]any{"email": wrong, "password": wrong})
			keep("login", map[string]any{"email": "ada@example.com", "password": first})
			stale := ada.refresh
			for range 2 {
				keep("refresh", map[string]any{"refreshToken": ada.refresh})
			}
			for _, bad := range []string{"ghrt_canary", ada.access, ada.refresh[:len(ada.refresh)-1], ada.refresh + "x", first} {
				refused(mutation("refresh"), map[string]any{"refreshToken": bad})
				refused(`mutation ($input: LogoutInput!) { logout(input: $input) { endedSessions userErrors { code } } }`,
					map[string]any{"refreshToken": bad})
				refused(`mutation ($input: RevokeSessionInput!) { revokeSession(input: $input) { userErrors { code } } }`,
					map[string]any{"sessionId": bad})
			}
			refused(mutation("changePassword"), map[string]any{"currentPassword": wrong, "newPassword": second})
			refused(mutation("changePassword"), map[string]any{"currentPassword": first, "newPassword": "canary"})
			refused(mutation("changePassword"), map[string]any{"currentPassword": first, "newPassword": []string{second}})
			keep("changePassword", map[string]any{"currentPassword": first, "newPassword": second})
			_, err := s.db.Conn(t.Context()).NewRaw("UPDATE sessions SET grace_until = created_at").Exec(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			refused(mutation("refresh"), map[string]any{"refreshToken": stale})
			refused(meQuery, nil)
			keep("login", map[string]any{"email": "ada@example.com", "password": second})
			ada.logout(t, map[string]any{"refreshToken": ada.refresh, "everywhere": true}, 1)

			var entries []string
			err = s.db.Conn(t.Context()).NewRaw(`SELECT event || ' ' || ip_address || ' ' || user_agent || ' ' || request_id ||
				' ' || detail FROM audit_entries`).Scan(t.Context(), &entries)
			if err != nil || len(entries) < 8 {
				t.Fatalf("%d audit entries: %v", len(entries), err)
			}
			record, log := strings.Join(entries, "\n"), s.Log.String()
			if !strings.Contains(record, "REFRESH_TOKEN_REUSED") {
				t.Errorf("the record lacks the reuse:\n%s", record)
			}
			for _, secret := range secrets {
				if signature := secret[strings.LastIndex(secret, ".")+1:]; strings.Contains(record, signature) ||
					strings.Contains(log, signature) {
					t.Errorf("%s is in the log or in the record", secret)
				}
			}
		})
	}
}
