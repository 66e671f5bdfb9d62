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
	"gatehouse/internal/operation"
	"gatehouse/internal/role"
	"gatehouse/internal/session"
)

// parallel is how many resolvers of one operation may run at once. More would let a single operation occupy a database pool.
const parallel = 8

// Features is what the resolvers call. All of it is required.
type Features struct {
	Sessions *session.Service
	Accounts *account.Service
	Roles    *role.Service
	Logger   *slog.Logger // for the stacks of panics
}

// Engine executes operations, introspection included: who may ask for that is operation's to say. It is safe for concurrent use.
type Engine struct {
	schema *graphql.Schema
}

// New binds the features to the schema sdl. It fails when a field of the schema has no resolver, or one of another type.
func New(sdl string, features Features) (*Engine, error) {
	stacks := panics{features.Logger}
	schema, err := graphql.ParseSchema(sdl, &root{features},
		graphql.UseStringDescriptions(),
		graphql.UseFieldResolvers(),
		graphql.DisableFieldSelections(),
		graphql.MaxParallelism(parallel),
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
	response := e.schema.Exec(ctx, req.Query, req.OperationName, req.Variables)
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
type root struct{ features Features }

func (r *root) Query() *query       { return &query{r.features} }
func (r *root) Mutation() *mutation { return &mutation{r.features} }
