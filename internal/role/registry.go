package role

import (
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/auth"
)

// The roles of [Default].
const (
	User  = "USER"  // every account, from its registration on
	Admin = "ADMIN" // granted by hand
)

// Scope is one thing a caller may be allowed to do. Rules in the schema ask for scopes, never for roles.
type Scope struct {
	Name        string // a scope-token of RFC 6749 section 3.3, by habit "noun:verb"
	Description string // a sentence for whoever decides on granting it
}

// Role is a bundle of scopes under one name. Accounts are granted roles, never single scopes.
type Role struct {
	Name        string // upper-case letters, digits and underscores, beginning with a letter
	Description string // a sentence for whoever decides on granting it
	Scopes      []string
}

// Registry is the closed list of the scopes and roles that a server knows. It is immutable.
type Registry struct {
	scopes     []Scope
	roles      []Role
	vocabulary *auth.Vocabulary
}

// NewRegistry returns the registry of the given definitions, in their order. Its error lists everything that is wrong with
// them: a name outside its character set or defined twice, a missing description, a role that carries a scope twice or one
// that is not defined.
func NewRegistry(scopes []Scope, roles []Role) (*Registry, error) {
	var wrong []error
	known := make(map[string]bool, len(scopes))
	names := make([]string, 0, len(scopes))
	for _, s := range scopes {
		switch {
		case !scopeToken(s.Name):
			wrong = append(wrong, fmt.Errorf("role: scope %q: not a scope-token of RFC 6749", s.Name))
		case known[s.Name]:
			wrong = append(wrong, fmt.Errorf("role: scope %q: defined twice", s.Name))
		case s.Description == "":
			wrong = append(wrong, fmt.Errorf("role: scope %q: has no description", s.Name))
		}
		known[s.Name] = true
		names = append(names, s.Name)
	}
	defined := make(map[string]bool, len(roles))
	for _, r := range roles {
		switch {
		case !roleName(r.Name):
			wrong = append(wrong, fmt.Errorf("role: role %q: not an upper-case name such as %s", r.Name, Admin))
		case defined[r.Name]:
			wrong = append(wrong, fmt.Errorf("role: role %q: defined twice", r.Name))
		case r.Description == "":
			wrong = append(wrong, fmt.Errorf("role: role %q: has no description", r.Name))
		}
		defined[r.Name] = true
		for i, scope := range r.Scopes {
			if !known[scope] {
				wrong = append(wrong, fmt.Errorf("role: role %q: carries the undefined scope %q", r.Name, scope))
			}
			if slices.Contains(r.Scopes[:i], scope) {
				wrong = append(wrong, fmt.Errorf("role: role %q: carries the scope %q twice", r.Name, scope))
			}
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	vocabulary, err := auth.NewVocabulary(names...)
	if err != nil {
		return nil, fmt.Errorf("role: %w", err)
	}
	registry := &Registry{scopes: slices.Clone(scopes), roles: slices.Clone(roles), vocabulary: vocabulary}
	for i := range registry.roles {
		registry.roles[i].Scopes = slices.Clone(roles[i].Scopes)
	}
	return registry, nil
}

// Default returns the registry of Gatehouse itself. What builds on it adds definitions of its own with [Registry.With].
func Default() (*Registry, error) {
	return NewRegistry(
		[]Scope{
			{Name: "users:read", Description: "Read every account, not only one's own."},
			{Name: "sessions:read", Description: "See where every account is signed in, not only one's own."},
			{Name: "audit:read", Description: "Read what happened to every account and key, not only to one's own account."},
		},
		[]Role{
			{Name: User, Description: "Everybody who registered. Carries no scope: one's own things need none."},
			{
				Name: Admin, Description: "Looks after the accounts of others.",
				Scopes: []string{"users:read", "sessions:read", "audit:read"},
			},
		},
	)
}

// With returns a registry that has more scopes and roles, behind those of r. The error is that of [NewRegistry]: also for a name
// that r has already, so that nobody can change what one of its roles carries.
func (r *Registry) With(scopes []Scope, roles []Role) (*Registry, error) {
	return NewRegistry(slices.Concat(r.scopes, scopes), slices.Concat(r.roles, roles))
}

// Vocabulary returns the scopes as bits, for policy and token.
func (r *Registry) Vocabulary() *auth.Vocabulary { return r.vocabulary }

// Knows reports whether role is one of the registry's.
func (r *Registry) Knows(role string) bool {
	return slices.ContainsFunc(r.roles, func(known Role) bool { return known.Name == role })
}

// Names returns the names of the roles in their order of definition.
func (r *Registry) Names() []string {
	names := make([]string, len(r.roles))
	for i, role := range r.roles {
		names[i] = role.Name
	}
	return names
}

// Scopes returns what the given roles carry together, each scope once, in their order of definition. Roles the registry
// does not know, such as one that a newer version granted, carry nothing.
func (r *Registry) Scopes(roles []string) []string {
	carried := []string{}
	for _, scope := range r.scopes {
		carries := func(role Role) bool {
			return slices.Contains(roles, role.Name) && slices.Contains(role.Scopes, scope.Name)
		}
		if slices.ContainsFunc(r.roles, carries) {
			carried = append(carried, scope.Name)
		}
	}
	return carried
}

// scopeToken reports whether name is a scope-token of RFC 6749 section 3.3: printable ASCII without space, quote and
// backslash, which is what separates and quotes scopes in a token and a header.
func scopeToken(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return name != ""
}

func roleName(name string) bool {
	for i, c := range []byte(name) {
		letter := c >= 'A' && c <= 'Z'
		later := i > 0 && (c >= '0' && c <= '9' || c == '_')
		if !letter && !later {
			return false
		}
	}
	return name != ""
}
