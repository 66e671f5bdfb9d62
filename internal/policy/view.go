package policy

import (
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/auth"
)

// maxVeils is how many different rules can hide something in one schema: the bits of a View.
const maxVeils = 256

// View is what a caller can see of a schema. It is comparable, and equal for all callers who see the same. The zero View sees
// nothing that is hidden.
type View struct {
	lifted [maxVeils / 64]uint64
}

// hide finds what is hidden, and by which rules. What is marked hidden takes its whole rule to be seen, what is inherited
// included. What is hidden hides what cannot be without it: the fields of a type, the fields that return it, and the types and
// fields that inherit the rule.
func (e *Engine) hide() {
	known := map[string]int{} // index in e.veils, by what the veil reads like
	draw := func(at string, veil rule) {
		if len(veil) == 0 {
			return
		}
		key := ""
		for _, q := range veil {
			key += q.key + "\n"
		}
		i, drawn := known[key]
		if !drawn {
			i = len(e.veils)
			known[key] = i
			e.veils = append(e.veils, veil)
		}
		e.veiled[at] = i
	}
	types := slices.Sorted(maps.Keys(e.types))
	for _, name := range types {
		if t := e.types[name]; slices.ContainsFunc(t.self, source.hides) {
			draw(name, t.self.rule())
		}
	}
	for _, name := range types {
		t := e.types[name]
		for _, field := range slices.Sorted(maps.Keys(t.fields)) {
			f := t.fields[field]
			veil := e.veil(name)
			if f.returns != nil {
				veil = veil.and(e.veil(f.returns.name))
			}
			onField := func(s source) bool { return s.hides() && strings.Contains(s.at, ".") }
			if slices.ContainsFunc(f.sources, onField) {
				veil = f.sources.rule()
			}
			draw(f.at, veil)
		}
	}
}

// hides reports whether the directive says so.
func (s source) hides() bool { return s.requirement.hidden }

// veil returns what it takes to see a coordinate.
func (e *Engine) veil(at string) rule {
	if i, hidden := e.veiled[at]; hidden {
		return e.veils[i]
	}
	return nil
}

// Hidden returns the coordinates that not everybody sees, sorted. Introspection that finds none can show everybody the same.
func (e *Engine) Hidden() []string { return slices.Sorted(maps.Keys(e.veiled)) }

// View returns what the caller can see. It allocates nothing.
//
// Sight goes by who the caller is: by being signed in and by scopes. maxAge and acr do not hide, for whoever has to step up
// must be able to learn that it would help. What is hidden by an owner rule is seen by everybody who is signed in, since
// what they own may be behind it.
func (e *Engine) View(caller *auth.Caller) View {
	var v View
	for i, veil := range e.veils {
		if veil.liftedFor(caller) {
			v.lifted[i/64] |= 1 << (i % 64)
		}
	}
	return v
}

// Visible reports whether a caller with the view v can see the type or the field at a coordinate. One that the schema does not
// have is not hidden.
func (e *Engine) Visible(v View, at string) bool {
	i, hidden := e.veiled[at]
	return !hidden || v.lifted[i/64]&(1<<(i%64)) != 0
}

func (r rule) liftedFor(caller *auth.Caller) bool {
	for _, q := range r {
		if !caller.SignedIn() || q.scopes != nil && !q.scopes.heldBy(caller) {
			return false
		}
	}
	return true
}

// lifts reports whether whoever is let through the veil r is let through the other.
func (r rule) lifts(other rule) bool {
	for _, wanted := range other {
		implies := func(q *requirement) bool { return wanted.scopes == nil || q.scopes.implies(wanted.scopes) }
		if !slices.ContainsFunc(r, implies) {
			return false
		}
	}
	return true
}

// Can reports for each coordinate, "Type" or "Type.field", whether the caller's standing lets them use it: being signed in, and
// scopes, maxAge and acr. An interface's field takes what it takes on all possible types.
//
// An owner rule passes for everybody who is signed in, since what is one's own is allowed, and for nobody else, although a
// payload such as that of login may show its owner more. So true means "you may try", and false that trying is in vain until
// the caller signs in, signs in again, or is given a scope. A coordinate that the schema does not have is false, and so is one
// that the caller cannot see.
func (e *Engine) Can(caller *auth.Caller, coordinates []string) []bool {
	can := make([]bool, len(coordinates))
	q := question{caller: caller, clock: e.now}
	view := e.View(caller)
	for i, at := range coordinates {
		takes, known := e.effective[at]
		can[i] = known && e.Visible(view, at) && takes.passes(&q)
	}
	return can
}

// passes reports whether the caller's standing is enough.
func (r rule) passes(q *question) bool {
	if len(r) == 0 {
		return true
	}
	if !r.liftedFor(q.caller) {
		return false
	}
	for _, one := range r {
		if one.maxAge > 0 && !q.fresh(one.maxAge) || one.level > q.caller.Level() {
			return false
		}
	}
	return true
}
