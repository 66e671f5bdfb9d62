package graph_test

import (
	"crypto/sha256"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/graph/graphtest"
	"gatehouse/internal/trusted"
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

// TestTrustedConversations does the same where the operations of the folder operations are the only ones that run.
func TestTrustedConversations(t *testing.T) {
	team := plan(t)
	team.Operations = operations
	for _, name := range operationNames(t) {
		text := readOperation(t, name)
		team.Trusted = append(team.Trusted, trusted.Document{
			Manifest: "operations", Name: name, Text: text, Hash: sha256.Sum256([]byte(text)),
		})
	}
	graphtest.Conversations(t, team, filepath.Join("testdata", "trusted", "*.txtar"), *update)
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
