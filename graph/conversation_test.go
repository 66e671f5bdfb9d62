package graph_test

import (
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/graph/graphtest"
)

// TestConversations holds the API to testdata/*.txtar, on both databases.
func TestConversations(t *testing.T) {
	graphtest.Conversations(t, plan(t), filepath.Join("testdata", "*.txtar"), *update)
}

// TestStepUpConversations does the same with a stricter schema: of ours only changePassword asks for a recent sign-in, and
// nothing asks for a level.
func TestStepUpConversations(t *testing.T) {
	graphtest.Conversations(t, stepUp(t), filepath.Join("testdata", "stepup", "*.txtar"), *update)
}

// stepUp is Gatehouse's own plan with a schema that asks for a recent sign-in, and for a level.
func stepUp(t *testing.T) graphtest.Plan {
	t.Helper()
	stricter := plan(t)
	for from, to := range map[string]string{
		"type User {":           "type User @auth(maxAge: 300) {",
		"type UserConnection {": `type UserConnection @auth(acr: "mfa") {`,
	} {
		if !strings.Contains(stricter.SDL, from) {
			t.Fatalf("the schema has no %s", from)
		}
		stricter.SDL = strings.Replace(stricter.SDL, from, to, 1)
	}
	return stricter
}
