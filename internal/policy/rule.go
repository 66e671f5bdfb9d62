package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
)

// requirement is one @auth directive. Equal ones are one: they are compared by pointer.
type requirement struct {
	anyOf  []auth.ScopeSet // the caller holds all of one of these; empty: being signed in is enough
	scopes [][]string      // the same by name, sorted
	key    string          // what equal requirements share, and no others
	text   string          // for people
}

// newRequirement returns the requirement of the given alternatives, in an order of its own so that equal ones read alike.
func newRequirement(scopes [][]string, vocabulary *auth.Vocabulary) *requirement {
	q := &requirement{scopes: canonical(scopes)}
	q.key = fmt.Sprintf("%q", q.scopes)
	texts := make([]string, len(q.scopes))
	for i, all := range q.scopes {
		q.anyOf = append(q.anyOf, vocabulary.Set(all...))
		texts[i] = strings.Join(all, " + ")
	}
	q.text = "signed in"
	if len(texts) > 0 {
		q.text = "scopes " + strings.Join(texts, " | ")
	}
	return q
}

// metBy reports whether the caller, who is signed in, meets q.
func (q *requirement) metBy(caller *auth.Caller) bool {
	for i := range q.anyOf {
		if caller.Scopes.Contains(&q.anyOf[i]) {
			return true
		}
	}
	return len(q.anyOf) == 0
}

// rule is what one coordinate takes: all of its requirements, in the order of their keys. The empty rule takes nothing.
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

// metBy reports whether the caller may pass.
func (r rule) metBy(caller *auth.Caller) bool {
	if len(r) == 0 {
		return true
	}
	if !caller.SignedIn() {
		return false
	}
	for _, q := range r {
		if !q.metBy(caller) {
			return false
		}
	}
	return true
}

// deny returns the fault of a caller who does not pass r at the given coordinate.
func (r rule) deny(caller *auth.Caller, at string) *fault.Error {
	if !caller.SignedIn() {
		f := *caller.Refusal // shared between requests: the coordinate goes into a copy
		f.Coordinate = at
		return &f
	}
	scopes := r.requiredScopes()
	return &fault.Error{
		Code:           fault.Forbidden,
		Message:        at + " requires " + describe(scopes) + ".",
		RequiredScopes: scopes,
		Coordinate:     at,
	}
}

// maxAlternatives bounds requiredScopes: ANDed ORs multiply.
const maxAlternatives = 32

// requiredScopes returns what it takes in scopes, outer OR, inner AND: the requirements multiplied out. A requirement that
// would lead beyond maxAlternatives is left out.
func (r rule) requiredScopes() [][]string {
	product := [][]string{nil}
	for _, q := range r {
		if len(q.scopes) == 0 || len(product) > 1 && len(product)*len(q.scopes) > maxAlternatives {
			continue
		}
		next := make([][]string, 0, len(product)*len(q.scopes))
		for _, a := range product {
			for _, b := range q.scopes {
				next = append(next, slices.Concat(a, b))
			}
		}
		product = canonical(next)
	}
	return product
}

// text says what the rule takes, for people.
func (r rule) text() string {
	if len(r) == 0 {
		return "open to whoever reaches it"
	}
	var texts []string
	for _, q := range r {
		// Holding a scope takes being signed in: saying so again would only lengthen the line.
		if len(q.scopes) > 0 || len(r) == 1 {
			texts = append(texts, q.text)
		}
	}
	return strings.Join(texts, " and ")
}

// describe puts alternatives of scopes into words.
func describe(scopes [][]string) string {
	alternatives := make([]string, len(scopes))
	for i, all := range scopes {
		noun := "the scope "
		if len(all) > 1 {
			noun = "the scopes "
		}
		alternatives[i] = noun + strings.Join(all, " and ")
	}
	return strings.Join(alternatives, ", or ")
}

// canonical sorts alternatives and what is in them, and removes what is there twice. scopes is not changed.
func canonical(scopes [][]string) [][]string {
	out := make([][]string, len(scopes))
	for i, all := range scopes {
		out[i] = slices.Compact(slices.Sorted(slices.Values(all)))
	}
	slices.SortFunc(out, slices.Compare)
	return slices.CompactFunc(out, slices.Equal)
}

// sortedUnique sorts types by name and removes what is there twice, in place.
func sortedUnique(types []*typeRules) []*typeRules {
	slices.SortFunc(types, func(a, b *typeRules) int { return cmp.Compare(a.name, b.name) })
	return slices.Compact(types)
}
