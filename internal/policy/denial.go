package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
)

// demand is a requirement that one field of an operation makes, about an object of which the plan knows when it is owned.
type demand struct {
	source
	owned ownership // of the object, or of the argument; nil where the requirement does not ask
}

func (d demand) equal(other demand) bool {
	return d.requirement == other.requirement && slices.EqualFunc(d.owned, other.owned, slices.Equal)
}

// takesSignIn reports whether anybody anonymous fails d.
func (d demand) takesSignIn() bool { return d.requirement.takesSignIn() || !d.owned.isAlways() }

// owner reports whether the caller, who may be anonymous, passes as an owner.
func (d demand) owner(q *question) bool {
	return d.owned.isAlways() || d.owned.holds(q.caller, q.variables)
}

// refusal returns the fault of a caller who may not have the field, nil if they may. Whoever lacks a scope is not asked to sign
// in again: it would not help.
func (c *check) refusal(q *question) *fault.Error {
	takesSignIn, forbidden := false, false
	var maxAge time.Duration
	level := auth.LevelNone
	for _, d := range c.demands {
		r := d.requirement
		takesSignIn = takesSignIn || d.takesSignIn()
		forbidden = forbidden || r.scopes != nil && !r.scopes.heldBy(q.caller) ||
			r.owner != "" && !r.orScopes.heldBy(q.caller) && !d.owner(q)
		if r.maxAge > 0 && (maxAge == 0 || r.maxAge < maxAge) {
			maxAge = r.maxAge
		}
		level = max(level, r.level)
	}
	switch {
	case !takesSignIn:
		return nil
	case !q.caller.SignedIn():
		f := *q.caller.Refusal // shared between requests: the coordinate goes into a copy
		f.Coordinate = c.coordinate
		return &f
	case forbidden:
		return c.forbid(q)
	case maxAge > 0 && !q.fresh(maxAge), level > q.caller.Level():
		return c.stepUp(maxAge, level)
	}
	return nil
}

// forbid says what it takes in scopes. Where the caller does not own what nothing but owning opens, no scope would help.
func (c *check) forbid(q *question) *fault.Error {
	var plain, all []*alternatives
	var owners []string
	hopeless := false
	for _, d := range c.demands {
		if d.requirement.scopes != nil {
			plain = append(plain, d.requirement.scopes)
			all = append(all, d.requirement.scopes)
		}
		if d.requirement.owner == "" || d.owner(q) {
			continue
		}
		words := d.ownerInWords()
		if d.requirement.orScopes == nil {
			hopeless = true
		} else {
			all = append(all, d.requirement.orScopes)
			words += ", or " + describe(d.requirement.orScopes.names)
		}
		if !slices.Contains(owners, words) {
			owners = append(owners, words)
		}
	}
	f := &fault.Error{Code: fault.Forbidden, Coordinate: c.coordinate}
	if !hopeless {
		f.RequiredScopes = multiply(all)
	}
	if len(plain) > 0 {
		owners = slices.Insert(owners, 0, describe(multiply(plain)))
	}
	f.Message = c.coordinate + " requires " + strings.Join(owners, "; and ") + "."
	return f
}

// ownerInWords says what the caller would have to own.
func (d demand) ownerInWords() string {
	if argument, ok := strings.CutPrefix(d.requirement.owner, ownArguments); ok {
		return "your own id in " + argument
	}
	return "that it is your own"
}

func (c *check) stepUp(maxAge time.Duration, level auth.Level) *fault.Error {
	f := &fault.Error{Code: fault.StepUpRequired, Coordinate: c.coordinate, MaxAge: maxAge, ACR: level.String()}
	f.Message = c.coordinate + " requires that you sign in again"
	if maxAge > 0 {
		f.Message = c.coordinate + " requires that you signed in within the last " +
			strconv.FormatInt(int64(maxAge/time.Second), 10) + " seconds"
	}
	if level > auth.LevelNone {
		f.Message += ", at level " + f.ACR
	}
	f.Message += "."
	return f
}

// maxAlternatives bounds requiredScopes: ANDed ORs multiply.
const maxAlternatives = 32

// multiply returns what it takes in scopes, outer OR, inner AND: the alternatives multiplied out. Those that would lead beyond
// maxAlternatives are left out.
func multiply(all []*alternatives) [][]string {
	product := [][]string{nil}
	for _, a := range all {
		if len(product) > 1 && len(product)*len(a.names) > maxAlternatives {
			continue
		}
		next := make([][]string, 0, len(product)*len(a.names))
		for _, one := range product {
			for _, other := range a.names {
				next = append(next, slices.Concat(one, other))
			}
		}
		product = canonical(next)
	}
	return product
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
