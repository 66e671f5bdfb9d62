package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/graph"
	"gatehouse/graph/graphtest"
	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
	"gatehouse/internal/role"
	"gatehouse/internal/server"
	"gatehouse/internal/store"
)

var update = flag.Bool("update", false, "write the files in testdata, and access.lock, anew")

// plan is Gatehouse with notes.
func plan(t *testing.T) graphtest.Plan {
	t.Helper()
	added := extension()
	registry, err := role.Default()
	must(t, err)
	registry, err = registry.With(added.Scopes, added.Roles)
	must(t, err)
	return graphtest.Plan{
		SDL:      graph.Schema + added.Schema,
		Registry: registry,
		Beside:   []store.Migrations{{Name: added.Name, Files: added.Migrations}},
		Bind: func(sdl string, features graph.Features, db *store.DB, now func() time.Time) (operation.Engine, error) {
			return bind(sdl, server.House{Features: features, DB: db, Now: now})
		},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestConversations holds the API of Notes to testdata/*.txtar, on both databases.
func TestConversations(t *testing.T) {
	graphtest.Conversations(t, plan(t), filepath.Join("testdata", "*.txtar"), *update)
}

// TestGatehouseIsAsEver holds Gatehouse's own API to Gatehouse's own conversations, while notes are beside it.
func TestGatehouseIsAsEver(t *testing.T) {
	graphtest.Conversations(t, plan(t), filepath.Join("..", "..", "graph", "testdata", "*.txtar"), false)
}

func compile(t *testing.T, added string) (*policy.Engine, error) {
	t.Helper()
	plan := plan(t)
	schema, err := operation.LoadSchema("notes.graphqls", added+"\n"+graph.Schema)
	must(t, err)
	return policy.Compile(schema, plan.Registry.Vocabulary(), time.Now)
}

// TestAccessLock holds access.lock to the schema, so that whoever changes a rule shows it in review.
func TestAccessLock(t *testing.T) {
	t.Parallel()
	rules, err := compile(t, schema)
	must(t, err)
	if *update {
		must(t, os.WriteFile("access.lock", rules.Lock(), 0o600))
	}
	want, err := os.ReadFile("access.lock")
	must(t, err)
	if diff := cmp.Diff(string(want), string(rules.Lock())); diff != "" {
		t.Errorf("access.lock is not what the schema says (-lock +schema); make update accepts it:\n%s", diff)
	}
}

// TestAccessLockKeepsGatehouse: every line of Gatehouse's own lock is in that of Notes, unchanged.
func TestAccessLockKeepsGatehouse(t *testing.T) {
	t.Parallel()
	rules, err := compile(t, schema)
	must(t, err)
	own, err := os.ReadFile(filepath.Join("..", "..", "graph", "access.lock"))
	must(t, err)
	lock := "\n" + string(rules.Lock())
	for line := range strings.Lines(string(own)) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(lock, "\n"+line) {
			t.Errorf("Gatehouse's rule has changed: %s", line)
		}
	}
}

// directive matches a rule of notes.graphqls.
var directive = regexp.MustCompile(` @(?:auth|own)(?:\([^)]*\))?`)

// TestNoRuleGoesUnnoticed takes the rules of notes.graphqls away, one at a time: either the server does not start any more, or
// the lock differs. A root field is of the first kind, and the message says where.
func TestNoRuleGoesUnnoticed(t *testing.T) {
	t.Parallel()
	rules, err := compile(t, schema)
	must(t, err)
	lock := rules.Lock()
	found := directive.FindAllStringIndex(schema, -1)
	if len(found) < 10 {
		t.Fatalf("found %d rules in notes.graphqls", len(found))
	}
	refused := 0
	for _, at := range found {
		line := 1 + strings.Count(schema[:at[0]], "\n")
		rules, err := compile(t, schema[:at[0]]+schema[at[1]:])
		switch {
		case err != nil:
			refused++
			if !strings.Contains(err.Error(), fmt.Sprintf("notes.graphqls:%d:", line)) && !strings.Contains(err.Error(), "says nothing") {
				t.Errorf("without the rule of line %d: %v", line, err)
			}
		case bytes.Equal(rules.Lock(), lock):
			t.Errorf("line %d: nobody notices that%s is gone", line, schema[at[0]:at[1]])
		}
	}
	if refused < 5 {
		t.Errorf("%d of the five root fields may say nothing about who may use them", refused)
	}
}

// TestUnresolvedFieldIsRefused: what docs/extending.md says cannot be added is found when the server starts, by name.
func TestUnresolvedFieldIsRefused(t *testing.T) {
	t.Parallel()
	for _, added := range []string{
		"extend type Query { shelf: Int @auth }", "extend type User { shelf: Int @auth }", "extend type PageInfo { shelf: Int }",
	} {
		_, err := bind(graph.Schema+schema+added, server.House{})
		if err == nil || !strings.Contains(err.Error(), "shelf") {
			t.Errorf("%s: %v", added, err)
		}
	}
}
