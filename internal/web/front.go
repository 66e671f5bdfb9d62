package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"strings"
)

//go:embed front.css
var frontCSS string

const introduction = "Accounts, logins and access tokens for a GraphQL API. It answers "

// lesson is a command of the front page, and what it is for.
type lesson struct{ title, command string }

// lessons returns how to ask the server, for a shell: pasted one after the other, each does what its title says.
func lessons(cfg Config) []lesson {
	post := "curl -s " + cfg.URL + graphQLPath + " -H 'Content-Type: application/json' "
	const ada = `"variables": {"input": {"email": "ada@example.com", "password": "nine tulips by the canal"}}`
	return []lesson{
		{"Register", post + `-d '{
  "query": "mutation ($input: RegisterInput!) { register(input: $input) { user { id } userErrors { code message } } }",
  ` + ada + `
}'`},
		{"Log in, and keep the access token", "TOKEN=$(" + post + `-d '{
  "query": "mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken } userErrors { message } } }",
  ` + ada + `
}' | sed 's/.*"accessToken":"\([^"]*\)".*/\1/')`},
		{"Ask a protected question", post + `\
  -H "Authorization: Bearer $TOKEN" -d '{ "query": "{ me { id email } }" }'`},
		{"See what else there is to ask", "curl -s " + cfg.URL + schemaPath + ` -H "Authorization: Bearer $TOKEN"`},
	}
}

// front answers the front page. Browsers get the playground where there is one; else they are told in HTML what runs here and how
// to ask it, and curl always is, in text. The HTML is one document, style included, which the policy lets through by its hash; it
// has no script.
func front(cfg Config, playground http.Handler) http.Handler {
	sum := sha256.Sum256([]byte(frontCSS))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	page := content("text/html; charset=utf-8", frontPage(cfg))
	plain := content("text/plain; charset=utf-8", frontText(cfg))

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			plain.ServeHTTP(w, r)
			return
		}
		if playground != nil {
			playground.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		page.ServeHTTP(w, r)
	})
}

func frontText(cfg Config) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n%sPOST %s%s.\n", strings.TrimSpace("Gatehouse "+cfg.Version), introduction, cfg.URL, graphQLPath)
	for _, lesson := range lessons(cfg) {
		fmt.Fprintf(&text, "\n# %s\n%s\n", lesson.title, lesson.command)
	}
	return text.String()
}

func frontPage(cfg Config) string {
	version, url := html.EscapeString(cfg.Version), html.EscapeString(cfg.URL)
	missing := ""
	if cfg.Playground != nil {
		missing = "<p>" + html.EscapeString(missingPlayground) + "</p>\n"
	}
	var page strings.Builder
	fmt.Fprintf(&page, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
<style>%s</style>
</head>
<body>
<main>
<h1>Gatehouse <small>%s</small></h1>
<p>%s<code>POST %s%s</code>.</p>
%s<p>A click on a command selects it, to be copied into a shell.</p>
`, strings.TrimSpace("Gatehouse "+version), frontCSS, version, introduction, url, graphQLPath, missing)
	for _, lesson := range lessons(cfg) {
		fmt.Fprintf(&page, "<h2>%s</h2>\n<pre>%s</pre>\n", html.EscapeString(lesson.title), html.EscapeString(lesson.command))
	}
	page.WriteString("</main>\n</body>\n</html>\n")
	return page.String()
}
