package policy

import (
	"cmp"
	"slices"
	"strings"
)

// Origin says how a rule comes to bind a field.
type Origin string

// The origins of a rule.
const (
	OnField     Origin = "field"       // it stands on the field itself
	OnType      Origin = "type"        // it stands on the field's type
	OnInterface Origin = "interface"   // it is inherited from an interface of the type, or from a field of one
	OnReturn    Origin = "return type" // it stands on what the field returns, or on an interface of that
)

// source is a requirement and how it comes to bind. Two sources may name one requirement.
type source struct {
	requirement *requirement
	origin      Origin
	at          string // the coordinate that carries the directive
}

// onResult reports whether the requirement is about the object that the field returns, not the one that has the field. It
// makes a difference to owners alone.
func (s source) onResult() bool { return s.origin == OnReturn && s.requirement.owner == ownParent }

// sources is all that binds one coordinate. The empty one binds nobody.
type sources []source

// from returns the sources of a declared rule.
func from(r rule, origin Origin, at string) sources {
	all := make(sources, len(r))
	for i, q := range r {
		all[i] = source{q, origin, at}
	}
	return all
}

// as returns the sources with another origin. s is not changed.
func (s sources) as(origin Origin) sources {
	all := slices.Clone(s)
	for i := range all {
		all[i].origin = origin
	}
	return all
}

// rule returns what the sources come to, whatever object each is about.
func (s sources) rule() rule {
	var r rule
	for _, one := range s {
		r = r.and(rule{one.requirement})
	}
	return r
}

// text says what it takes, for people: every requirement once, in the order of their keys.
func (s sources) text() string {
	sorted := slices.Clone(s)
	slices.SortStableFunc(sorted, func(a, b source) int {
		return cmp.Or(cmp.Compare(a.requirement.key, b.requirement.key), compareBool(a.onResult(), b.onResult()))
	})
	sorted = slices.CompactFunc(sorted, func(a, b source) bool {
		return a.requirement == b.requirement && a.onResult() == b.onResult()
	})
	// What else takes being signed in says so already.
	implied := slices.ContainsFunc(sorted, func(one source) bool {
		return one.requirement.text != signedIn && one.requirement.takesSignIn()
	})
	var words []string
	for _, one := range sorted {
		if implied && one.requirement.text == signedIn {
			continue
		}
		for _, word := range one.requirement.words() {
			if one.onResult() {
				word = strings.Replace(word, "owner "+ownParent, "owner of what it returns", 1)
			}
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return "open to whoever reaches it"
	}
	for i, word := range words {
		if len(words) > 1 && (strings.Contains(word, " or ") || strings.Contains(word, " | ")) {
			words[i] = "(" + word + ")"
		}
	}
	return strings.Join(words, " and ")
}

// compareBool sorts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// rule is requirements that all have to be met, in the order of their keys. The empty rule takes nothing.
type rule []*requirement

// and returns the rule that holds where both do. Neither is changed.
func (r rule) and(other rule) rule {
	switch {
	case len(other) == 0:
		return r
	case len(r) == 0:
		return other
	}
	both := slices.Concat(r, other)
	slices.SortFunc(both, func(a, b *requirement) int { return cmp.Compare(a.key, b.key) })
	return slices.Compact(both)
}

// implies reports whether whoever meets r meets other, requirement by requirement.
func (r rule) implies(other rule) bool {
	for _, wanted := range other {
		if !slices.ContainsFunc(r, func(q *requirement) bool { return q.implies(wanted) }) {
			return false
		}
	}
	return true
}
