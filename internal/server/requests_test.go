package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/fault"
	"gatehouse/internal/store/storetest"
)

// httpRequest is one request of api.http, with its placeholders.
type httpRequest struct {
	title, name    string
	method, target string
	headers        []string
	body           string
}

// placeholder is {{variable}}, or {{name.response.body.$.path}} for what an earlier request was answered.
var placeholder = regexp.MustCompile(`\{\{([^{}]+)\}\}`)

// firstCode finds a code in an answer.
var firstCode = regexp.MustCompile(`"code":"([A-Z_]+)"`)

// readRequests reads api.http: its variables, and its requests.
func readRequests(t *testing.T) (variables map[string]string, requests []httpRequest) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "api.http"))
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), "\n### ")
	variables = map[string]string{}
	for line := range strings.Lines(head) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " = "); ok && strings.HasPrefix(name, "@") {
			variables[name[1:]] = value
		}
	}
	for section := range strings.SplitSeq(rest, "\n### ") {
		var r httpRequest
		head, r.body, _ = strings.Cut(strings.TrimSpace(section), "\n\n")
		lines := strings.Split(head, "\n")
		r.title, lines = lines[0], lines[1:]
		if name, ok := strings.CutPrefix(lines[0], "# @name "); ok {
			r.name, lines = name, lines[1:]
		}
		r.method, r.target, _ = strings.Cut(lines[0], " ")
		r.headers = lines[1:]
		requests = append(requests, r)
	}
	return variables, requests
}

// dig returns what stands in a JSON document at a path such as ".data.me.sessions.nodes[1].id".
func dig(document any, path string) (string, error) {
	for _, key := range strings.FieldsFunc(path, func(c rune) bool { return strings.ContainsRune(".[]", c) }) {
		switch value := document.(type) {
		case map[string]any:
			document = value[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(value) {
				return "", fmt.Errorf("%s: no element %s", path, key)
			}
			document = value[i]
		default:
			return "", fmt.Errorf("%s: nothing there", path)
		}
	}
	text, ok := document.(string)
	if !ok {
		return "", fmt.Errorf("%s: no string there", path)
	}
	return text, nil
}

// TestRequests sends the requests of api.http, as an editor does that runs them from top to bottom. A title that names a code
// says what comes of it; all others succeed.
func TestRequests(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.SQLite)
	variables, requests := readRequests(t)
	if variables["url"] != "http://localhost:8080" || len(requests) == 0 {
		t.Fatalf("api.http: %v, %d requests", variables, len(requests))
	}
	variables["url"] = ""
	answers := map[string]any{}
	fill := func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(found string) string {
			inside := strings.Trim(found, "{}")
			if name, path, ok := strings.Cut(inside, ".response.body.$"); ok {
				text, err := dig(answers[name], path)
				if err != nil {
					t.Fatalf("%s: %v", found, err)
				}
				return text
			}
			value, ok := variables[inside]
			if !ok {
				t.Fatalf("%s is not defined", found)
			}
			return value
		})
	}
	for _, r := range requests {
		for i := range r.headers {
			r.headers[i] = fill(r.headers[i])
		}
		got := s.send(t, r.method, fill(r.target), fill(r.body), r.headers...)
		wanted := ""
		for _, d := range fault.Table() {
			if strings.Contains(r.title, string(d.Code)) {
				wanted = string(d.Code)
			}
		}
		code := ""
		if found := firstCode.FindStringSubmatch(got.Body); found != nil {
			code = found[1]
		}
		if code != wanted {
			t.Errorf("%s: %d %s", r.title, got.Status, got.Body)
		}
		if r.name != "" {
			var answer any
			if err := json.Unmarshal([]byte(got.Body), &answer); err != nil {
				t.Fatal(err)
			}
			answers[r.name] = answer
		}
	}
}

// TestRequestsAreTheOperations: api.http sends the documents of the folder operations, in one line each, and all of them
// that one answer is enough for.
func TestRequestsAreTheOperations(t *testing.T) {
	t.Parallel()
	_, requests := readRequests(t)
	var sent []string
	for _, r := range requests {
		var body struct{ Query string }
		if r.body == "" {
			continue
		}
		if err := json.Unmarshal([]byte(r.body), &body); err != nil {
			t.Fatalf("%s: %v", r.title, err)
		}
		sent = append(sent, body.Query)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "operations", "*.graphql"))
	if err != nil {
		t.Fatal(err)
	}
	missing, known := "", map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, document, _ := bytes.Cut(text, []byte("\n")) // behind the comment
		line := strings.Join(strings.Fields(string(document)), " ")
		known[line] = true
		if !slices.Contains(sent, line) && !strings.HasPrefix(line, "subscription") {
			missing += " " + filepath.Base(file)
		}
	}
	if missing != "" {
		t.Errorf("api.http does not send%s", missing)
	}
	for _, document := range sent {
		if !known[document] {
			t.Errorf("api.http sends what is no file of operations:\n%s", document)
		}
	}
}
