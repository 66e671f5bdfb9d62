package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/graph"
	"gatehouse/internal/policy"
	"gatehouse/internal/role"
)

// documented returns the fenced blocks of docs/authorization.md as they follow each other, each with its language.
func documented(t *testing.T) [][2]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "authorization.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks [][2]string
	for _, block := range fence.FindAllSubmatch(page, -1) {
		blocks = append(blocks, [2]string{string(block[1]), string(block[2])})
	}
	return blocks
}

// TestDocumentedSchema: the snippets of schema in docs/authorization.md are together a valid extension whose rules leave no
// question open, and they show every argument of @auth. A few of the rules are held to what the page says of them.
func TestDocumentedSchema(t *testing.T) {
	t.Parallel()
	var sdl strings.Builder
	for _, block := range documented(t) {
		if block[0] == "graphql" {
			sdl.WriteString(block[1] + "\n")
		}
	}
	program := Program{Schema: graph.Schema, Extension: Extension{Name: "shop", Schema: sdl.String()}}
	for _, scope := range []string{"orders:read", "reports:read", "admin", "invoices:read", "contracts:read"} {
		program.Scopes = append(program.Scopes, role.Scope{Name: scope, Description: "For the page."})
	}
	registry, err := program.registry()
	if err != nil {
		t.Fatal(err)
	}
	schema, rules, err := program.compile(registry, wall)
	if err != nil {
		t.Fatal(err)
	}
	for _, argument := range schema.Directives["auth"].Arguments {
		if !strings.Contains(sdl.String(), argument.Name+": ") {
			t.Errorf("there is no example of %s", argument.Name)
		}
	}
	want := map[string]string{
		"Query.openingHours":  "public: It is on our door, too.",
		"Query.announcements": "signed in",
		"Query.report":        "scopes admin | orders:read + reports:read",
		"Query.search":        "signed in",
		"Found":               "scopes contracts:read and scopes invoices:read",
		"Query.nextProduct":   "scopes admin, hidden",
		"Mutation.placeOrder": "owner args.input.accountId",
		"Contract.title":      "scopes contracts:read",
		"Order.buyer":         "open to whoever reaches it, own",
	}
	for _, rule := range rules.Rules() {
		if text, listed := want[rule.Coordinate]; listed && rule.Text != text {
			t.Errorf("%s: the rule is %q, want %q", rule.Coordinate, rule.Text, text)
		}
		delete(want, rule.Coordinate)
	}
	if len(want) > 0 {
		t.Errorf("the page does not have %v any more", want)
	}
	if reach := rules.Reach(); reach["Order.address"] != policy.ReachesOwn {
		t.Errorf("without a scope one reaches of Order.address: %s", reach["Order.address"])
	}
}

// TestDocumentedCommands runs the commands in docs/authorization.md: each prints what the page says.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	name, environment := asProcess(t)
	binary, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(folder, "gatehouse")); err != nil {
		t.Fatal(err)
	}
	blocks, commands := documented(t), 0
	for i, block := range blocks {
		if block[0] != "sh" {
			continue
		}
		commands++
		if i+1 == len(blocks) || blocks[i+1][0] != "text" {
			t.Fatalf("the page does not say what this prints:\n%s", block[1])
		}
		shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", block[1])
		shell.Dir, shell.Env = folder, environment
		printed, err := shell.CombinedOutput()
		if err != nil || string(printed) != blocks[i+1][1] {
			t.Errorf("%s\nprinted, with %v,\n%s\nwhere the page says\n%s", block[1], err, printed, blocks[i+1][1])
		}
	}
	if commands == 0 {
		t.Error("the page has no commands")
	}
}
