package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store/storetest"
)

const (
	refreshCookie  = "__Host-gatehouse-refresh"
	refreshByInput = `mutation ($input: RefreshInput! = {}) { refresh(input: $input)` + payloadWithTokens
	logoutMutation = `mutation ($input: LogoutInput! = {}) { logout(input: $input) { endedSessions userErrors { code field } } }`
)

// browser is one, with a page in it that keeps its session in the cookie.
type browser struct {
	server *testServer
	origin string   // of the page
	cookie string   // the value of the cookie; empty where there is none
	access string   // what the page holds
	extra  []string // headers to send besides
}

// visitor returns a browser of the server's own page in which Ada has just registered.
func (s *testServer) visitor(t *testing.T) *browser {
	t.Helper()
	ada := &browser{server: s, origin: s.URL}
	ada.sign(t, "register", map[string]any{"email": "ada@example.com", "password": goodPassword})
	return ada
}

// ask sends a request as the page would, and keeps the cookie that the answer sets.
func (b *browser) ask(t *testing.T, query string, input map[string]any) answer {
	t.Helper()
	got := b.send(t, query, input)
	b.keep(t, got)
	return got
}

// send is ask for an answer that never arrives.
func (b *browser) send(t *testing.T, query string, input map[string]any) answer {
	t.Helper()
	request := map[string]any{"query": query}
	if input != nil {
		request["variables"] = map[string]any{"input": input}
	}
	payload, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	headers := append([]string{"Content-Type: application/json", "User-Agent: " + firefox}, b.extra...)
	if b.origin != "" {
		headers = append(headers, "Origin: "+b.origin, "Sec-Fetch-Site: same-site")
	}
	if b.cookie != "" {
		headers = append(headers, "Cookie: theme=dark; "+refreshCookie+"="+b.cookie)
	}
	if b.access != "" {
		headers = append(headers, "Authorization: Bearer "+b.access)
	}
	return b.server.send(t, http.MethodPost, "/graphql", string(payload), headers...)
}

// keep does with the cookies of an answer what a browser does.
func (b *browser) keep(t *testing.T, got answer) {
	t.Helper()
	for _, line := range got.Header.Values("Set-Cookie") {
		cookie, err := http.ParseSetCookie(line)
		if err != nil || cookie.Name != refreshCookie {
			t.Fatalf("Set-Cookie: %s, %v", line, err)
		}
		if !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" ||
			cookie.Domain != "" {
			t.Errorf("Set-Cookie: %s", line)
		}
		b.cookie = cookie.Value
		if cookie.MaxAge < 0 { // Max-Age=0, as net/http reads it
			b.cookie = ""
		}
	}
}

// sign sends a mutation that brings tokens, in the cookie and in the payload.
func (b *browser) sign(t *testing.T, name string, input map[string]any) {
	t.Helper()
	before := b.cookie
	got := b.ask(t, mutation(name), input)
	access, _ := got.at(name, "tokens", "accessToken").(string)
	tokens, _ := got.at(name, "tokens").(map[string]any)
	if refresh, there := tokens["refreshToken"]; access == "" || !there || refresh != nil {
		t.Fatalf("%s: %s, want an access token, and no refresh token", name, got.Body)
	}
	if b.cookie == "" || b.cookie == before || strings.Contains(got.Body, b.cookie) {
		t.Fatalf("%s: the cookie was %q and is %q", name, before, b.cookie)
	}
	b.access = access
}

// expect checks what me answers: the code of the error, empty for none.
func (b *browser) expect(t *testing.T, want string) {
	t.Helper()
	if got := b.ask(t, meQuery, nil); got.code() != want {
		t.Errorf("me: %d %s, want %q", got.Status, got.Body, want)
	}
}

// keepsItsCookie checks that an answer does not touch the cookie.
func keepsItsCookie(t *testing.T, what string, got answer) {
	t.Helper()
	if set := got.Header.Values("Set-Cookie"); len(set) > 0 {
		t.Errorf("%s: Set-Cookie: %q", what, set)
	}
}

// generations returns how often each session was refreshed, and how many there are.
func (s *testServer) generations(t *testing.T) string {
	t.Helper()
	var found []int
	if err := s.db.Conn(t.Context()).NewRaw("SELECT generation FROM sessions ORDER BY id").Scan(t.Context(), &found); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(found)
}

const cookieMode = "--cookie-mode"

