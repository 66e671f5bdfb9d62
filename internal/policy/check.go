package policy

import (
	"slices"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
)

// maxDenials bounds how many denials one operation is answered with.
const maxDenials = 20

// Denial is one field that the caller may not have.
type Denial struct {
	// Path is the response path of the field: strings, the alias where there is one. List elements have no place in it, for
	// nothing ran that could tell how many there are.
	Path []any

	// Fault says what is required: UNAUTHENTICATED or SERVICE_UNAVAILABLE for a caller who is anonymous, for the reason they
	// are; FORBIDDEN with RequiredScopes for one who is signed in. Coordinate is set.
	Fault *fault.Error
}

// Check returns what the caller is denied, in document order and at most 20 of it; nil means that the operation may run. It
// allocates nothing then. variables are the operation's own, coerced; they decide over @skip and @include.
func (p *Plan) Check(caller *auth.Caller, variables map[string]any) []Denial {
	if p.permits(caller, variables) {
		return nil
	}
	return p.denials(caller, variables)
}

func (p *Plan) permits(caller *auth.Caller, variables map[string]any) bool {
	if !p.always.metBy(caller) {
		return false
	}
	for i := range p.sometimes {
		if g := &p.sometimes[i]; !g.need.metBy(caller) && g.when.holds(variables) {
			return false
		}
	}
	return true
}

// denials asks field by field, which permits leaves out.
func (p *Plan) denials(caller *auth.Caller, variables map[string]any) []Denial {
	var denials []Denial
	for i := range p.checks {
		c := &p.checks[i]
		if c.rule.metBy(caller) || !c.when.holds(variables) {
			continue
		}
		path := c.path.path()
		again := slices.ContainsFunc(denials, func(d Denial) bool {
			return d.Fault.Coordinate == c.coordinate && slices.Equal(d.Path, path)
		})
		if again {
			continue
		}
		denials = append(denials, Denial{Path: path, Fault: c.rule.deny(caller, c.coordinate)})
		if len(denials) == maxDenials {
			break
		}
	}
	return denials
}

// group is a need under a condition.
type group struct {
	when condition
	need need
}

// need is many rules in one: what a caller has to meet to meet them all.
type need struct {
	signedIn bool
	all      auth.ScopeSet  // the requirements that offer no choice, in one mask
	anyOf    []*requirement // those that do
}

// add makes n take what r takes, too.
func (n *need) add(r rule) {
	for _, q := range r {
		n.signedIn = true
		switch {
		case len(q.anyOf) == 1:
			for i, word := range q.anyOf[0] {
				n.all[i] |= word
			}
		case len(q.anyOf) > 1 && !slices.Contains(n.anyOf, q):
			n.anyOf = append(n.anyOf, q)
		}
	}
}

// metBy reports whether the caller may pass.
func (n *need) metBy(caller *auth.Caller) bool {
	if !n.signedIn {
		return true
	}
	if !caller.SignedIn() || !caller.Scopes.Contains(&n.all) {
		return false
	}
	for _, q := range n.anyOf {
		if !q.metBy(caller) {
			return false
		}
	}
	return true
}

// implies reports whether whoever meets n meets other.
func (n *need) implies(other *need) bool {
	if !other.signedIn {
		return true
	}
	return n.signedIn && n.all.Contains(&other.all) &&
		!slices.ContainsFunc(other.anyOf, func(q *requirement) bool { return !slices.Contains(n.anyOf, q) })
}
