package graph_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gatehouse/graph"
	"gatehouse/internal/account"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/operation"
	"gatehouse/internal/role"
)

// register opens an account and returns its id and an access token.
func (h *house) register(t testing.TB, email string) (id.ID, string) {
	t.Helper()
	a, tokens, err := h.sessions.Register(t.Context(), account.Registration{Email: email, Password: "a long enough secret"})
	must(t, err)
	return a.ID, tokens.Access.Token
}

// login returns an access token.
func (h *house) login(t testing.TB, email string) string {
	t.Helper()
	_, tokens, err := h.sessions.Login(t.Context(), account.Credentials{Email: &email, Password: "a long enough secret"})
	must(t, err)
	return tokens.Access.Token
}

// TestRolesOfAPageAreOneQuery: however many accounts a page has, their roles are read together, and only when asked for.
func TestRolesOfAPageAreOneQuery(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		adminID, _ := h.register(t, "admin@example.com")
		must(t, h.roles.Grant(t.Context(), adminID, role.Admin))
		for i := range 24 {
			h.register(t, fmt.Sprintf("user%d@example.com", i))
		}
		admin := h.login(t, "admin@example.com")
		for query, want := range map[string]int{
			`{ users(first: 25) { nodes { id email } } }`: 0,
			`{ users(first: 25) { nodes { roles } } }`:    1,
			`{ users(first: 25) { nodes { roles scopes } edges { node { id roles ...Rights } } } }
			fragment Rights on User { scopes }`: 1,
		} {
			before := h.statements("account_roles")
			response := h.ask(t.Context(), admin, operation.Request{Query: query})
			if n := strings.Count(string(response.Data), "USER"); response.Errors != nil || want > 0 && n < 25 {
				t.Fatalf("%s: %d roles and errors %v: %s", query, n, response.Errors, response.Data)
			}
			if got := h.statements("account_roles") - before; got != want {
				t.Errorf("%s: %d statements read roles, want %d", query, got, want)
			}
		}
	})
}

// TestPanic: with no features at all every resolver panics. The answer is an internal error, the stack is in the log, the
// value is not, and the next operation is answered.
func TestPanic(t *testing.T) {
	t.Parallel()
	logged := new(log)
	executor := newExecutor(t, graph.Features{Logger: slog.New(slog.NewTextHandler(logged, nil))}, slog.New(slog.DiscardHandler))
	ctx := auth.NewContext(t.Context(), &auth.Caller{AccountID: id.New(time.Unix(0, 0))})
	for query, data := range map[string]string{
		`{ me { id } __typename }`:         `{"me":null,"__typename":"Query"}`,
		`{ a: me { id } b: me { email } }`: `{"a":null,"b":null}`,
		`mutation { login(input: {email: "canary", password: "canary"}) { userErrors { code } } }`: `null`,
	} {
		response := executor.Execute(ctx, operation.Request{Query: query})
		if string(response.Data) != data {
			t.Errorf("%s: data is %s, want %s", query, response.Data, data)
		}
		if len(response.Errors) == 0 {
			t.Fatalf("%s: no errors", query)
		}
		for _, e := range response.Errors {
			if e.Extensions["code"] != string(fault.Internal) || e.Message != fault.InternalMessage {
				t.Errorf("%s: answered %+v", query, e)
			}
		}
	}
	text := logged.String()
	if !strings.Contains(text, "(*query).Me") || strings.Contains(text, "canary") || strings.Contains(text, "nil pointer") {
		t.Errorf("the log has no stack, or has a value:\n%s", text)
	}
}

// TestNewRefuses: a schema that the resolvers do not answer is found at start-up.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	sdl := strings.Replace(readSchema(t), "type User {", "type User {\n  shoeSize: Int", 1)
	if _, err := graph.New(sdl, graph.Features{}); err == nil || !strings.Contains(err.Error(), "shoeSize") {
		t.Errorf("the error is %v, want one that names the field without a resolver", err)
	}
}

// TestIntrospection: what tools ask by default is answered, and what the engine does not know is told apart from a fault.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	executor := newExecutor(t, graph.Features{}, slog.New(slog.DiscardHandler))
	response := executor.Execute(t.Context(), operation.Request{
		Query: `{
			__schema {
				queryType { name }
				mutationType { name }
				types { name kind description fields { name args { name defaultValue } } }
				directives { name }
			}
			__type(name: "User") { name }
		}`,
	})
	var data struct {
		Schema struct {
			Types []struct{ Name, Description string }
		} `json:"__schema"`
		Type struct{ Name string } `json:"__type"`
	}
	must(t, json.Unmarshal(response.Data, &data))
	if len(response.Errors) > 0 || data.Type.Name != "User" || len(data.Schema.Types) < 10 {
		t.Errorf("answered %s, %v", response.Data, response.Errors)
	}
	response = executor.Execute(t.Context(), operation.Request{Query: `{ __schema { directives { isRepeatable } } }`})
	if len(response.Errors) != 1 || response.Errors[0].Extensions["code"] != string(fault.ValidationFailed) {
		t.Errorf("a field that the engine does not know: %s, %+v", response.Data, response.Errors)
	}
}
