package server

import (
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/settings"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/web"
)

var kinds = []string{storetest.SQLite, storetest.Postgres}

// TestCanary sends a password to every place where a client could put one, and looks for it in answers and in the log, which
// is at its most talkative.
func TestCanary(t *testing.T) {
	t.Parallel()
	const canary = "canary-9f2c-hunter2"
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind)
			s.register(t, "ada@example.com")
			const jsonType = "Content-Type: application/json"
			input := func(fields string) string {
				return `{"query":"mutation M($input: RegisterInput!) { register(input: $input) ` +
					`{ user { id } userErrors { code message } } }","operationName":"M","variables":{"input":{` + fields + `}}}`
			}
			answers := map[string]answer{
				"registered":        s.send(t, "POST", "/graphql", input(`"email":"eve@example.com","password":"`+canary+`"`), jsonType),
				"taken":             s.send(t, "POST", "/graphql", input(`"email":"ada@example.com","password":"`+canary+`"`), jsonType),
				"bad address":       s.send(t, "POST", "/graphql", input(`"email":"`+canary+`","password":"`+canary+`"`), jsonType),
				"wrong type":        s.send(t, "POST", "/graphql", input(`"email":"eve@example.com","password":["`+canary+`"]`), jsonType),
				"unknown input":     s.send(t, "POST", "/graphql", input(`"`+canary+`":1`), jsonType),
				"NUL":               s.send(t, "POST", "/graphql", input(`"email":"e@example.com","password":"`+canary+`\u0000"`), jsonType),
				"invalid UTF-8":     s.send(t, "POST", "/graphql", input(`"email":"e@example.com","password":"`+canary+"\xff\""), jsonType),
				"cut off":           s.send(t, "POST", "/graphql", `{"query":"`+canary, jsonType),
				"not JSON":          s.send(t, "POST", "/graphql", canary, jsonType),
				"a batch":           s.send(t, "POST", "/graphql", `["`+canary+`"]`, jsonType),
				"unknown key":       s.send(t, "POST", "/graphql", `{"`+canary+`":"`+canary+`"}`, jsonType),
				"no operation":      s.send(t, "POST", "/graphql", `{"query":"{ me { id } }","operationName":"`+canary+`"}`, jsonType),
				"extensions":        s.send(t, "POST", "/graphql", `{"query":"{ me { id } }","extensions":{"a":"`+canary+`"}}`, jsonType),
				"does not parse":    s.ask(t, "", `{ me(`+strings.ReplaceAll(canary, "-", "_"), nil),
				"a string":          s.ask(t, "", `"`+canary+`"`, nil),
				"a comment":         s.ask(t, "", "# "+canary+"\n{ me { id } }", nil),
				"unknown field":     s.ask(t, "", `{ `+strings.ReplaceAll(canary, "-", "_")+` }`, nil),
				"unknown argument":  s.ask(t, "", `{ me(password: "`+canary+`") { id } }`, nil),
				"a literal":         s.ask(t, "", `{ user(id: "`+canary+`") { id } }`, nil),
				"a variable's name": s.ask(t, "", `query ($`+strings.ReplaceAll(canary, "-", "_")+`: Int) { me { id } }`, nil),
				"a bad token":       s.send(t, "POST", "/graphql", `{"query":"{ me { id } }"}`, jsonType, "Authorization: Bearer "+canary),
				"another scheme":    s.send(t, "POST", "/graphql", `{"query":"{ me { id } }"}`, jsonType, "Authorization: "+canary),
				"another type":      s.send(t, "POST", "/graphql", canary, "Content-Type: text/"+canary),
				"another charset":   s.send(t, "POST", "/graphql", canary, "Content-Type: application/json; charset="+canary),
				"a request id":      s.send(t, "POST", "/graphql", `{}`, jsonType, "X-Request-Id: "+canary+"!"),
				"a cookie":          s.send(t, "POST", "/graphql", `{}`, jsonType, "Cookie: a="+canary, "User-Agent: "+canary),
				"the query string":  s.send(t, "GET", "/graphql?query="+canary, ""),
				"a path":            s.send(t, "GET", "/"+canary, ""),
				"a method":          s.send(t, canary, "/"+canary, canary),
				"too large":         s.send(t, "POST", "/graphql", `{"query":"`+strings.Repeat(canary, 20_000)+`"}`, jsonType),
			}
			for name, got := range answers {
				if strings.Contains(got.Body, canary) || strings.Contains(got.Body, strings.ReplaceAll(canary, "-", "_")) ||
					strings.Contains(fmt.Sprint(got.Header), canary) {
					t.Errorf("%s: the answer repeats it: %s", name, got.Body)
				}
			}
			if got := answers["registered"]; got.at("register", "user", "id") == nil {
				t.Errorf("the password with the canary in it is a good one: %s", got.Body)
			}
			log := s.Log.String()
			if strings.Contains(log, canary) || strings.Contains(log, strings.ReplaceAll(canary, "-", "_")) {
				t.Errorf("the log repeats it: %s", log)
			}
			if want := len(answers) + 1; strings.Count(log, `"msg":"request"`) != want {
				t.Errorf("the log should have %d requests: %s", want, log)
			}
		})
	}
}

