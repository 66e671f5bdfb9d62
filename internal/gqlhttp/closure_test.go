package gqlhttp_test

import (
	"encoding/binary"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"gatehouse/internal/gqlhttp"
)

// brokenFrame is the code that the library sends where a frame is none of WebSocket's.
const brokenFrame = websocket.StatusProtocolError

// TestClosuresAreDocumented: whoever writes a client finds every code that a WebSocket is closed with in docs/frontend.md, and
// none that is never sent.
func TestClosuresAreDocumented(t *testing.T) {
	t.Parallel()
	const document = "../../docs/frontend.md"
	sent := append(closures(t), brokenFrame)
	slices.Sort(sent)
	text, err := os.ReadFile(document)
	must(t, err)
	_, table, found := strings.Cut(string(text), "| code | why | what graphql-ws does |\n")
	table, _, ends := strings.Cut(table, "\n\n")
	if !found || !ends {
		t.Fatalf("%s has no table of close codes", document)
	}
	var told []websocket.StatusCode
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(table, -1) {
		code, err := strconv.Atoi(row[1])
		must(t, err)
		if websocket.StatusCode(code) != websocket.StatusAbnormalClosure { // which a browser says by itself
			told = append(told, websocket.StatusCode(code))
		}
	}
	if !slices.Equal(told, slices.Compact(sent)) {
		t.Errorf("%s tells of %d, and the code sends %d", document, told, slices.Compact(sent))
	}
}

// closures returns the codes of all closures in the code of this package.
func closures(t *testing.T) []websocket.StatusCode {
	t.Helper()
	named := map[string]websocket.StatusCode{
		"StatusMessageTooBig": websocket.StatusMessageTooBig, "StatusInternalError": websocket.StatusInternalError,
		"StatusServiceRestart": websocket.StatusServiceRestart, "StatusTryAgainLater": websocket.StatusTryAgainLater,
	}
	files, err := filepath.Glob("*.go")
	must(t, err)
	codes := map[websocket.StatusCode]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		must(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok || len(literal.Elts) == 0 {
				return true
			}
			if name, ok := literal.Type.(*ast.Ident); !ok || name.Name != "closure" {
				return true
			}
			switch code := literal.Elts[0].(type) {
			case *ast.BasicLit:
				number, err := strconv.Atoi(code.Value)
				must(t, err)
				codes[websocket.StatusCode(number)] = true
			case *ast.SelectorExpr:
				if named[code.Sel.Name] == 0 {
					t.Errorf("%s: this test does not know websocket.%s", file, code.Sel.Name)
				}
				codes[named[code.Sel.Name]] = true
			case *ast.KeyValueExpr:
				if _, negative := code.Value.(*ast.UnaryExpr); !negative { // as of what is never sent
					t.Errorf("%s: this test does not read closures with names of fields", file)
				}
			}
			return true
		})
	}
	return slices.Collect(maps.Keys(codes))
}

// TestSocketBreaksTheRules: a frame of a kind that WebSocket does not have ends the socket.
func TestSocketBreaksTheRules(t *testing.T) {
	w := newLive(t, gqlhttp.LiveConfig{}).wire(t)
	w.begin(3, 0, "")
	if opcode, payload, err := w.frame(); opcode != opClose || err != nil ||
		websocket.StatusCode(binary.BigEndian.Uint16([]byte(payload))) != brokenFrame {
		t.Fatalf("got %d %q, %v", opcode, payload, err)
	}
	w.gone()
}
