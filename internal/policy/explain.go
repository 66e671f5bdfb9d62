package policy

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
)

// Explanation is what one selection of one field takes, and whether a caller passes.
type Explanation struct {
	Path       []any   // the response path; see Denial.Path
	Coordinate string  // "Type.field"; of __typename, the type alone
	Public     string  // why the field is @public; empty where it is not
	Reached    bool    // false where @skip or @include leaves the field out
	Rules      []Ruled // what binds the field, whichever object stands behind it; none: open to whoever reaches it
	Passes     bool    // whether the caller meets all Rules. What is not reached denies nobody all the same

	// Refusal is what the caller is denied with, nil if they pass. See Denial.Fault.
	Refusal *fault.Error
}

// Ruled is one rule that binds a field, and why.
type Ruled struct {
	Text   string // what it takes
	Origin Origin // how it comes to bind the field
	At     string // the coordinate that carries it
	Passes bool   // whether the caller meets it
	Reason string // how the caller stands to it; empty where Text says all there is. No value that a client sent is in it
}

// Explain returns what every field of op takes, in document order, and whether the caller passes with the variables. It is
// for people who wonder; Check decides.
func (e *Engine) Explain(
	doc *ast.QueryDocument, op *ast.OperationDefinition, caller *auth.Caller, variables map[string]any,
) []Explanation {
	plan := e.plan(doc, op, true)
	q := question{caller: caller, variables: variables, clock: e.now}
	explained := make([]Explanation, len(plan.checks))
	for i := range plan.checks {
		c := &plan.checks[i]
		refusal := c.refusal(&q)
		explained[i] = Explanation{
			Path: c.path.path(), Coordinate: c.coordinate, Public: e.public[c.coordinate], Reached: c.when.holds(variables),
			Passes: refusal == nil, Refusal: refusal,
		}
		for _, d := range c.demands {
			explained[i].Rules = append(explained[i].Rules, d.explain(&q))
		}
	}
	return explained
}

func (d demand) explain(q *question) Ruled {
	return Ruled{
		Text: sources{d.source}.text(), Origin: d.origin, At: d.at,
		Passes: (&check{coordinate: d.at, demands: []demand{d}}).refusal(q) == nil,
		Reason: strings.Join(d.reasons(q), "; "),
	}
}

// reasons says of each thing that is demanded how the caller stands to it.
func (d demand) reasons(q *question) []string {
	r, owned := d.requirement, d.owned.holds(q.caller, q.variables)
	var reasons []string
	if r.owner != "" {
		reasons = append(reasons, d.whose(owned))
	}
	if !q.caller.SignedIn() {
		if d.takesSignIn() {
			reasons = append(reasons, "nobody is signed in")
		}
		return reasons
	}
	if r.orScopes != nil && !owned {
		reasons = append(reasons, r.orScopes.standing(q.caller))
	}
	if r.scopes != nil {
		reasons = append(reasons, r.scopes.standing(q.caller))
	}
	if r.maxAge > 0 {
		q.fresh(r.maxAge)
		age := time.Duration(q.age) * time.Microsecond
		reasons = append(reasons, fmt.Sprintf("the caller signed in %s ago", age.Round(time.Second)))
	}
	if r.level > auth.LevelNone {
		reasons = append(reasons, "the caller signed in at level "+cmp.Or(q.caller.Level().String(), "none"))
	}
	return reasons
}

// whose says when that which an owner rule is about is the caller's own, and whether it is.
func (d demand) whose(owned bool) string {
	what := "the object"
	if argument, ok := strings.CutPrefix(d.requirement.owner, ownArguments); ok {
		what = "the argument " + argument
	}
	switch {
	case d.owned.isAlways():
		return what + " is the caller's own, whoever asks"
	case len(d.owned) == 0:
		return "nothing in the operation makes " + what + " the caller's own"
	case owned:
		return what + " is the caller's own: " + d.owned.text() + " is their id"
	default:
		return what + " would be the caller's own if " + d.owned.text() + " were their id"
	}
}

// standing says which alternative the caller holds, or what they lack where there is one alone.
func (a *alternatives) standing(caller *auth.Caller) string {
	for i := range a.sets {
		if caller.Scopes.Contains(&a.sets[i]) {
			return "the caller holds " + strings.Join(a.names[i], " + ")
		}
	}
	if len(a.names) == 1 && len(a.names[0]) == 1 {
		return "the caller lacks " + a.names[0][0]
	}
	return "the caller holds too few scopes"
}

// text names what has to be the caller's id.
func (o ownership) text() string {
	ways := make([]string, len(o))
	for i, way := range o {
		names := make([]string, len(way))
		for j, operand := range way {
			names[j] = operand.name()
		}
		ways[i] = strings.Join(names, " and ")
	}
	return strings.Join(ways, ", or ")
}

// name says where the id stands, and not what it is.
func (o *operand) name() string {
	if o.variable == "" {
		return "the literal"
	}
	var name strings.Builder
	name.WriteString("$" + o.variable)
	for _, field := range o.fields {
		name.WriteString("." + field.Name)
	}
	return name.String()
}
