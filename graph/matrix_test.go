package graph_test

import (
	"testing"

	"gatehouse/graph/graphtest"
)

// TestMatrix tries every protected place of the API.
func TestMatrix(t *testing.T) {
	t.Parallel()
	graphtest.Matrix(t, plan(t))
}

// TestStepUpMatrix tries a stricter API.
func TestStepUpMatrix(t *testing.T) {
	t.Parallel()
	graphtest.Matrix(t, stepUp(t))
}

// subscribing is an API whose subscriptions have every kind of rule.
func subscribing(t *testing.T) graphtest.Plan {
	t.Helper()
	p := plan(t)
	p.SDL += `
extend type Subscription @auth(maxAge: 900) {
  everybodys: SecurityEvent @auth(scopes: [["audit:read"]])
  somebodys(input: WhoseInput!): SecurityEvent @auth(owner: "args.input.accountId", orScopes: [["audit:read", "users:read"]])
  proved: User @own @auth(acr: "mfa")
  secrets: Secret @auth(scopes: [["audit:read"]], hidden: true)
  kept: Kept @auth
}
interface Kept @auth(scopes: [["sessions:read"]]) { text: String @auth(maxAge: 300) }
type Note implements Kept { text: String }
input WhoseInput { accountId: ID!, since: String }
type Secret @auth(scopes: [["users:read"]]) { text: String }`
	return p
}

// TestSubscriptionMatrix tries an API with more subscriptions.
func TestSubscriptionMatrix(t *testing.T) {
	t.Parallel()
	graphtest.Matrix(t, subscribing(t))
}

// TestEverySubscriptionRuleIsLocked loosens every rule of an API with more subscriptions, one at a time.
func TestEverySubscriptionRuleIsLocked(t *testing.T) {
	t.Parallel()
	graphtest.EveryRuleIsLocked(t, subscribing(t))
}

// TestEveryRuleIsLocked loosens every rule of the API, one at a time.
func TestEveryRuleIsLocked(t *testing.T) {
	t.Parallel()
	graphtest.EveryRuleIsLocked(t, plan(t))
}

// TestEveryStepUpRuleIsLocked loosens every rule of a stricter API.
func TestEveryStepUpRuleIsLocked(t *testing.T) {
	t.Parallel()
	graphtest.EveryRuleIsLocked(t, stepUp(t))
}
