package graph_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gatehouse/graph"
	"gatehouse/graph/graphtest"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/operation"
	"gatehouse/internal/role"
)

// TestRolesOfAPageAreOneQuery: however many accounts a page has, their roles are read together, and only when asked for.
func TestRolesOfAPageAreOneQuery(t *testing.T) {
	each(t, func(t *testing.T, h *graphtest.House) {
		adminID, _ := h.Register(t, "admin@example.com")
		must(t, h.Roles.Grant(t.Context(), adminID, role.Admin))
		for i := range 24 {
			h.Register(t, fmt.Sprintf("user%d@example.com", i))
		}
		admin := h.Login(t, "admin@example.com")
		for query, want := range map[string]int{
			`{ users(first: 25) { nodes { id email } } }`: 0,
			`{ users(first: 25) { nodes { roles } } }`:    1,
			`{ users(first: 25) { nodes { roles scopes } edges { node { id roles ...Rights } } } }
			fragment Rights on User { scopes }`: 1,
		} {
			before := h.Statements("account_roles")
			response := h.Ask(t.Context(), admin, operation.Request{Query: query})
			if n := strings.Count(string(response.Data), "USER"); response.Errors != nil || want > 0 && n < 25 {
				t.Fatalf("%s: %d roles and errors %v: %s", query, n, response.Errors, response.Data)
			}
			if got := h.Statements("account_roles") - before; got != want {
				t.Errorf("%s: %d statements read roles, want %d", query, got, want)
			}
		}
	})
}

// TestPanic: with no features at all every resolver panics. The answer is an internal error, the stack is in the log, the
// value is not, and the next operation is answered.
func TestPanic(t *testing.T) {
	t.Parallel()
	logged := new(graphtest.Log)
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
	stack := strings.Contains(text, "graph.(*Query[...]).Me")
	if !stack || strings.Contains(text, "canary") || strings.Contains(text, "nil pointer") {
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

// TestEngineTellsNothingOfTheSchema: introspection is answered before the engine, from what the caller may see. The engine, which
// sees all of it, refuses even if it is asked.
func TestEngineTellsNothingOfTheSchema(t *testing.T) {
	t.Parallel()
	engine, err := graph.New(readSchema(t), graph.Features{})
	must(t, err)
	for _, query := range []string{`{ __schema { types { name } } }`, `{ __type(name: "User") { name } }`} {
		result := engine.Execute(t.Context(), operation.Request{Query: query})
		if strings.Contains(string(result.Data), "User") {
			t.Errorf("%s: answered %s", query, result.Data)
		}
	}
	result := engine.Execute(t.Context(), operation.Request{Query: `{ __typename }`})
	if string(result.Data) != `{"__typename":"Query"}` {
		t.Errorf("__typename: answered %s, %v", result.Data, result.Errors)
	}
}
