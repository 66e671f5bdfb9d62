package operation

import (
	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/policy"
)

// Explained is what an operation comes to for a caller.
type Explained struct {
	Fields []policy.Explanation // in document order; what asks about the schema is not among them

	Introspects bool // it asks about the schema
	// Closed is what the whole operation is denied with, whatever Fields say, because it does and the caller may not; nil where
	// it does not or they may.
	Closed *fault.Error
}

// Explain returns what the request's operation takes, field by field, and whether the caller passes: what Execute would decide,
// in words. Nothing runs. What the caller would be refused before that, such as a field that they cannot see, is returned as
// errors instead.
func (x *Executor) Explain(caller *auth.Caller, req Request) (*Explained, []*Error) {
	a := &answer{}
	doc, problems := x.document(x.policy.View(caller), req.Query)
	if problems != nil {
		return nil, a.refuse(Refused, problems...).Errors
	}
	op, problem := doc.choose(req.OperationName)
	if problem != nil {
		return nil, a.refuse(Refused, *problem).Errors
	}
	variables, problems := doc.edition.coercer.variables(op.definition, req.Variables)
	if problems != nil {
		return nil, a.refuse(Refused, problems...).Errors
	}
	if _, problems = op.statement.bind(doc.edition.coercer, variables); problems != nil {
		return nil, a.refuse(Refused, problems...).Errors
	}
	tree := &ast.QueryDocument{Operations: ast.OperationList{op.definition}, Fragments: op.fragments}
	explained := &Explained{
		Fields: x.policy.Explain(tree, op.definition, caller, variables), Introspects: op.introspects,
	}
	if op.introspects && x.closedTo(caller) {
		explained.Closed = closedIntrospection(caller)
	}
	return explained, nil
}