// TestUserCommandsBesideARunningServer changes accounts while a server has the database open.
func TestUserCommandsBesideARunningServer(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind)
			user := func(stdin string, args ...string) {
				t.Helper()
				args = append([]string{"user"}, append(args, "--database-url="+s.DatabaseURL)...)
				if code, _, stderr := call(t, stdin, args...); code != 0 || stderr != "" {
					t.Fatalf("%v: exit code %d: %s", args, code, stderr)
				}
			}
			login := func() string {
				t.Helper()
				got := s.ask(t, "", loginMutation, map[string]any{
					"input": map[string]any{"username": "grace", "password": goodPassword},
				})
				token, _ := got.at("login", "tokens", "accessToken").(string)
				return token
			}
			const everybody = `{ users { nodes { email roles } } }`

			user(goodPassword+"\r\n", "create", "--email=grace@example.com", "--username=grace")
			token := login()
			if got := s.ask(t, token, everybody, nil); got.code() != "FORBIDDEN" {
				t.Errorf("before the grant: %s", got.Body)
			}
			user("", "grant", "--username=grace", "--role=ADMIN")
			token = login()
			if got := s.ask(t, token, everybody, nil); !strings.Contains(got.Body, `["ADMIN","USER"]`) {
				t.Errorf("after the grant: %s", got.Body)
			}
			user("", "disable", "--email=grace@example.com")
			eventually(t, 20*time.Second, "the token is refused", func() bool {
				got := s.ask(t, token, meQuery, nil)
				return got.code() == "UNAUTHENTICATED" && got.Errors[0].Extensions["reason"] == "REVOKED"
			})
			if login() != "" {
				t.Error("a disabled account logs in")
			}
		})
	}
}

// TestFrontPageTeachesWhatWorks pastes the front page into a shell, where its titles are comments. The text for terminals and the
// page for browsers have the same commands, which work in either mode.
func TestFrontPageTeachesWhatWorks(t *testing.T) {
	t.Parallel()
	for mode, flags := range map[string][]string{"development": nil, "production": inProduction} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			pasteFrontPage(t, startServer(t, storetest.SQLite, flags...))
		})
	}
}

func pasteFrontPage(t *testing.T, s *testServer) {
	t.Helper()
	text := s.send(t, http.MethodGet, "/", "", "Accept: */*").Body
	page := html.UnescapeString(s.send(t, http.MethodGet, "/", "", "Accept: text/html").Body)
	_, lessons, _ := strings.Cut(text, "\n# ")
	// A tree in which the playground was built shows that to browsers, in development.
	_, err := fs.Stat(web.Playground(), "index.html.gz")
	playground := err == nil && s.mode == settings.Development
	if playground != strings.Contains(page, `<div id="page">`) {
		t.Errorf("the playground is built: %t; the page for browsers: %s", playground, page)
	}
	for lesson := range strings.SplitSeq(lessons, "\n# ") {
		title, command, _ := strings.Cut(lesson, "\n")
		want := "<h2>" + title + "</h2>\n<pre>" + strings.TrimSpace(command) + "</pre>"
		if !playground && !strings.Contains(page, want) {
			t.Errorf("the page for browsers lacks %s", want)
		}
	}
	printed, err := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", "# "+lessons).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	for _, want := range []string{
		`{"data":{"register":{"user":{"id":`, `"userErrors":[]`, `{"data":{"me":{"id":`, `"email":"ada@example.com"`, "type Query {",
	} {
		if !strings.Contains(string(printed), want) {
			t.Errorf("%s\nprints no %s but %s", lessons, want, printed)
		}
	}
}

// TestReplicas starts two servers on one database: the tokens of one are good for the other.
func TestReplicas(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url, secret := storetest.URL(t, kind), "--secret="+newSecret()
			one, two := startServerOn(t, url, secret), startServerOn(t, url, secret)
			token := one.register(t, "ada@example.com")
			if got := two.ask(t, token, meQuery, nil); got.at("me", "email") != "ada@example.com" {
				t.Errorf("the other replica: %s", got.Body)
			}
		})
	}
}

func TestSigningAlgorithms(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"ES256", "RS256", "EdDSA", "HS256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			flags := []string{"--signing-alg=" + algorithm}
			if algorithm == settings.HS256 {
				flags = append(flags, "--jwt-secret="+newSecret())
			}
			s := startServer(t, storetest.SQLite, flags...)
			if got := s.ask(t, s.register(t, "ada@example.com"), meQuery, nil); got.at("me", "email") != "ada@example.com" {
				t.Errorf("me: %s", got.Body)
			}
		})
	}
}

// TestTrustedProxies sees in a session's row what is believed of the client's address.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{
		"--trusted-proxies=127.0.0.0/8": "198.51.100.7",
		"--trusted-proxies=10.0.0.0/8":  "127.0.0.1",
	} {
		s := startServer(t, storetest.SQLite, flag)
		s.send(t, http.MethodPost, "/graphql", `{"query":"mutation { register(input: {email: \"ada@example.com\", password: \"`+
			goodPassword+`\"}) { user { id } } }"}`, "Content-Type: application/json", "X-Forwarded-For: 6.6.6.6, 198.51.100.7")
		var address string
		err := s.db.Conn(t.Context()).NewRaw("SELECT ip_address FROM sessions").Scan(t.Context(), &address)
		if err != nil || netip.MustParseAddr(address).String() != want {
			t.Errorf("%s: %q, %v; want %s", flag, address, err, want)
		}
	}
}
