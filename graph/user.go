package graph

import (
	"context"
	"sync"

	"github.com/graph-gophers/graphql-go"

	"gatehouse/internal/account"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/role"
)

// user resolves User. EmailVerified, Username and Name resolve by themselves from the account.
type user struct {
	account.Account

	grants   func() (map[id.ID][]string, error) // the roles of all accounts it was made with, read when first asked for
	registry *role.Registry
}

// newUsers wraps accounts that are shown together: the roles of all of them are read by one query, if any are selected.
func newUsers(ctx context.Context, roles *role.Service, accounts ...*account.Account) []*user {
	grants := sync.OnceValues(func() (map[id.ID][]string, error) {
		ids := make([]id.ID, len(accounts))
		for i, a := range accounts {
			ids[i] = a.ID
		}
		return roles.Of(ctx, ids...)
	})
	users := make([]*user, len(accounts))
	for i, a := range accounts {
		users[i] = &user{Account: *a, grants: grants, registry: roles.Registry()}
	}
	return users
}

func (u *user) ID() graphql.ID { return graphql.ID(u.Account.ID.String()) }

func (u *user) Email() *emailAddress {
	address := emailAddress(u.Account.Email)
	return &address
}

func (u *user) Roles() ([]string, error) {
	grants, err := u.grants()
	if err != nil {
		return nil, err
	}
	return grants[u.Account.ID], nil
}

func (u *user) Scopes() ([]string, error) {
	roles, err := u.Roles()
	if err != nil {
		return nil, err
	}
	return u.registry.Scopes(roles), nil
}

func (u *user) CreatedAt() dateTime { return dateTime{u.Account.CreatedAt} }

func (u *user) UpdatedAt() dateTime { return dateTime{u.Account.UpdatedAt} }

// userConnection resolves UserConnection.
type userConnection struct {
	page  page.Page[*account.Account]
	users []*user
}

// userEdge resolves UserEdge by its fields.
type userEdge struct {
	Cursor string
	Node   *user
}

func (c *userConnection) Edges() []userEdge {
	edges := make([]userEdge, len(c.users))
	for i, u := range c.users {
		edges[i] = userEdge{Cursor: c.page.Cursors[i], Node: u}
	}
	return edges
}

func (c *userConnection) Nodes() []*user { return c.users }

func (c *userConnection) PageInfo() pageInfo { return newPageInfo(c.page) }

// pageInfo resolves PageInfo by its fields.
type pageInfo struct {
	HasNextPage, HasPreviousPage bool
	StartCursor, EndCursor       *string
}

func newPageInfo[T any](p page.Page[T]) pageInfo {
	info := pageInfo{HasNextPage: p.HasNext, HasPreviousPage: p.HasPrevious}
	if n := len(p.Cursors); n > 0 {
		info.StartCursor, info.EndCursor = &p.Cursors[0], &p.Cursors[n-1]
	}
	return info
}
