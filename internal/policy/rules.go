package policy

import (
	"slices"
	"time"

	"gatehouse/internal/auth"
)

// Rule is what one coordinate of the schema takes, inheritance included.
type Rule struct {
	Coordinate string `json:"coordinate"`       // "Type" or "Type.field"
	Text       string `json:"text"`             // for people
	Public     string `json:"public,omitempty"` // why it is @public; empty where it is not
	Own        bool   `json:"own,omitempty"`    // @own
	Hidden     bool   `json:"hidden,omitempty"` // not everybody sees it

	// Requires lists what has to hold, all of it. Through an interface or a union that includes what every possible type takes.
	Requires []Requirement `json:"requires"`
}

// Requirement is one @auth directive that binds a coordinate. The zero fields ask nothing; if all are, it takes being signed in.
type Requirement struct {
	Origin   Origin     `json:"origin"`             // how it comes to bind the coordinate
	At       string     `json:"at"`                 // the coordinate that carries it
	Scopes   [][]string `json:"scopes,omitempty"`   // outer OR, inner AND
	Owner    string     `json:"owner,omitempty"`    // "parent", or "args.…"
	OrScopes [][]string `json:"orScopes,omitempty"` // instead of owning
	MaxAge   int64      `json:"maxAge,omitempty"`   // seconds
	ACR      string     `json:"acr,omitempty"`
	Hidden   bool       `json:"hidden,omitempty"`
}

// Rules returns the rule of every coordinate, sorted.
func (e *Engine) Rules() []Rule {
	all := make([]Rule, 0, len(e.coordinates))
	for _, at := range e.coordinates {
		f := e.field(at)
		one := Rule{
			Coordinate: at, Text: e.line(at), Public: e.public[at], Own: f != nil && f.own, Hidden: len(e.veil(at)) > 0,
			Requires: []Requirement{},
		}
		for _, s := range e.sourcesOf(at) {
			if required := s.export(); !slices.ContainsFunc(one.Requires, required.same) {
				one.Requires = append(one.Requires, required)
			}
		}
		all = append(all, one)
	}
	return all
}

func (s source) export() Requirement {
	q := s.requirement
	return Requirement{
		Origin: s.origin, At: s.at, Scopes: q.scopes.list(), Owner: q.owner, OrScopes: q.orScopes.list(),
		MaxAge: int64(q.maxAge / time.Second), ACR: q.level.String(), Hidden: q.hidden,
	}
}

// same reports whether two requirements of one coordinate are one.
func (r Requirement) same(other Requirement) bool {
	return r.Origin == other.Origin && r.At == other.At && r.Owner == other.Owner && r.MaxAge == other.MaxAge &&
		r.ACR == other.ACR && slices.EqualFunc(r.Scopes, other.Scopes, slices.Equal) &&
		slices.EqualFunc(r.OrScopes, other.OrScopes, slices.Equal)
}

// Reach is how far somebody gets with a coordinate.
type Reach string

// The reaches.
const (
	ReachesNone Reach = "none" // not at all: no path leads there that they may take
	ReachesOwn  Reach = "own"  // where it is their own
	ReachesAll  Reach = "all"  // whosever it is
)

// Reach returns for every coordinate of a field how far a signed-in caller gets who holds the given scopes, and who signs in
// again, as well as asked, where that is required. Every path from the root is followed, so that a field that is open to whoever
// reaches it counts only if they do. A field of an interface is reached as far as on every possible type.
func (e *Engine) Reach(scopes ...string) map[string]Reach {
	w := walk{engine: e, scopes: e.vocabulary.Set(scopes...), seen: map[reached]bool{}, reach: map[string]Reach{}}
	for _, t := range e.types {
		for _, f := range t.fields {
			w.reach[f.at] = ReachesNone
		}
	}
	for _, root := range e.roots {
		w.visit(reached{root, true})
	}
	for _, t := range e.types {
		for name, f := range t.fields {
			if !slices.Contains(t.possible, t) {
				w.reach[f.at] = w.worst(t, name)
			}
		}
	}
	return w.reach
}

// reached is a type of objects that a walk came to, and whether they are the caller's own there.
type reached struct {
	*typeRules
	own bool
}

type walk struct {
	engine *Engine
	scopes auth.ScopeSet
	seen   map[reached]bool
	reach  map[string]Reach
}

// worst returns how far it goes with a field of an interface: as far as on every possible type.
func (w *walk) worst(t *typeRules, field string) Reach {
	worst := ReachesAll
	for _, possible := range t.possible {
		switch w.reach[coordinate(possible.name, field)] {
		case ReachesNone:
			return ReachesNone
		case ReachesOwn:
			worst = ReachesOwn
		case ReachesAll:
		}
	}
	if len(t.possible) == 0 {
		return ReachesNone
	}
	return worst
}

// visit takes every field of an object, in both ways where it has an owner's argument: with the caller's own id and another.
func (w *walk) visit(o reached) {
	if w.seen[o] {
		return
	}
	w.seen[o] = true
	for _, f := range o.fields {
		for _, identity := range []bool{true, false} {
			own := f.own && o.own || identity && len(f.paths) > 0
			if !w.passes(f, o, identity, own) {
				continue
			}
			// With a stranger's id, or on what is not their own; a root is nobody's.
			if len(f.paths) > 0 && !identity || len(f.paths) == 0 && (!o.own || o.root) {
				w.reach[f.at] = ReachesAll
			} else if w.reach[f.at] == ReachesNone {
				w.reach[f.at] = ReachesOwn
			}
			if f.returns == nil {
				continue
			}
			for _, t := range f.returns.possible {
				w.visit(reached{t, own || t.root})
			}
		}
	}
}

func (w *walk) passes(f *fieldRules, o reached, identity, returnsOwn bool) bool {
	for _, s := range f.sources {
		q := s.requirement
		var owner bool
		switch {
		case s.onResult():
			owner = returnsOwn
		case q.owner == ownParent:
			owner = o.own
		default:
			owner = identity
		}
		if q.scopes != nil && !q.scopes.within(&w.scopes) ||
			q.owner != "" && !owner && (q.orScopes == nil || !q.orScopes.within(&w.scopes)) {
			return false
		}
	}
	return true
}
