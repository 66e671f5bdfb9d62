package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/graph-gophers/graphql-go"
	gqlerrors "github.com/graph-gophers/graphql-go/errors"

	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
	"gatehouse/internal/store"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	known := fault.Anonymous(fault.Revoked)
	syntax := fmt.Errorf("%w: canary", gqlerrors.ErrSyntax)
	tests := map[string]struct {
		err  *gqlerrors.QueryError
		want fault.Code
	}{
		"a fault":           {&gqlerrors.QueryError{ResolverError: known}, fault.Unauthenticated},
		"a wrapped fault":   {&gqlerrors.QueryError{ResolverError: fmt.Errorf("account: %w", known)}, fault.Unauthenticated},
		"no database":       {&gqlerrors.QueryError{ResolverError: fmt.Errorf("account: %w", store.ErrUnavailable)}, fault.Unavailable},
		"a late resolver":   {&gqlerrors.QueryError{ResolverError: context.DeadlineExceeded}, fault.Unavailable},
		"a late engine":     {&gqlerrors.QueryError{Message: "canary", Err: context.DeadlineExceeded}, fault.Unavailable},
		"a client gone":     {&gqlerrors.QueryError{Message: "canary", Err: context.Canceled}, fault.Unavailable},
		"a panic":           {panics{}.MakePanicError(t.Context(), "canary"), fault.Internal},
		"another error":     {&gqlerrors.QueryError{Message: "canary", ResolverError: errors.New("canary")}, fault.Internal},
		"user errors":       {&gqlerrors.QueryError{ResolverError: fault.User(fault.EmailTaken, "email", "canary")}, fault.Internal},
		"a missing row":     {&gqlerrors.QueryError{ResolverError: store.ErrNotFound}, fault.Internal},
		"a rule":            {&gqlerrors.QueryError{Message: "canary", Rule: "OverlappingFieldsCanBeMergedRule"}, fault.Internal},
		"comparisons":       {&gqlerrors.QueryError{Message: "canary", Rule: "OverlapValidationLimitExceeded"}, fault.ValidationFailed},
		"a syntax error":    {&gqlerrors.QueryError{Message: "canary", Err: syntax}, fault.Internal},
		"null for non-null": {&gqlerrors.QueryError{Message: "canary"}, fault.Internal},
		"too many fields":   {&gqlerrors.QueryError{Message: "canary", Err: errors.New("canary")}, fault.Internal},
	}
	for name, test := range tests {
		got := explain(test.err)
		if got.Code != test.want || strings.Contains(got.Error(), "canary") {
			t.Errorf("%s: became %q, want %s and nothing of its text", name, got.Error(), test.want)
		}
		if got.Code == fault.Internal && got.Cause == nil {
			t.Errorf("%s: the log will not say why", name)
		}
		if test.err.ResolverError == nil && got.Cause != nil && strings.Contains(got.Cause.Error(), "canary") {
			t.Errorf("%s: the engine's own text reaches the log: %q", name, got.Cause)
		}
	}
}

// unwritable is a scalar that resolves and then cannot be written.
type unwritable struct{}

func (unwritable) ImplementsGraphQLType(name string) bool { return name == "String" }
func (unwritable) UnmarshalGraphQL(any) error             { return nil }
func (unwritable) MarshalJSON() ([]byte, error)           { return nil, errors.New("canary") }

type brokenRoot struct{}

func (brokenRoot) Plain() unwritable                     { return unwritable{} }
func (brokenRoot) Deep() *brokenRoot                     { return &brokenRoot{} }
func (brokenRoot) Parallel(context.Context) unwritable   { return unwritable{} }
func (brokenRoot) Children(context.Context) []brokenRoot { return make([]brokenRoot, 3) }

// TestBrokenResult: when the engine breaks off in the middle of writing, what it wrote is thrown away, for it is not JSON.
func TestBrokenResult(t *testing.T) {
	t.Parallel()
	const sdl = `
		type Query { plain: String!  deep: Query!  parallel: String!  children: [Query!]! }`
	logged := panics{slog.New(slog.DiscardHandler)}
	schema, err := graphql.ParseSchema(sdl, &brokenRoot{}, graphql.PanicHandler(logged), graphql.Logger(logged))
	if err != nil {
		t.Fatal(err)
	}
	engine := &Engine{schema: schema}
	for _, query := range []string{
		`{ plain }`, `{ deep { deep { plain } } }`, `{ parallel }`, `{ __typename parallel }`,
		`{ children { plain } }`, `{ children { parallel deep { parallel } } }`,
	} {
		result := engine.Execute(t.Context(), operation.Request{Query: query})
		if result.Data != nil {
			t.Errorf("%s: data is %s, want none", query, result.Data)
		}
		if len(result.Errors) == 0 {
			t.Errorf("%s: no errors", query)
		}
		for _, e := range result.Errors {
			if got := fault.From(e.Err); got.Code != fault.Internal || !errors.Is(got, errPanic) {
				t.Errorf("%s: failed with %v", query, e.Err)
			}
		}
	}
}
