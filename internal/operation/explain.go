package operation

import (
	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
	"gatehouse/internal/policy"
)

// Explain returns what every field of the request's operation takes, and whether the caller passes: what Execute would decide,
// in words. Nothing runs. What the caller would be refused before that, such as a field that they cannot see, is returned as
// errors instead.
func (x *Executor) Explain(caller *auth.Caller, req Request) ([]policy.Explanation, []*Error) {
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
	return x.policy.Explain(tree, op.definition, caller, variables), nil
}
