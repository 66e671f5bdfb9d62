package operation

import (
	"context"
	"errors"
	"iter"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/fault"
	"gatehouse/internal/request"
)

// Subscribe answers any operation with a stream of responses, for the caller and the request that ctx carries. A subscription has
// one for each event; a query, a mutation and what is refused or denied have the one that [Executor.Execute] would return.
//
// Policy decides once, before the first event. What changes later is told through ctx: when it ends and its cause is a
// *fault.Error, such as UNAUTHENTICATED because the access token expired, that is the last response. When it ends for another
// reason, nothing follows.
func (x *Executor) Subscribe(ctx context.Context, req Request) iter.Seq[*Response] {
	return func(yield func(*Response) bool) {
		a := &answer{requestID: request.FromContext(ctx).ID}
		taking := false // a panic is the consumer's own
		more := true    // the consumer has not had enough
		defer func() {
			if taking {
				return
			}
			if v := recover(); v != nil {
				if response := x.panicked(ctx, a, v); more {
					yield(response)
				}
			}
		}()
		give := func(r *Response) bool {
			taking = true
			more = yield(r)
			taking = false
			return more
		}
		permitted, refusal := x.admit(ctx, a, req, true)
		switch {
		case refusal != nil:
			give(refusal)
		case permitted.op.definition.Operation != ast.Subscription:
			give(x.execute(ctx, a, permitted))
		default:
			x.follow(ctx, a, permitted, give)
		}
	}
}

// follow gives a response for each event of a subscription.
func (x *Executor) follow(ctx context.Context, a *answer, p *permitted, give func(*Response) bool) {
	for result := range x.engine.Subscribe(ctx, p.statement) {
		if ctx.Err() != nil {
			break // the engine's way of saying so is no error of the operation's
		}
		event := *a // whose names every response has
		if !give(x.report(ctx, &event, p.op, result)) {
			return
		}
	}
	if ended, ok := errors.AsType[*fault.Error](context.Cause(ctx)); ok {
		give(a.refuse(Denied, problem{fault: ended}))
	}
}

// single refuses a subscription that selects its field under two names, which gqlparser's rule lets through, and one whose field
// may be left out: nobody could say then what it waits for. The edition of the specification after October 2021 has the latter as
// a rule of validation.
func single(doc *ast.QueryDocument, op *ast.OperationDefinition) []problem {
	if op.Operation != ast.Subscription {
		return nil
	}
	var name string
	for f := range fields(op.SelectionSet, doc.Fragments) {
		if name != "" && f.Alias != name {
			return []problem{reject(fault.ValidationFailed, onlyOneField, f.Position)}
		}
		name = f.Alias
	}
	return unconditional(op.SelectionSet, doc.Fragments)
}

func unconditional(set ast.SelectionSet, fragments ast.FragmentDefinitionList) []problem {
	for _, selection := range set {
		var directives ast.DirectiveList
		var below ast.SelectionSet
		switch s := selection.(type) {
		case *ast.Field:
			directives = s.Directives
		case *ast.InlineFragment:
			directives, below = s.Directives, s.SelectionSet
		case *ast.FragmentSpread:
			directives, below = s.Directives, fragments.ForName(s.Name).SelectionSet
		}
		if len(directives) > 0 {
			return []problem{reject(fault.ValidationFailed, "The field of a subscription cannot be left out or included on a condition.",
				selection.GetPosition())}
		}
		if problems := unconditional(below, fragments); problems != nil {
			return problems
		}
	}
	return nil
}
