package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/auth"
)

// requirement is one @auth directive: everything in it has to hold. Equal ones are one: they are compared by pointer.
type requirement struct {
	scopes   *alternatives // nil: none in particular
	owner    string        // ownParent, a path that begins with ownArguments, or "": it does not matter whose it is
	orScopes *alternatives // nil: owning is the only way
	maxAge   time.Duration // how long ago the caller may have proved who they are; zero: any time
	level    auth.Level    // how well
	hidden   bool          // invisible to those who fail it

	key  string // what equal requirements share, and no others
	text string // for people
}

// What owner can say.
const (
	ownParent    = "parent"
	ownArguments = "args."
)

// seal completes a requirement whose fields have been read.
func (q *requirement) seal() *requirement {
	q.key = fmt.Sprintf("%q %q %q %d %d %t", q.scopes.list(), q.owner, q.orScopes.list(), q.maxAge, q.level, q.hidden)
	q.text = strings.Join(q.words(), " and ")
	return q
}

// words puts the requirement into words, one for each thing that has to hold.
func (q *requirement) words() []string {
	var words []string
	if q.scopes != nil {
		words = append(words, q.scopes.text())
	}
	if q.owner != "" {
		own := "owner " + q.owner
		if q.orScopes != nil {
			own += " or " + q.orScopes.text()
		}
		words = append(words, own)
	}
	if q.maxAge > 0 {
		words = append(words, fmt.Sprintf("signed in within %d s", q.maxAge/time.Second))
	}
	if q.level > auth.LevelNone {
		words = append(words, "level "+q.level.String())
	}
	if len(words) == 0 {
		words = []string{signedIn}
	}
	return words
}

// signedIn is the least that a requirement takes, but for the one that owning the parent meets by itself.
const signedIn = "signed in"

// takesSignIn reports whether an anonymous caller fails q even where the object is owned.
func (q *requirement) takesSignIn() bool {
	return q.owner != ownParent || q.scopes != nil || q.maxAge > 0 || q.level > auth.LevelNone
}

// implies reports whether whoever meets q meets other, where both are asked about the same object.
func (q *requirement) implies(other *requirement) bool {
	return q == other || (q.takesSignIn() || !other.takesSignIn()) &&
		(other.scopes == nil || q.scopes.implies(other.scopes)) &&
		(other.owner == "" || q.owner == other.owner && (q.orScopes == nil || q.orScopes.implies(other.orScopes)) ||
			q.scopes.implies(other.orScopes)) &&
		(other.maxAge == 0 || q.maxAge > 0 && q.maxAge <= other.maxAge) &&
		q.level >= other.level
}

// alternatives is a choice of scopes: outer OR, inner AND. Equal ones are one. The nil one is met by nobody and asks nothing:
// whoever has one says what it means.
type alternatives struct {
	sets  []auth.ScopeSet
	names [][]string // the same by name, sorted
}

// heldBy reports whether the caller holds all of one alternative.
func (a *alternatives) heldBy(caller *auth.Caller) bool {
	return a != nil && caller.SignedIn() && a.within(&caller.Scopes)
}

// within reports whether one alternative is within scopes.
func (a *alternatives) within(scopes *auth.ScopeSet) bool {
	for i := range a.sets {
		if scopes.Contains(&a.sets[i]) {
			return true
		}
	}
	return false
}

// implies reports whether whoever holds a holds other.
func (a *alternatives) implies(other *alternatives) bool {
	if a == nil || other == nil {
		return false
	}
	for i := range a.sets {
		if !slices.ContainsFunc(other.sets, func(less auth.ScopeSet) bool { return a.sets[i].Contains(&less) }) {
			return false
		}
	}
	return true
}

// list returns the alternatives by name.
func (a *alternatives) list() [][]string {
	if a == nil {
		return nil
	}
	return a.names
}

func (a *alternatives) text() string {
	texts := make([]string, len(a.names))
	for i, all := range a.names {
		texts[i] = strings.Join(all, " + ")
	}
	return "scopes " + strings.Join(texts, " | ")
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