// TestASessionInACookie follows one from the login to the logout.
func TestASessionInACookie(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind, cookieMode)
			ada := &browser{server: s, origin: "http://localhost:5173"}
			ada.sign(t, "register", map[string]any{"email": "ada@example.com", "password": goodPassword})
			desk := &browser{server: s, origin: "http://localhost:5173"}
			desk.sign(t, "login", map[string]any{"email": "ada@example.com", "password": goodPassword})
			for range 3 {
				desk.sign(t, "refresh", map[string]any{})
			}
			// The page was loaded anew: all it has is the cookie.
			desk.access = ""
			desk.expect(t, "UNAUTHENTICATED")
			desk.sign(t, "refresh", map[string]any{})
			desk.expect(t, "")
			if got := desk.ask(t, `{ me { sessions { nodes { current } } } }`, nil); strings.Count(got.Body, `"current":true`) != 1 {
				t.Errorf("sessions: %s", got.Body)
			}

			desk.sign(t, "changePassword", map[string]any{"currentPassword": goodPassword, "newPassword": "nine roses by the river"})
			ada.expect(t, "UNAUTHENTICATED") // all other sessions have ended
			refused := ada.ask(t, refreshByInput, nil)
			refuses(t, refused, "refresh", "INVALID_REFRESH_TOKEN", "refreshToken")
			keepsItsCookie(t, "a refused refresh", refused)

			last := *desk
			got := desk.ask(t, logoutMutation, nil)
			if got.at("logout", "endedSessions") != 1.0 || desk.cookie != "" {
				t.Errorf("logout: %s, the cookie is %q", got.Body, desk.cookie)
			}
			desk.expect(t, "UNAUTHENTICATED")
			refused = last.ask(t, refreshByInput, nil)
			refuses(t, refused, "refresh", "INVALID_REFRESH_TOKEN", "refreshToken")
			keepsItsCookie(t, "a refresh after the logout", refused)
			if got := last.ask(t, logoutMutation, nil); got.at("logout", "endedSessions") != 0.0 || last.cookie != "" {
				t.Errorf("a second logout: %s, the cookie is %q", got.Body, last.cookie)
			}
			if got := last.ask(t, refreshByInput, nil); !strings.Contains(got.Body, "INVALID_REFRESH_TOKEN") {
				t.Errorf("without a cookie: %s", got.Body)
			}
		})
	}
}

// TestLogoutAlwaysForgetsTheCookie: also one that was never ours, when the page has an access token, too; and that of an expired
// session. It does not where the server failed, since then the session goes on.
func TestLogoutAlwaysForgetsTheCookie(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind, cookieMode)
			ada := &browser{server: s}
			ada.sign(t, "register", map[string]any{"email": "ada@example.com", "password": goodPassword})
			ada.cookie = "ghrt_of_another_server"
			refuses(t, ada.ask(t, logoutMutation, nil), "logout", "INVALID_REFRESH_TOKEN", "refreshToken")
			if ada.cookie != "" {
				t.Errorf("the cookie is %q", ada.cookie)
			}
			if got := ada.ask(t, logoutMutation, nil); got.at("logout", "endedSessions") != 1.0 {
				t.Errorf("by the access token: %s", got.Body)
			}

			ada.access = ""
			ada.sign(t, "login", map[string]any{"email": "ada@example.com", "password": goodPassword})
			if _, err := s.db.Conn(t.Context()).NewRaw("UPDATE sessions SET expires_at = created_at").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := ada.ask(t, logoutMutation, nil); got.at("logout", "endedSessions") != 0.0 || ada.cookie != "" {
				t.Errorf("of an expired session: %s, the cookie is %q", got.Body, ada.cookie)
			}

			ada.sign(t, "login", map[string]any{"email": "ada@example.com", "password": goodPassword})
			if _, err := s.db.Conn(t.Context()).NewRaw("ALTER TABLE sessions RENAME TO lost").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			failed := ada.ask(t, logoutMutation, nil)
			if failed.code() == "" || ada.cookie == "" {
				t.Errorf("with a broken database: %s, the cookie is %q", failed.Body, ada.cookie)
			}
			keepsItsCookie(t, "with a broken database", failed)
		})
	}
}

// TestLogoutIsOfOneSession: where the cookie is of another session than the access token, it is the cookie's that ends, and the
// other at the next logout.
func TestLogoutIsOfOneSession(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.SQLite, cookieMode)
	ada := s.visitor(t)
	stays := ada.access
	ada.sign(t, "login", map[string]any{"email": "ada@example.com", "password": goodPassword})
	went := ada.access
	ada.access = stays
	for _, step := range []string{went, stays} {
		if got := ada.ask(t, logoutMutation, nil); got.at("logout", "endedSessions") != 1.0 || ada.cookie != "" {
			t.Errorf("%s, the cookie is %q", got.Body, ada.cookie)
		}
		if got := s.ask(t, step, meQuery, nil); got.code() != "UNAUTHENTICATED" {
			t.Errorf("it goes on: %s", got.Body)
		}
		if got := s.ask(t, stays, meQuery, nil); step == went && got.at("me", "email") == nil {
			t.Errorf("the other has ended, too: %s", got.Body)
		}
	}
}

