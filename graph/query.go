package graph

import (
	"context"
	"errors"

	"github.com/graph-gophers/graphql-go"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/store"
)

// query resolves the fields of Query.
type query struct{ features Features }

// Me answers UNAUTHENTICATED when the account was deleted or disabled after its access token was made.
func (q *query) Me(ctx context.Context) (*user, error) {
	found, err := q.account(ctx, auth.FromContext(ctx).AccountID)
	if err == nil && (found == nil || found.Disabled()) {
		return nil, fault.Anonymous(fault.Revoked)
	}
	return found, err
}

// User answers null also for a text that is no id: it is the id of nobody.
func (q *query) User(ctx context.Context, args struct{ ID graphql.ID }) (*user, error) {
	accountID, err := id.Parse(string(args.ID))
	if errors.Is(err, id.ErrMalformed) {
		return nil, nil
	}
	return q.account(ctx, accountID)
}

// pageArgs are the arguments of a connection. First is nullable though it has a default: a client may still send null.
type pageArgs struct {
	First graphql.NullInt
	After *string
}

func (a pageArgs) request() page.Request {
	r := page.Request{First: page.DefaultSize}
	if a.First.Value != nil {
		r.First = int(*a.First.Value)
	}
	if a.After != nil {
		r.After = *a.After
	}
	return r
}

func (q *query) Users(ctx context.Context, args pageArgs) (*userConnection, error) {
	accounts, err := q.features.Accounts.List(ctx, args.request())
	if err != nil {
		return nil, err
	}
	return &userConnection{page: accounts, users: newUsers(ctx, q.features.Roles, accounts.Nodes...)}, nil
}

// account returns the account, nil when there is none.
func (q *query) account(ctx context.Context, accountID id.ID) (*user, error) {
	found, err := q.features.Accounts.ByID(ctx, accountID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newUsers(ctx, q.features.Roles, found)[0], nil
}
