// Package graph owns the translation between the schema and the features: a resolver per field that needs one, payloads, and
// the mapping of errors. It is the only package that knows the GraphQL engine, graph-gophers/graphql-go.
//
// It must never hold a rule of its own: what may be done is for the features to say, and who may do it for the schema.
package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/graph-gophers/graphql-go"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
	"gatehouse/internal/role"
	"gatehouse/internal/session"
)

// parallel is how many resolvers of one operation may run at once. More would let a single operation occupy a database pool.
const parallel = 8

// comparisons is how many pairs of fields the engine may compare to find out whether they can be merged, which it does anew for
// each request. A document of 1,000 tokens takes about half as many, unless its fragments are printed many times; twice as
// many would take longer than 50 ms and more than 32 MiB.
const comparisons = 100_000

// Features is what the resolvers call. All of it is required.
type Features struct {
	Sessions *session.Service
	Accounts *account.Service
	Roles    *role.Service
	Audit    *audit.Log
	Feed     *audit.Feed
	Rules    *policy.Engine // of the schema that is bound
	Logger   *slog.Logger   // for the stacks of panics
}

// Engine executes operations. It tells nothing of the schema: what a caller may see of that is operation's to say. It is safe for
// concurrent use.
type Engine struct {
	schema *graphql.Schema
}

// New binds the features to the schema sdl, which is Gatehouse's own. It fails when a field of the schema has no resolver, or one
// of another type.
func New(sdl string, features Features) (*Engine, error) {
	return Extend(sdl, features, Resolvers[User]{User: func(u User) *User { return &u }})
}

// Resolvers are a team's own, around Gatehouse's. In each the method of a field has the field's name, as here.
type Resolvers[U any] struct {
	// User makes a U of a User. U embeds User by value and has a method for each field that was added to the type; there is no
	// other type of Gatehouse's that a field with a resolver can be added to. Required.
	User func(User) *U
	// Query returns a pointer to a struct that embeds what it is given and has a method for each field added to Query. Nil where
	// there is none.
	Query func(*Query[U]) any
	// Mutation is the same for Mutation.
	Mutation func(*Mutation[U]) any
	// Subscription is the same for Subscription. The method of a field takes a context, with the caller in it, and returns a
	// channel of its events, which it closes when that context ends, if not before.
	Subscription func(*Subscription) any
}

// Extend is [New] for a schema that somebody has added to.
func Extend[U any](sdl string, features Features, resolvers Resolvers[U]) (*Engine, error) {
	own := &root{
		query: &Query[U]{features, resolvers.User}, mutation: &Mutation[U]{features, resolvers.User},
		subscription: &Subscription{features},
	}
	if resolvers.Query != nil {
		own.query = resolvers.Query(&Query[U]{features, resolvers.User})
	}
	if resolvers.Mutation != nil {
		own.mutation = resolvers.Mutation(&Mutation[U]{features, resolvers.User})
	}
	if resolvers.Subscription != nil {
		own.subscription = resolvers.Subscription(&Subscription{features})
	}
	stacks := panics{features.Logger}
	schema, err := graphql.ParseSchema(sdl, own,
		graphql.UseStringDescriptions(),
		graphql.UseFieldResolvers(),
		graphql.DisableFieldSelections(),
		graphql.RestrictIntrospection(func(context.Context) bool { return false }),
		graphql.MaxParallelism(parallel),
		graphql.OverlapValidationLimit(comparisons),
		graphql.SubscribeResolverTimeout(patience),
		graphql.Logger(stacks),
		graphql.PanicHandler(stacks),
	)
	if err != nil {
		return nil, fmt.Errorf("graph: bind the schema: %w", err)
	}
	return &Engine{schema: schema}, nil
}

// Execute implements [operation.Engine]. Every error in the result is a *fault.Error.
func (e *Engine) Execute(ctx context.Context, req operation.Request) operation.Result {
	return translate(e.schema.Exec(ctx, req.Query, req.OperationName, req.Variables))
}

// translate returns what the engine answered, its errors as what they are to a client.
func translate(response *graphql.Response) operation.Result {
	result := operation.Result{Data: response.Data}
	for _, err := range response.Errors {
		if err.Path == nil && errors.Is(err, errPanic) {
			result.Data = nil // the engine broke off while writing: what it wrote need not be JSON
		}
		result.Errors = append(result.Errors, operation.ResolverError{Path: err.Path, Err: explain(err)})
	}
	return result
}

// root tells the engine which resolvers belong to which root type.
type root struct{ query, mutation, subscription any }

func (r *root) Query() any        { return r.query }
func (r *root) Mutation() any     { return r.mutation }
func (r *root) Subscription() any { return r.subscription }
