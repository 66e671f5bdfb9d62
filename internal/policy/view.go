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

// sight is the types that somebody can know of: those they can come to from the roots.
type sight struct {
	engine   *Engine
	view     View
	met      map[*typeRules]bool
	returned map[*typeRules]bool // met as what a field returns, with whatever can stand behind it
}

func (e *Engine) sight(v View) *sight {
	s := &sight{engine: e, view: v, met: map[*typeRules]bool{}, returned: map[*typeRules]bool{}}
	for _, t := range e.starts {
		s.meet(t, false)
	}
	return s
}

// find finds where sight begins: at the roots, and at what cannot be met even by somebody who sees everything.
func (e *Engine) find() {
	for _, root := range e.roots {
		e.starts = append(e.starts, root)
	}
	var everything View
	for i := range everything.lifted {
		everything.lifted[i] = ^uint64(0)
	}
	known := e.sight(everything).met
	for _, t := range e.types {
		if !known[t] {
			e.starts = append(e.starts, t)
		}
	}
}

func (s *sight) meet(t *typeRules, returned bool) {
	isUnion := len(t.fields) == 0
	switch {
	case !s.engine.Visible(s.view, t.name):
		return
	case isUnion && !slices.ContainsFunc(t.possible, func(m *typeRules) bool { return s.engine.Visible(s.view, m.name) }):
		return // nothing is left of it
	case (returned || isUnion) && !s.returned[t]:
		s.returned[t] = true
		for _, one := range t.behind {
			s.meet(one, false)
		}
	}
	if s.met[t] {
		return
	}
	s.met[t] = true
	for _, f := range t.fields {
		if f.returns != nil && s.engine.Visible(s.view, f.at) {
			s.meet(f.returns, true)
		}
	}
	for _, one := range t.interfaces {
		s.meet(one, false)
	}
}

// of returns the types that are met.
func (s *sight) of(types []*typeRules) []*typeRules {
	return slices.DeleteFunc(slices.Clone(types), func(t *typeRules) bool { return !s.met[t] })
}

// Can reports for each coordinate, "Type" or "Type.field", whether the caller's standing lets them use it: being signed in, and
// scopes, maxAge and acr. An interface's field takes what it takes on all possible types that the caller can know of.
//
// An owner rule passes for everybody who is signed in, since what is one's own is allowed, and for nobody else, although a
// payload such as that of login may show its owner more. So true means "you may try", and false that trying is in vain until
// the caller signs in, signs in again, or is given a scope. A coordinate that the schema does not have is false, and so is one
// that the caller cannot see, or that only leads on from what they cannot see.
func (e *Engine) Can(caller *auth.Caller, coordinates []string) []bool {
	can := make([]bool, len(coordinates))
	q := question{caller: caller, clock: e.now}
	view := e.View(caller)
	sight := e.sight(view)
	for i, at := range coordinates {
		if _, known := slices.BinarySearch(e.coordinates, at); !known || !e.Visible(view, at) {
			continue
		}
		typeName, fieldName, _ := strings.Cut(at, ".")
		t := e.types[typeName]
		can[i] = sight.met[t] && t.takes(fieldName, sight.of(t.possible)).rule().passes(&q)
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
