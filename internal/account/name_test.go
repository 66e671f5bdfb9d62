package account

import (
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/fault"
)

func TestUsernames(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, typed, key, hint string }{
		{"plain", "ann", "ann", "ann", ""},
		{"case is kept and folded", "AnnLee", "AnnLee", "annlee", ""},
		{"trimmed", " ann\t", "ann", "ann", ""},
		{"separators", "ann.b-c_d9", "ann.b-c_d9", "ann.b-c_d9", ""},
		{"digits alone", "007", "007", "007", ""},
		{"32 characters", strings.Repeat("a", 32), strings.Repeat("a", 32), strings.Repeat("a", 32), ""},
		{"33 characters", strings.Repeat("a", 33), "", "", "3 to 32"},
		{"2 characters", "an", "", "", "3 to 32"},
		{"empty", "", "", "", "3 to 32"},
		{"white space alone", "  ", "", "", "3 to 32"},
		{"an address", "ann@example.com", "", "", "field of its own"},
		{"inner space", "ann lee", "", "", "only the letters"},
		{"other script", "\u0430nn", "", "", "only the letters"},
		{"full width", "\uff41nn", "", "", "only the letters"},
		{"accent", "ren\u00e9", "", "", "only the letters"},
		{"control", "an\x00n", "", "", "only the letters"},
		{"not UTF-8", "ann\xff", "", "", "only the letters"},
		{"dot first", ".ann", "", "", "begins and ends"},
		{"hyphen last", "ann-", "", "", "begins and ends"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			typed, key, wrong := parseUsername(tt.text)
			if typed != tt.typed || key != tt.key {
				t.Errorf("typed %+q key %+q, want %+q and %+q", typed, key, tt.typed, tt.key)
			}
			expectHint(t, wrong, fault.InvalidUsername, tt.hint)
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want, hint string }{
		{"plain", "Ann Lee", "Ann Lee", ""},
		{"trimmed", "\u3000Ann \n", "Ann", ""},
		{"one character", "\u674e", "\u674e", ""},
		{"composed", "Rene\u0301e", "Ren\u00e9e", ""},
		{"emoji with joiner and selector", "\U0001f469\u200d\U0001f680\ufe0f", "\U0001f469\u200d\U0001f680\ufe0f", ""},
		{"right-to-left script", "\u05d3\u05e0\u05d4", "\u05d3\u05e0\u05d4", ""},
		{"100 code points", strings.Repeat("\u674e", 100), strings.Repeat("\u674e", 100), ""},
		{"100 code points once composed", strings.Repeat("e\u0301", 100), strings.Repeat("\u00e9", 100), ""},
		{"101 code points", strings.Repeat("a", 101), "", "at most 100"},
		{"empty", "", "", "at least one visible"},
		{"white space alone", " \u00a0", "", "at least one visible"},
		{"zero-width space alone", "\u200b", "", "at least one visible"},
		{"Hangul filler alone", "\u3164", "", "at least one visible"},
		{"mark alone", "\u0301", "", "at least one visible"},
		{"right-to-left override", "Ann\u202eeeL", "", "control character"},
		{"isolate", "Ann\u2066", "", "control character"},
		{"right-to-left mark", "Ann\u200f!", "", "control character"},
		{"line break", "Ann\nLee", "", "control character"},
		{"line separator", "Ann\u2028Lee", "", "control character"},
		{"NUL", "Ann\x00", "", "control character"},
		{"C1 control", "Ann\u0090", "", "control character"},
		{"private use", "Ann\uf8ff", "", "control character"},
		{"non-character", "Ann\ufffe", "", "control character"},
		{"byte order mark", "\ufeffAnn", "", "control character"},
		{"not UTF-8", "Ann\xff", "", "control character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, wrong := parseName(tt.text)
			if got != tt.want {
				t.Errorf("got %+q, want %+q", got, tt.want)
			}
			expectHint(t, wrong, fault.InvalidName, tt.hint)
		})
	}
}

// expectHint checks that wrong is one user error with the code and a message that contains hint; with an empty hint, nothing.
func expectHint(t *testing.T, wrong fault.UserErrors, code fault.Code, hint string) {
	t.Helper()
	if hint == "" {
		if wrong != nil {
			t.Errorf("refused: %s", wrong[0].Message)
		}
		return
	}
	if len(wrong) != 1 || wrong[0].Code != code || !strings.Contains(wrong[0].Message, hint) {
		t.Errorf("got %+v, want one %s that hints at %q", wrong, code, hint)
	}
}

func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"Ann Lee", " Rene\u0301e ", "\u3164", "\U0001f469\u200d\U0001f680", "\u202e", "\xff", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, wrong := parseName(text)
		if wrong != nil {
			return
		}
		if again, wrong := parseName(got); wrong != nil || again != got {
			t.Fatalf("%+q becomes %+q, which becomes %+q", text, got, again)
		}
		if length := utf8.RuneCountInString(got); length < 1 || length > maxName {
			t.Fatalf("%+q has %d code points", got, length)
		}
	})
}

func FuzzParseUsername(f *testing.F) {
	for _, seed := range []string{"ann", " A.n-n_9 ", "ann@example.com", "\uff41nn", "--", "\xff", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		typed, key, wrong := parseUsername(text)
		if wrong != nil {
			return
		}
		again, same, wrong := parseUsername(key)
		if wrong != nil || again != key || same != key {
			t.Fatalf("%+q has the key %+q, which becomes %+q", text, key, same)
		}
		if len(typed) < minUsername || len(typed) > maxUsername || strings.Contains(typed, "@") {
			t.Fatalf("%+q was accepted as %+q", text, typed)
		}
	})
}
