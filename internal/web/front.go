package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html"
	"net/http"
	"strings"
)

//go:embed front.css
var frontCSS string

const frontIntroduction = "Accounts, logins and access tokens for a GraphQL API. It answers POST {url}/graphql."

// lesson is a command of the front page, and what it is for.
type lesson struct{ title, command string }

// lessons returns how to ask the server, for a shell.
func lessons() []lesson {
	const post = "curl -s {url}/graphql -H 'Content-Type: application/json' "
	return []lesson{
		{"Register", post + `-d '{
  "query": "mutation ($input: RegisterInput!) { register(input: $input) { user { id } userErrors { code message } } }",
  "variables": {"input": {"email": "ada@example.com", "password": "nine tulips by the canal"}}}'`},
		{"Log in, and keep the access token", post + `-d '{
  "query": "mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken } userErrors { code message } } }",
  "variables": {"input": {"email": "ada@example.com", "password": "nine tulips by the canal"}}}'`},
		{"Ask a protected question, with the token in $TOKEN", post + `-H "Authorization: Bearer $TOKEN" \
  -d '{"query": "{ me { id email } }"}'`},
	}
}

// front answers the front page: what runs here and how to ask it. Browsers get HTML, curl gets text. The HTML is one
// document, style included, which the policy lets through by its hash; it has no script.
func front(cfg Config) http.Handler {
	title := strings.TrimSpace("Gatehouse " + cfg.Version)
	sum := sha256.Sum256([]byte(frontCSS))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	page := content("text/html; charset=utf-8", frontPage(title, cfg.URL))
	plain := content("text/plain; charset=utf-8", frontText(title, cfg.URL))

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			plain.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		page.ServeHTTP(w, r)
	})
}

func frontText(title, url string) string {
	text := title + "\n\n" + frontIntroduction + "\n"
	for _, lesson := range lessons() {
		text += "\n# " + lesson.title + "\n" + lesson.command + "\n"
	}
	return strings.ReplaceAll(text, "{url}", url)
}

func frontPage(title, url string) string {
	title = html.EscapeString(title)
	page := `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>` + title + `</title>
<style>` + frontCSS + `</style>
</head>
<body>
<main>
<h1>` + title + `</h1>
<p>` + frontIntroduction + ` A click on a command selects it, ready to be copied.</p>
`
	for _, lesson := range lessons() {
		page += "<h2>" + html.EscapeString(lesson.title) + "</h2>\n<pre>" + html.EscapeString(lesson.command) + "</pre>\n"
	}
	return strings.ReplaceAll(page+"</main>\n</body>\n</html>\n", "{url}", html.EscapeString(url))
}
