package graph

import (
	"context"
	"errors"
	"fmt"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/store"
)

// maxCoordinates bounds how many coordinates one selection of can asks about.
const maxCoordinates = 100

// Query resolves the fields of Query.
type Query[U any] struct {
	features Features
	wrap     func(User) *U
}

// Me answers UNAUTHENTICATED when the account was deleted or disabled after its access token was made.
func (q *Query[U]) Me(ctx context.Context) (*U, error) {
	caller := auth.FromContext(ctx)
	found, err := q.features.Accounts.ByID(ctx, caller.AccountID)
	if errors.Is(err, store.ErrNotFound) || err == nil && found.Disabled() {
		return nil, fault.Anonymous(fault.Revoked)
	}
	if err != nil {
		return nil, err
	}
	return newUsers(ctx, q.features, q.wrap, caller.SessionID, found)[0], nil
}

// User answers null where there is no such account.
func (q *Query[U]) User(ctx context.Context, args struct{ ID ID }) (*U, error) {
	found, err := q.features.Accounts.ByID(ctx, parse(args.ID))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newUsers(ctx, q.features, q.wrap, auth.FromContext(ctx).SessionID, found)[0], nil
}

// Users lists all accounts.
func (q *Query[U]) Users(ctx context.Context, args PageArgs) (*Connection[*U], error) {
	accounts, err := q.features.Accounts.List(ctx, args.Request())
	if err != nil {
		return nil, err
	}
	users := newUsers(ctx, q.features, q.wrap, auth.FromContext(ctx).SessionID, accounts.Nodes...)
	return NewConnection(accounts, users), nil
}

// Can tells the caller which coordinates are theirs to try.
func (q *Query[U]) Can(ctx context.Context, args struct{ Coordinates []string }) ([]bool, error) {
	if len(args.Coordinates) > maxCoordinates {
		return nil, &fault.Error{
			Code: fault.BadUserInput, Message: fmt.Sprintf("Argument \"coordinates\" must have at most %d entries.", maxCoordinates),
		}
	}
	return q.features.Rules.Can(auth.FromContext(ctx), args.Coordinates), nil
}
