package graph

import (
	"context"
	"sync"

	"gatehouse/internal/account"
	"gatehouse/internal/id"
)

// User resolves User. EmailVerified, Username and Name resolve by themselves from the account.
type User struct {
	account.Account

	features Features
	asking   id.ID                              // the session that the answer goes to; zero if there is none
	grants   func() (map[id.ID][]string, error) // the roles of all accounts it was made with, read when first asked for
}

// newUsers wraps accounts that are shown together, to the session that is asking: the roles of all of them are read by one query,
// if any are selected.
func newUsers[U any](
	ctx context.Context, features Features, wrap func(User) *U, asking id.ID, accounts ...*account.Account,
) []*U {
	grants := sync.OnceValues(func() (map[id.ID][]string, error) {
		ids := make([]id.ID, len(accounts))
		for i, a := range accounts {
			ids[i] = a.ID
		}
		return features.Roles.Of(ctx, ids...)
	})
	users := make([]*U, len(accounts))
	for i, a := range accounts {
		users[i] = wrap(User{Account: *a, features: features, asking: asking, grants: grants})
	}
	return users
}

// ID returns the account's id.
func (u *User) ID() ID { return ID(u.Account.ID.String()) }

// Email returns the address as the person typed it.
func (u *User) Email() *EmailAddress {
	address := EmailAddress(u.Account.Email)
	return &address
}

// Roles returns the roles that the account was granted.
func (u *User) Roles() ([]string, error) {
	grants, err := u.grants()
	if err != nil {
		return nil, err
	}
	return grants[u.Account.ID], nil
}

// Scopes returns what those roles allow.
func (u *User) Scopes() ([]string, error) {
	roles, err := u.Roles()
	if err != nil {
		return nil, err
	}
	return u.features.Roles.Registry().Scopes(roles), nil
}

// CreatedAt returns when the account was opened.
func (u *User) CreatedAt() DateTime { return DateTime{u.Account.CreatedAt} }

// UpdatedAt returns when the account was last changed.
func (u *User) UpdatedAt() DateTime { return DateTime{u.Account.UpdatedAt} }
