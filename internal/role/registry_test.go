package role_test

import (
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/role"
)

func TestDefaultRegistry(t *testing.T) {
	t.Parallel()
	registry, err := role.Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		roles []string
		want  []string
	}{
		{nil, []string{}},
		{[]string{role.User}, []string{}},
		{[]string{role.Admin}, []string{"users:read", "sessions:read", "audit:read"}},
		{[]string{role.Admin, role.User, role.Admin}, []string{"users:read", "sessions:read", "audit:read"}},
		{[]string{"OF_A_NEWER_VERSION"}, []string{}},
	} {
		if got := registry.Scopes(tt.roles); got == nil || !slices.Equal(got, tt.want) {
			t.Errorf("Scopes(%q) = %#v, want %#v", tt.roles, got, tt.want)
		}
	}
	for name, want := range map[string]bool{"USER": true, "ADMIN": true, "admin": false, "": false} {
		if registry.Knows(name) != want {
			t.Errorf("Knows(%q) = %t", name, !want)
		}
	}
	if got := registry.Vocabulary().Names(); !slices.Equal(got, []string{"users:read", "sessions:read", "audit:read"}) {
		t.Errorf("vocabulary %q", got)
	}
}

func TestScopesOfSeveralRoles(t *testing.T) {
	t.Parallel()
	scopes := []role.Scope{{"a:read", "Reads a."}, {"a:write", "Writes a."}, {"b:read", "Reads b."}}
	roles := []role.Role{
		{"READER", "Reads.", []string{"b:read", "a:read"}},
		{"A_KEEPER", "Keeps a.", []string{"a:write", "a:read"}},
	}
	registry, err := role.NewRegistry(scopes, roles)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a:read", "a:write", "b:read"}
	if got := registry.Scopes([]string{"READER", "A_KEEPER"}); !slices.Equal(got, want) {
		t.Errorf("got %q, want each once, as defined: %q", got, want)
	}

	// What was passed in is the caller's: changing it changes no registry.
	roles[0].Scopes[0], roles[1].Scopes[0], scopes[0].Name = "a:write", "b:read", "changed"
	if got := registry.Scopes([]string{"READER"}); !slices.Equal(got, []string{"a:read", "b:read"}) {
		t.Errorf("READER now carries %q", got)
	}
	if got := registry.Scopes([]string{"A_KEEPER"}); !slices.Equal(got, []string{"a:read", "a:write"}) {
		t.Errorf("A_KEEPER now carries %q", got)
	}
}

func TestRegistryRefuses(t *testing.T) {
	t.Parallel()
	read := role.Scope{Name: "a:read", Description: "Reads a."}
	tests := []struct {
		name   string
		scopes []role.Scope
		roles  []role.Role
		want   []string
	}{
		{"empty scope", []role.Scope{{"", "Nothing."}}, nil, []string{`scope "": not a scope-token`}},
		{"space in a scope", []role.Scope{{"a b", "Two."}}, nil, []string{`scope "a b": not a scope-token`}},
		{"quote in a scope", []role.Scope{{`a"`, "Quoted."}}, nil, []string{"not a scope-token"}},
		{"backslash in a scope", []role.Scope{{`a\`, "Escaped."}}, nil, []string{"not a scope-token"}},
		{"control in a scope", []role.Scope{{"a\x7f", "Deleted."}}, nil, []string{"not a scope-token"}},
		{"scope beyond ASCII", []role.Scope{{"caf\u00e9", "Serves."}}, nil, []string{"not a scope-token"}},
		{"scope twice", []role.Scope{read, read}, nil, []string{`scope "a:read": defined twice`}},
		{"scope without description", []role.Scope{{"a:read", ""}}, nil, []string{`scope "a:read": has no description`}},
		{"role in lower case", nil, []role.Role{{"admin", "All.", nil}}, []string{`role "admin": not an upper-case name`}},
		{"role that begins with a digit", nil, []role.Role{{"1ST", "All.", nil}}, []string{"not an upper-case name"}},
		{"role without name", nil, []role.Role{{"", "All.", nil}}, []string{"not an upper-case name"}},
		{"role twice", nil, []role.Role{{"A", "One.", nil}, {"A", "Two.", nil}}, []string{`role "A": defined twice`}},
		{"role without description", nil, []role.Role{{"A", "", nil}}, []string{`role "A": has no description`}},
		{
			"unknown scope",
			[]role.Scope{read},
			[]role.Role{{"A", "One.", []string{"a:reed"}}},
			[]string{`undefined scope "a:reed"`},
		},
		{
			"scope carried twice",
			[]role.Scope{read},
			[]role.Role{{"A", "One.", []string{"a:read", "a:read"}}},
			[]string{`carries the scope "a:read" twice`},
		},
		{
			"everything at once",
			[]role.Scope{read, read, {"b b", "B."}},
			[]role.Role{{"a", "", []string{"c"}}},
			[]string{"defined twice", "not a scope-token", "not an upper-case name", `undefined scope "c"`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry, err := role.NewRegistry(tt.scopes, tt.roles)
			if err == nil || registry != nil {
				t.Fatal("accepted")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if got := len(strings.Split(err.Error(), "\n")); got != len(tt.want) {
				t.Errorf("%d complaints, want %d: %s", got, len(tt.want), err)
			}
		})
	}
}

func TestRegistryWith(t *testing.T) {
	t.Parallel()
	own, err := role.Default()
	if err != nil {
		t.Fatal(err)
	}
	scopes := []role.Scope{{Name: "notes:read", Description: "Read notes."}}
	more, err := own.With(scopes, []role.Role{
		{Name: "EDITOR", Description: "Edits.", Scopes: []string{"notes:read", "users:read"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !more.Knows(role.Admin) || !more.Knows("EDITOR") || own.Knows("EDITOR") || own.Vocabulary().Knows("notes:read") {
		t.Error("the new registry has both, the old one is as it was")
	}
	if got := more.Scopes([]string{"EDITOR"}); !slices.Equal(got, []string{"users:read", "notes:read"}) {
		t.Errorf("EDITOR carries %v", got)
	}
	for name, roles := range map[string][]role.Role{
		"a role of ours":     {{Name: role.User, Description: "Everybody.", Scopes: []string{"notes:read"}}},
		"an undefined scope": {{Name: "EDITOR", Description: "Edits.", Scopes: []string{"notes:write"}}},
	} {
		if _, err := own.With(scopes, roles); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := own.With([]role.Scope{{Name: "users:read", Description: "Again."}}, nil); err == nil {
		t.Error("a scope of ours: no error")
	}
}