// TestTabsShareTheCookie lets many tabs refresh at once with the same cookie: all get the same next one, and none loses it. A tab
// that comes after the grace period is refused; even that does not touch the cookie, which may be a newer one by then.
func TestTabsShareTheCookie(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind, cookieMode)
			ada := s.visitor(t)
			stale := *ada
			const tabs = 16
			answers := make([]answer, tabs)
			var all sync.WaitGroup
			for i := range tabs {
				tab := *ada
				all.Go(func() { answers[i] = tab.send(t, refreshByInput, nil) })
			}
			all.Wait()
			next := ""
			for i, got := range answers {
				tab := *ada
				tab.keep(t, got)
				if got.at("refresh", "tokens", "accessToken") == nil || tab.cookie == ada.cookie || next != "" && tab.cookie != next {
					t.Errorf("tab %d: %s, the cookie is %q, of another tab %q", i, got.Body, tab.cookie, next)
				}
				next = tab.cookie
			}
			if got := s.generations(t); got != "[1]" {
				t.Errorf("the session was refreshed %s times, want [1]", got)
			}
			ada.cookie = next
			ada.sign(t, "refresh", map[string]any{})

			_, err := s.db.Conn(t.Context()).NewRaw("UPDATE sessions SET grace_until = created_at, previous_until = created_at").
				Exec(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			late := stale.ask(t, refreshByInput, nil)
			refuses(t, late, "refresh", "INVALID_REFRESH_TOKEN", "refreshToken")
			keepsItsCookie(t, "a late tab", late)
			keepsItsCookie(t, "a forged cookie", (&browser{server: s, cookie: "ghrt_forged"}).ask(t, refreshByInput, nil))
			keepsItsCookie(t, "a wrong password", stale.ask(t, loginMutation, map[string]any{
				"email": "ada@example.com", "password": "not her password",
			}))
		})
	}
}

// TestOneRefreshTokenAtATime: a client that sends one and has another in the cookie does not know which session it means. Neither
// session notices.
func TestOneRefreshTokenAtATime(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind, cookieMode)
			ada := s.visitor(t)
			hand := &browser{server: s, extra: []string{"Gatehouse-Session: bearer"}}
			logged := hand.ask(t, mutation("login"), map[string]any{"email": "ada@example.com", "password": goodPassword})
			refresh := logged.at("login", "tokens", "refreshToken")
			if refresh == nil {
				t.Fatalf("login: %s", logged.Body)
			}
			for _, query := range []string{refreshByInput, logoutMutation} {
				got := ada.ask(t, query, map[string]any{"refreshToken": refresh})
				if got.code() != "BAD_USER_INPUT" || strings.Contains(got.Body, ada.cookie) ||
					strings.Contains(got.Body, fmt.Sprint(refresh)) {
					t.Errorf("both: %s", got.Body)
				}
				keepsItsCookie(t, "both", got)
			}
			if got := s.generations(t); got != "[0 0]" {
				t.Errorf("generations: %s", got)
			}
			ada.expect(t, "")

			// A client that held its token itself moves it into the cookie.
			moved := &browser{server: s, origin: s.URL}
			got := moved.ask(t, refreshByInput, map[string]any{"refreshToken": refresh})
			if got.at("refresh", "tokens", "accessToken") == nil || got.at("refresh", "tokens", "refreshToken") != nil ||
				moved.cookie == "" {
				t.Errorf("moved: %s", got.Body)
			}
			moved.sign(t, "refresh", map[string]any{})
		})
	}
}

// TestBearerBesideCookies: on one server each client goes by its own way, even from the same browser.
func TestBearerBesideCookies(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind, cookieMode)
			ada := s.visitor(t)

			phone := &browser{server: s, cookie: ada.cookie, extra: []string{"Gatehouse-Session: bearer"}}
			got := phone.ask(t, mutation("login"), map[string]any{"email": "ada@example.com", "password": goodPassword})
			for range 2 {
				refresh := got.at("login", "tokens", "refreshToken")
				if refresh == nil {
					refresh = got.at("refresh", "tokens", "refreshToken")
				}
				if refresh == nil {
					t.Fatalf("%s", got.Body)
				}
				keepsItsCookie(t, "a bearer client", got)
				got = phone.ask(t, refreshByInput, map[string]any{"refreshToken": refresh})
			}
			if got := phone.ask(t, refreshByInput, nil); !strings.Contains(got.Body, "INVALID_REFRESH_TOKEN") {
				t.Errorf("the cookie counts for a bearer client: %s", got.Body)
			}
			out := phone.ask(t, logoutMutation, map[string]any{"refreshToken": got.at("refresh", "tokens", "refreshToken")})
			if out.at("logout", "endedSessions") != 1.0 {
				t.Errorf("logout: %s", out.Body)
			}
			keepsItsCookie(t, "the logout of a bearer client", out)
			ada.sign(t, "refresh", map[string]any{})
		})
	}
}

