package server

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatehouse/graph"
)

// written matches a directive about access, as it is written in a schema.
var written = regexp.MustCompile(` @(?:auth|own|public)\b(?:\((?:[^()"]|"[^"]*")*\))?`)

// declared matches the beginning of a type.
var declared = regexp.MustCompile(`(?m)^(?:type|interface) (\w+)`)

// TestCheckNoticesEveryRuleThatGoes does what make check does about the lock, which is to hold the committed file to what
// "gatehouse access --lock" prints, for the schema without one of its directives: for each of them, the check fails.
func TestCheckNoticesEveryRuleThatGoes(t *testing.T) {
	t.Parallel()
	committed, err := os.ReadFile(filepath.Join("..", "..", "graph", "access.lock"))
	if err != nil {
		t.Fatal(err)
	}
	current := func(schema string) bool {
		var out, said logBuffer
		code := Program{Schema: schema}.Run(t.Context(), Process{
			Args: []string{"access", "--lock"}, Lookup: noEnvironment, Stdout: &out, Stderr: &said, Now: wall,
		})
		return code == 0 && out.String() == string(committed)
	}
	if !current(graph.Schema) {
		t.Fatal("graph/access.lock is not current: run make update")
	}
	removed, byType := 0, map[string]int{}
	for _, at := range written.FindAllStringIndex(graph.Schema, -1) {
		before, after := graph.Schema[:at[0]], graph.Schema[at[1]:]
		if strings.HasSuffix(before, "directive") {
			continue // its definition
		}
		removed++
		types := declared.FindAllStringSubmatch(before, -1)
		byType[types[len(types)-1][1]]++
		if current(before + after) {
			t.Errorf("line %d: nobody notices that%s is gone", 1+strings.Count(before, "\n"), graph.Schema[at[0]:at[1]])
		}
	}
	if removed < 18 {
		t.Errorf("%d directives were removed: the schema has more", removed)
	}
	for _, root := range []string{"Query", "Mutation", "Subscription"} {
		if byType[root] == 0 {
			t.Errorf("no directive of %s was removed", root)
		}
	}
	t.Logf("%d directives, by type %v", removed, byType)
}
