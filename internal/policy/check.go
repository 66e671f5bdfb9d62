package policy

import (
	"slices"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
)

// maxDenials bounds how many denials one operation is answered with.
const maxDenials = 20

// leeway is how far ahead of ours the clock may have been that a caller signed in by. A sign-in later than that is none.
const leeway = 30 * time.Second

// Denial is one field that the caller may not have.
type Denial struct {
	// Path is the response path of the field: strings, the alias where there is one. List elements have no place in it, for
	// nothing ran that could tell how many there are.
	Path []any

	// Fault says what is required: UNAUTHENTICATED or SERVICE_UNAVAILABLE for a caller who is anonymous, for the reason they
	// are; FORBIDDEN with RequiredScopes for one who is signed in, and STEP_UP_REQUIRED with MaxAge and ACR for one who only
	// has to prove again who they are, or better. Coordinate is set.
	Fault *fault.Error
}

// Check returns what the caller is denied, in document order and at most 20 of it; nil means that the operation may run. It
// allocates nothing then. variables are the operation's own, coerced; they decide over @skip and @include, and over whose id an
// argument is. The clock is read once, and only if the operation asks for it.
func (p *Plan) Check(caller *auth.Caller, variables map[string]any) []Denial {
	q := question{caller: caller, variables: variables, clock: p.now}
	if p.permits(&q) {
		return nil
	}
	return p.denials(&q)
}

func (p *Plan) permits(q *question) bool {
	if !p.always.metBy(q) {
		return false
	}
	for i := range p.sometimes {
		if g := &p.sometimes[i]; !g.need.metBy(q) && g.when.holds(q.variables) {
			return false
		}
	}
	return true
}

// denials asks field by field, which permits leaves out.
func (p *Plan) denials(q *question) []Denial {
	var denials []Denial
	for i := range p.checks {
		c := &p.checks[i]
		refusal := c.refusal(q)
		if refusal == nil || !c.when.holds(q.variables) {
			continue
		}
		path := c.path.path()
		again := slices.ContainsFunc(denials, func(d Denial) bool {
			return d.Fault.Coordinate == c.coordinate && slices.Equal(d.Path, path)
		})
		if again {
			continue
		}
		denials = append(denials, Denial{Path: path, Fault: refusal})
		if len(denials) == maxDenials {
			break
		}
	}
	return denials
}

// question is one call of Check: who asks, with what, and when.
type question struct {
	caller    *auth.Caller
	variables map[string]any
	clock     func() time.Time
	age       int64 // of the caller's sign-in, in microseconds, once asked
	asked     bool
}

// fresh reports whether the caller, who is signed in, proved who they are within maxAge. Times are microseconds here, as they are
// stored: that takes half as long as a difference of instants, and does not overflow for somebody who never proved it.
func (q *question) fresh(maxAge time.Duration) bool {
	if !q.asked {
		q.age, q.asked = q.clock().UnixMicro()-q.caller.AuthTime.UnixMicro(), true
	}
	return -leeway.Microseconds() <= q.age && q.age <= maxAge.Microseconds()
}

// group is a need under a condition.
type group struct {
	when condition
	need need
}

// need is many demands in one: what a caller has to meet to meet them all.
type need struct {
	signedIn bool
	all      auth.ScopeSet   // the scopes that offer no choice, in one mask
	anyOf    []*alternatives // those that do
	choices  []choice        // to own, or to hold
	maxAge   time.Duration   // the shortest; zero: any
	level    auth.Level      // the highest
}

// choice is met by owning an object, or else by holding scopes: one of each of the alternatives.
type choice struct {
	key      string // of owned
	owned    ownership
	orScopes []*alternatives
	only     bool // owning is the only way
}

func (c *choice) metBy(q *question) bool {
	held := !c.only
	for i := 0; held && i < len(c.orScopes); i++ {
		held = c.orScopes[i].within(&q.caller.Scopes)
	}
	return held || c.owned.holds(q.caller, q.variables)
}

func (c *choice) implies(other *choice) bool {
	return c.key == other.key && (c.only || !other.only) &&
		!slices.ContainsFunc(other.orScopes, func(a *alternatives) bool { return !slices.Contains(c.orScopes, a) })
}

// add makes n take what d takes, too.
func (n *need) add(d demand) {
	q := d.requirement
	n.signedIn = n.signedIn || d.takesSignIn()
	n.hold(q.scopes)
	if q.maxAge > 0 && (n.maxAge == 0 || q.maxAge < n.maxAge) {
		n.maxAge = q.maxAge
	}
	n.level = max(n.level, q.level)
	switch {
	case q.owner == "" || d.owned.isAlways():
	case len(d.owned) == 0 && q.orScopes != nil:
		n.hold(q.orScopes)
	default:
		n.choose(d.owned, q.orScopes)
	}
}

// choose makes n take owning, or one of the alternatives; nil stands for none.
func (n *need) choose(owned ownership, orScopes *alternatives) {
	key := owned.key()
	i := slices.IndexFunc(n.choices, func(c choice) bool { return c.key == key })
	if i < 0 {
		i = len(n.choices)
		n.choices = append(n.choices, choice{key: key, owned: owned})
	}
	c := &n.choices[i]
	if orScopes == nil {
		c.only = true
	} else if !slices.Contains(c.orScopes, orScopes) {
		c.orScopes = append(c.orScopes, orScopes)
	}
}

// hold makes n take one of the alternatives, if there are any.
func (n *need) hold(a *alternatives) {
	switch {
	case a == nil:
	case len(a.sets) == 1:
		for i, word := range a.sets[0] {
			n.all[i] |= word
		}
	case !slices.Contains(n.anyOf, a):
		n.anyOf = append(n.anyOf, a)
	}
}

// metBy reports whether the caller may pass.
func (n *need) metBy(q *question) bool {
	if !n.signedIn {
		return true
	}
	if !q.caller.SignedIn() || !q.caller.Scopes.Contains(&n.all) {
		return false
	}
	for _, a := range n.anyOf {
		if !a.within(&q.caller.Scopes) {
			return false
		}
	}
	for i := range n.choices {
		if !n.choices[i].metBy(q) {
			return false
		}
	}
	return (n.maxAge == 0 || q.fresh(n.maxAge)) && (n.level == auth.LevelNone || n.level <= q.caller.Level())
}

// implies reports whether whoever meets n meets other.
func (n *need) implies(other *need) bool {
	if !other.signedIn {
		return true
	}
	for i := range other.choices {
		implied := func(c choice) bool { return c.implies(&other.choices[i]) }
		if !slices.ContainsFunc(n.choices, implied) {
			return false
		}
	}
	return n.signedIn && n.all.Contains(&other.all) && n.level >= other.level &&
		(other.maxAge == 0 || n.maxAge > 0 && n.maxAge <= other.maxAge) &&
		!slices.ContainsFunc(other.anyOf, func(a *alternatives) bool { return !slices.Contains(n.anyOf, a) })
}
