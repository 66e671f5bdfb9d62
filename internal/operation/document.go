package operation

import (
	"iter"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/fault"
	"gatehouse/internal/policy"
)

// document is a valid document with all that can be known of it before a request: what the cache holds. It is immutable.
type document struct {
	edition    *edition // the schema that it is valid against
	text       string
	operations []*prepared
	bytes      int // an estimate of its size in memory
}

// prepared is one operation of a document.
type prepared struct {
	definition  *ast.OperationDefinition
	fragments   ast.FragmentDefinitionList
	plan        *policy.Plan
	statement   *statement
	introspects bool
}

// bytesPerToken is what a token of a document takes in memory: its node in the tree with its position, and its share of the
// plan and the statement. Measured on fields without arguments, the smallest, which take most per token.
const bytesPerToken = 450

// document returns the document of the text for callers with the given view, from the cache where it is known. Only valid
// documents are kept: whoever sends garbage pays for it each time, and displaces nothing.
func (x *Executor) document(view policy.View, query string) (*document, []problem) {
	if known, ok := x.documents.GetIfPresent(documentKey{view, query}); ok {
		return known, nil
	}
	query = strings.Clone(query) // what is kept should not keep the request's body alive with it
	prepared, problems := x.prepare(x.editions.of(view), query)
	if len(problems) > 0 {
		return nil, problems
	}
	x.documents.Set(documentKey{view, query}, prepared)
	return prepared, nil
}

// prepare does the work from text to document, the cheap refusals first.
func (x *Executor) prepare(e *edition, query string) (*document, []problem) {
	tree, tokens, problems := x.limits.parse(query)
	if len(problems) > 0 {
		return nil, problems
	}
	if problems = x.limits.measure(tree); len(problems) > 0 {
		return nil, problems
	}
	if problems = x.validate(e.schema, tree); len(problems) > 0 {
		return nil, problems
	}
	doc := &document{edition: e, text: query, bytes: len(query) + tokens*bytesPerToken}
	room := x.limits.Selections // for the statements of all operations
	for _, op := range tree.Operations {
		problems = append(problems, x.checkOnce(e.schema, tree, op)...)
		problems = append(problems, single(tree, op)...)
		for _, def := range op.VariableDefinitions {
			if def.DefaultValue == nil {
				continue
			}
			if _, _, err := e.coercer.literal(def.Type, def.DefaultValue, nil); err != nil {
				problems = append(problems, misfit(fault.ValidationFailed, "A variable's default", err, def.Position))
			}
		}
		statement, introspects, misfits := state(e.coercer, tree, op, room)
		problems = append(problems, misfits...)
		room -= statement.selections
		if len(problems) > 0 {
			continue // a plan would be in vain
		}
		doc.bytes += len(statement.text)
		doc.operations = append(doc.operations, &prepared{
			definition:  op,
			fragments:   tree.Fragments,
			plan:        x.policy.Plan(tree, op),
			statement:   statement,
			introspects: introspects,
		})
	}
	return doc, problems
}

// misfit returns the problem of a value that does not fit its type.
func misfit(code fault.Code, what string, err error, at *ast.Position) problem {
	return reject(code, what+" does not fit: "+err.Error()+".", at)
}

// checkOnce refuses an operation that selects more than one of the fields that check a password, or one of them twice. They are
// the root's, also where a fragment names an interface of it.
func (x *Executor) checkOnce(schema *ast.Schema, tree *ast.QueryDocument, op *ast.OperationDefinition) []problem {
	root := rootOf(schema, op)
	names := map[string]bool{}
	for f := range fields(op.SelectionSet, tree.Fragments) {
		if x.once[root.Name+"."+f.Name] {
			names[f.Alias] = true
			if len(names) > 1 {
				return []problem{reject(fault.ValidationFailed, "An operation can check one password, not several.", f.Position)}
			}
		}
	}
	return nil
}

// choose returns the operation that is to be executed.
func (d *document) choose(name string) (*prepared, *problem) {
	var p problem
	switch {
	case name == "" && len(d.operations) == 1:
		return d.operations[0], nil
	case name == "":
		p = reject(fault.BadUserInput, "The document has several operations: say in operationName which to execute.")
	default:
		i := slices.IndexFunc(d.operations, func(op *prepared) bool { return op.definition.Name == name })
		if i >= 0 {
			return d.operations[i], nil
		}
		p = reject(fault.BadUserInput, "The document has no operation of the name in operationName.")
	}
	return nil, &p
}

// field returns the field that a response path leads to, nil where there is none.
func (op *prepared) field(path []any) *ast.Field {
	names := make([]string, 0, len(path))
	for _, step := range path {
		if name, ok := step.(string); ok {
			names = append(names, name)
		}
	}
	return op.find(op.definition.SelectionSet, names)
}

func (op *prepared) find(set ast.SelectionSet, names []string) *ast.Field {
	if len(names) == 0 {
		return nil
	}
	for f := range fields(set, op.fragments) {
		switch {
		case f.Alias != names[0]:
		case len(names) == 1:
			return f
		default:
			if found := op.find(f.SelectionSet, names[1:]); found != nil {
				return found
			}
		}
	}
	return nil
}

// fields yields the fields of a selection set, those of its fragments included, but not what is below them.
func fields(set ast.SelectionSet, fragments ast.FragmentDefinitionList) iter.Seq[*ast.Field] {
	return func(yield func(*ast.Field) bool) { eachField(set, fragments, yield) }
}

func eachField(set ast.SelectionSet, fragments ast.FragmentDefinitionList, yield func(*ast.Field) bool) bool {
	for _, selection := range set {
		proceed := true
		switch s := selection.(type) {
		case *ast.Field:
			proceed = yield(s)
		case *ast.InlineFragment:
			proceed = eachField(s.SelectionSet, fragments, yield)
		case *ast.FragmentSpread:
			proceed = eachField(fragments.ForName(s.Name).SelectionSet, fragments, yield)
		}
		if !proceed {
			return false
		}
	}
	return true
}
