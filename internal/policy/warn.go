package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Warnings returns what is not wrong in the schema, but not what it seems either: a line each, with the place in the schema and
// the coordinate, in the order of the schema.
func (e *Engine) Warnings() []string { return slices.Clone(e.warnings) }

// warner collects warnings. In form they are mistakes, but they stop nobody.
type warner struct {
	*reader
	ownable map[*typeRules]bool
	found   mistakes
}

// warn finds the warnings.
func (r *reader) warn(e *Engine) []string {
	w := &warner{reader: r, ownable: e.ownable()}
	for _, at := range r.repeated {
		w.add(at, "carries the same @auth twice.")
	}
	for at := range r.declared {
		typeName, fieldName, isField := strings.Cut(at, ".")
		t := e.types[typeName]
		switch {
		case !isField:
			w.redundant(at, t.self, t)
		case !introspective(fieldName):
			w.redundant(at, t.fields[fieldName].sources, t)
			w.own(t, t.fields[fieldName], fieldName)
			w.abstract(t.fields[fieldName])
		}
	}
	w.found.sort()
	warnings := make([]string, len(w.found))
	for i, one := range w.found {
		warnings[i] = fmt.Sprintf("%s:%d: %s %s", one.source, one.line, one.coordinate, one.problem)
	}
	return warnings
}

func (w *warner) add(at, format string, args ...any) {
	w.found.add(at, w.positionOf(at), fmt.Sprintf(format, args...), "")
}

// redundant warns of what a coordinate declares and inherits all the same.
func (w *warner) redundant(at string, s sources, t *typeRules) {
	for _, one := range s {
		// The mark on a root field is demanded, whatever it inherits.
		if one.at != at || one.origin == OnReturn || t.root && one.requirement.text == signedIn {
			continue
		}
		if by, redundant := s.covers(one); redundant {
			w.add(at, "need not say %q: it inherits %q from %s.", one.requirement.text, by.requirement.text, by.at)
		}
	}
}

// own warns of an @own that makes nothing anybody's own.
func (w *warner) own(t *typeRules, f *fieldRules, fieldName string) {
	isObject := slices.Contains(t.possible, t)
	switch {
	case !f.own:
	case !isObject:
		for _, possible := range t.possible {
			if implementation := possible.fields[fieldName]; implementation != nil && !implementation.own {
				w.add(f.at, "is marked @own, but %s is not, and the mark on the object's own field is what counts.",
					implementation.at)
			}
		}
	case !w.ownable[t]:
		w.add(f.at, "is marked @own, but no path makes %s anybody's own, so nothing that it returns is.", t.name)
	}
}

// abstract warns of a field that returns an interface or a union of which one member takes more than the field.
func (w *warner) abstract(f *fieldRules) {
	if f.returns == nil || slices.Contains(f.returns.possible, f.returns) {
		return
	}
	for _, member := range f.returns.possible {
		if !f.sources.rule().implies(member.self.rule()) {
			w.add(f.at, "returns %s, which can be %s, and that takes: %s. Until a fragment narrows it, selecting anything takes "+
				"that, too.", f.returns.name, member.name, member.self.text())
		}
	}
}

// covers returns the other source that makes one redundant, if there is one. What two sources demand of owners is only
// compared where both speak of the same object.
func (s sources) covers(one source) (source, bool) {
	for _, other := range s {
		if other.at == one.at && (other.requirement == one.requirement || one.requirement.implies(other.requirement)) {
			continue // itself, or of two that stand together the weaker is reported
		}
		sameObject := !other.onResult() && (other.origin != OnReturn || one.requirement.owner != ownParent)
		if sameObject && other.requirement.implies(one.requirement) && (other.requirement.hidden || !one.requirement.hidden) {
			return other, true
		}
	}
	return source{}, false
}
