package graph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"gatehouse/internal/fault"
)

// sighting is a code in an answer of a conversation.
type sighting struct {
	at     string // the file and its step
	status int    // 0 where the answer has other codes beside it, which decide the status, too
	beside []string
	field  string
}

// TestEveryCodeIsReached looks for each code of the table, and each reason, among the answers of the conversations, which is what
// the API really says, and holds the table to what stands there.
func TestEveryCodeIsReached(t *testing.T) {
	t.Parallel()
	seen, reasons := sightings(t)
	for _, d := range fault.Table() {
		if len(seen[d.Code]) == 0 {
			t.Errorf("%s: no conversation in testdata reaches it", d.Code)
		}
		var beside []string
		for _, s := range seen[d.Code] {
			beside = append(beside, s.beside...)
			if s.status != 0 && !slices.Contains(d.Status, s.status) {
				t.Errorf("%s: the answer has status %d, the table says %v", s.at, s.status, d.Status)
			}
			if d.UserError && !slices.Contains(d.Fields, s.field) {
				t.Errorf("%s: %s is about %q, the table says %q", s.at, d.Code, s.field, d.Fields)
			}
		}
		for _, name := range d.Beside {
			if !slices.Contains(beside, name) {
				t.Errorf("%s: no answer has %s beside it, as the table says", d.Code, name)
			}
		}
		for _, name := range beside {
			if !slices.Contains(d.Beside, name) {
				t.Errorf("%s: an answer has %s beside it, which the table does not say", d.Code, name)
			}
		}
		delete(seen, d.Code)
	}
	for code, s := range seen {
		t.Errorf("%s: %s is not in the table", s[0].at, code)
	}
	for _, r := range fault.Reasons() {
		if !reasons[r.Reason] {
			t.Errorf("%s: no conversation in testdata reaches it", r.Reason)
		}
	}
}

// sightings reads the answers of all conversations.
func sightings(t *testing.T) (seen map[fault.Code][]sighting, reasons map[fault.Reason]bool) {
	t.Helper()
	seen, reasons = map[fault.Code][]sighting{}, map[fault.Reason]bool{}
	for _, pattern := range []string{"*.txtar", "*/*.txtar"} {
		files, err := filepath.Glob(filepath.Join("testdata", pattern))
		must(t, err)
		for _, file := range files {
			archive, err := txtar.ParseFile(file)
			must(t, err)
			for _, answer := range archive.Files {
				if strings.HasSuffix(answer.Name, ".response") {
					see(t, filepath.Base(file)+": "+answer.Name, answer.Data, seen, reasons)
				}
			}
		}
	}
	return seen, reasons
}

// see notes the codes of one answer.
func see(t *testing.T, at string, text []byte, seen map[fault.Code][]sighting, reasons map[fault.Reason]bool) {
	t.Helper()
	stage, body, _ := bytes.Cut(text, []byte("\n\n"))
	var answer struct {
		Errors []struct{ Extensions map[string]any }
		Data   json.RawMessage
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	codes := map[fault.Code]bool{}
	for _, e := range answer.Errors {
		codes[fault.Code(fmt.Sprint(e.Extensions["code"]))] = true
	}
	for _, e := range answer.Errors {
		s := sighting{at: at}
		code := fault.Code(fmt.Sprint(e.Extensions["code"]))
		if len(codes) == 1 {
			s.status = status(t, string(stage), code, answer.Data != nil)
		}
		for name := range e.Extensions {
			if name != "code" && name != "requestId" {
				s.beside = append(s.beside, name)
			}
		}
		if reason, ok := e.Extensions["reason"].(string); ok {
			reasons[fault.Reason(reason)] = true
		}
		seen[code] = append(seen[code], s)
	}
	if answer.Data != nil {
		var data any
		must(t, json.Unmarshal(answer.Data, &data))
		seeUserErrors(at, data, seen)
	}
}

// seeUserErrors notes the codes of the userErrors in data.
func seeUserErrors(at string, data any, seen map[fault.Code][]sighting) {
	object, ok := data.(map[string]any)
	if !ok {
		return
	}
	for name, value := range object {
		listed, ok := value.([]any)
		if name != "userErrors" || !ok {
			seeUserErrors(at, value, seen)
			continue
		}
		for _, element := range listed {
			e, _ := element.(map[string]any)
			if _, asked := e["field"]; !asked || e["code"] == nil {
				continue
			}
			s := sighting{at: at}
			if path, ok := e["field"].([]any); ok {
				s.field = fmt.Sprint(path[len(path)-1])
			}
			code := fault.Code(fmt.Sprint(e["code"]))
			seen[code] = append(seen[code], s)
		}
	}
}

// status is that of an answer with errors over application/graphql-response+json.
func status(t *testing.T, stage string, code fault.Code, hasData bool) int {
	t.Helper()
	if hasData {
		return 294
	}
	denied := 401
	if code == fault.Forbidden {
		denied = 403
	}
	known, ok := map[string]int{"refused": 400, "denied": denied, "unavailable": 503, "failed": 500}[stage]
	if !ok {
		t.Fatalf("unknown stage %q", stage)
	}
	return known
}