// TestCookiesAreOff: unless the server was told otherwise, none is set or read, and whoever insists is told.
func TestCookiesAreOff(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.SQLite)
	ada := s.registered(t, firefox, "ada@example.com")
	b := &browser{server: s, cookie: ada.refresh}
	if got := b.ask(t, refreshByInput, nil); !strings.Contains(got.Body, "INVALID_REFRESH_TOKEN") {
		t.Errorf("a cookie is read: %s", got.Body)
	}
	b.extra = []string{"Gatehouse-Session: cookie"}
	if got := b.ask(t, refreshByInput, nil); got.Status != http.StatusBadRequest || got.code() != "BAD_USER_INPUT" {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

// TestCookiesStayOutOfTheLog: neither a good cookie nor a bad one is in the log, in the record or in an answer.
func TestCookiesStayOutOfTheLog(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind, cookieMode)
			secrets := []string{"canary-cookie", "canary.example", "canary-word"}
			ada := &browser{server: s, origin: s.URL}
			use := func(name string, input map[string]any) {
				t.Helper()
				ada.sign(t, name, input)
				secrets = append(secrets, ada.cookie)
			}
			use("register", map[string]any{"email": "ada@example.com", "password": goodPassword})
			use("refresh", map[string]any{})
			stale := *ada
			use("refresh", map[string]any{})
			use("changePassword", map[string]any{"currentPassword": goodPassword, "newPassword": "nine roses by the river"})
			if _, err := s.db.Conn(t.Context()).NewRaw("UPDATE sessions SET grace_until = created_at, previous_until = created_at").
				Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			answers := []answer{
				stale.ask(t, refreshByInput, nil), ada.ask(t, logoutMutation, nil),
				(&browser{server: s, cookie: "canary-cookie"}).ask(t, refreshByInput, nil),
				(&browser{server: s, cookie: "canary-cookie"}).ask(t, refreshByInput, map[string]any{"refreshToken": stale.cookie}),
				(&browser{server: s, cookie: "canary-cookie; " + refreshCookie + "=canary-cookie"}).ask(t, refreshByInput, nil),
				(&browser{server: s, cookie: stale.cookie, origin: "https://canary.example"}).ask(t, refreshByInput, nil),
				(&browser{server: s, cookie: stale.cookie, extra: []string{"Gatehouse-Session: canary-word"}}).ask(t, refreshByInput, nil),
				(&browser{server: s, extra: []string{"Cookie: " + refreshCookie + "=\"canary-cookie"}}).ask(t, logoutMutation, nil),
			}
			var record []string
			err := s.db.Conn(t.Context()).NewRaw("SELECT event || ' ' || user_agent || ' ' || detail FROM audit_entries").
				Scan(t.Context(), &record)
			if err != nil || !strings.Contains(strings.Join(record, "\n"), "REFRESH_TOKEN_REUSED") {
				t.Fatalf("%v\n%v", err, record)
			}
			all := s.Log.String() + strings.Join(record, "\n")
			for _, got := range answers {
				all += got.Body
			}
			for _, secret := range secrets {
				if strings.Contains(all, secret) {
					t.Errorf("%s is told", secret)
				}
			}
		})
	}
}

// TestTheCookieLastsAsLongAsTheSession: no longer than it may be idle, nor than it lives at all.
func TestTheCookieLastsAsLongAsTheSession(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.SQLite, cookieMode, "--refresh-idle-ttl=1h", "--refresh-absolute-ttl=90m")
	ada := &browser{server: s}
	last := func(got answer, want time.Duration) {
		t.Helper()
		cookie, err := http.ParseSetCookie(got.Header.Get("Set-Cookie"))
		if err != nil {
			t.Fatalf("%v: %s", err, got.Body)
		}
		if lasts := time.Duration(cookie.MaxAge) * time.Second; lasts > want || lasts < want-5*time.Minute {
			t.Errorf("the cookie lasts %s, want %s", lasts, want)
		}
		ada.keep(t, got)
	}
	last(ada.send(t, mutation("register"), map[string]any{"email": "ada@example.com", "password": goodPassword}), time.Hour)
	_, err := s.db.Conn(t.Context()).NewRaw("UPDATE sessions SET absolute_expires_at = ?", wall().UTC().Add(20*time.Minute)).
		Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last(ada.send(t, refreshByInput, nil), 20*time.Minute)
}
