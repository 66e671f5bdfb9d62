package auth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/auth"
)

// fullVocabulary has as many scopes as there can be: scope:0, scope:1 and so on.
func fullVocabulary(tb testing.TB) *auth.Vocabulary {
	tb.Helper()
	v, err := auth.NewVocabulary(scopes(auth.MaxScopes)...)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func scopes(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("scope:%d", i)
	}
	return names
}

func TestScopeSetContains(t *testing.T) {
	t.Parallel()
	v := fullVocabulary(t)
	tests := map[string]struct {
		held, want []string
		contains   bool
	}{
		"nothing of nothing":       {nil, nil, true},
		"nothing of something":     {[]string{"scope:1"}, nil, true},
		"something of nothing":     {nil, []string{"scope:0"}, false},
		"itself":                   {[]string{"scope:7"}, []string{"scope:7"}, true},
		"its neighbour":            {[]string{"scope:7"}, []string{"scope:8"}, false},
		"same bit of another word": {[]string{"scope:0"}, []string{"scope:64"}, false},
		"last of all":              {[]string{"scope:255"}, []string{"scope:255"}, true},
		"some of several":          {[]string{"scope:0", "scope:63", "scope:64", "scope:255"}, []string{"scope:64", "scope:0"}, true},
		"one of two missing":       {[]string{"scope:0"}, []string{"scope:0", "scope:200"}, false},
		"unknown ones":             {[]string{"*", "admin", "scope:", "SCOPE:1"}, []string{"scope:1"}, false},
		"everything":               {v.Names(), v.Names(), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			held, want := v.Set(test.held...), v.Set(test.want...)
			if got := held.Contains(&want); got != test.contains {
				t.Errorf("%v contains %v: %t, want %t", test.held, test.want, got, test.contains)
			}
		})
	}
}

// Each scope has a bit of its own: holding one is holding no other.
func TestVocabularyGivesEveryScopeItsOwnBit(t *testing.T) {
	t.Parallel()
	v := fullVocabulary(t)
	seen := make(map[auth.ScopeSet]string)
	for _, name := range v.Names() {
		set := v.Set(name)
		if other, taken := seen[set]; taken || set == (auth.ScopeSet{}) {
			t.Fatalf("%s has the set %v, which %q has too", name, set, other)
		}
		seen[set] = name
	}
}

func TestVocabulary(t *testing.T) {
	t.Parallel()
	given := []string{"users:read", "users:write"}
	v, err := auth.NewVocabulary(given...)
	if err != nil {
		t.Fatal(err)
	}
	given[0] = "changed"
	v.Names()[1] = "changed"
	if names := v.Names(); !slices.Equal(names, []string{"users:read", "users:write"}) {
		t.Errorf("a caller changed the names to %v", names)
	}
	if !v.Knows("users:read") || v.Knows("changed") || v.Knows("") {
		t.Error("Knows is wrong")
	}
}

func TestNewVocabularyRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		scopes []string
		says   string
	}{
		"an empty name":   {[]string{"a", ""}, `""`},
		"a repeated name": {[]string{"a", "b", "a"}, `"a"`},
		"too many":        {scopes(auth.MaxScopes + 1), "the limit is 256"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := auth.NewVocabulary(test.scopes...)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v, want one that says %s", err, test.says)
			}
		})
	}
}

func TestContainsAllocatesNothing(t *testing.T) {
	v := fullVocabulary(t)
	held, want := v.Set("scope:1", "scope:100"), v.Set("scope:100")
	if n := testing.AllocsPerRun(100, func() { held.Contains(&want) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkContains(b *testing.B) {
	v := fullVocabulary(b)
	held, want := v.Set("scope:1", "scope:100", "scope:255"), v.Set("scope:255")
	b.ReportAllocs()
	for b.Loop() {
		if !held.Contains(&want) {
			b.Fatal("does not contain")
		}
	}
}
