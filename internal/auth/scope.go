package auth

import (
	"fmt"
	"slices"
)

// MaxScopes is how many scopes one server can know: the bits of a ScopeSet.
const MaxScopes = 256

// ScopeSet is a set of scopes as bits, so that asking whether a caller holds all of some scopes costs four ANDs. Which bit
// is which scope is a Vocabulary's to say. The zero value is the empty set.
type ScopeSet [MaxScopes / 64]uint64

// Contains reports whether every scope of want is in s.
func (s *ScopeSet) Contains(want *ScopeSet) bool {
	for i, w := range want {
		if s[i]&w != w {
			return false
		}
	}
	return true
}

// Vocabulary is the closed list of scopes that a server knows. It is immutable.
type Vocabulary struct {
	names []string
	bits  map[string]int
}

// NewVocabulary returns the vocabulary of the given scopes. It fails on an empty or repeated name and beyond MaxScopes.
func NewVocabulary(scopes ...string) (*Vocabulary, error) {
	if len(scopes) > MaxScopes {
		return nil, fmt.Errorf("auth: %d scopes, the limit is %d", len(scopes), MaxScopes)
	}
	v := &Vocabulary{names: slices.Clone(scopes), bits: make(map[string]int, len(scopes))}
	for i, name := range scopes {
		if _, repeated := v.bits[name]; repeated || name == "" {
			return nil, fmt.Errorf("auth: scope %q is empty or listed twice", name)
		}
		v.bits[name] = i
	}
	return v, nil
}

// Names returns the scopes in their order of definition.
func (v *Vocabulary) Names() []string { return slices.Clone(v.names) }

// Knows reports whether scope is in the vocabulary.
func (v *Vocabulary) Knows(scope string) bool {
	_, ok := v.bits[scope]
	return ok
}

// Set returns the set of the given scopes. Names the vocabulary does not know grant nothing.
func (v *Vocabulary) Set(scopes ...string) ScopeSet {
	var set ScopeSet
	for _, name := range scopes {
		if bit, ok := v.bits[name]; ok {
			set[bit/64] |= 1 << (bit % 64)
		}
	}
	return set
}
