package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"gatehouse/internal/fault"
)

// Limits of usernames and names, in code points.
const (
	minUsername = 3
	maxUsername = 32
	maxName     = 100
)

// parseUsername reads what a person typed as their username: trimmed, 3 to 32 ASCII letters, digits, dots, underscores and
// hyphens, beginning and ending with a letter or a digit. The key is its lower case.
//
// ASCII alone keeps two usernames that look the same from being different, which no normalisation achieves for all of
// Unicode, and no username can pass for an e-mail address. What a person is called belongs into the name.
func parseUsername(text string) (typed, key string, wrong fault.UserErrors) {
	typed = strings.TrimSpace(text)
	possible := func(r rune) bool { return alphanumeric(r) || strings.ContainsRune("._-", r) }
	switch {
	case strings.Contains(typed, "@"):
		return "", "", invalidUsername("A username cannot contain @: the e-mail address has a field of its own.")
	case strings.ContainsFunc(typed, func(r rune) bool { return !possible(r) }):
		return "", "", invalidUsername("A username has only the letters a to z, digits, dots, underscores and hyphens.")
	case len(typed) < minUsername || len(typed) > maxUsername:
		return "", "", invalidUsername("A username has 3 to 32 characters.")
	case !alphanumeric(rune(typed[0])) || !alphanumeric(rune(typed[len(typed)-1])):
		return "", "", invalidUsername("A username begins and ends with a letter or a digit.")
	}
	return typed, strings.ToLower(typed), nil
}

func alphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// parseName reads what a person wants to be called: trimmed, NFC, 1 to 100 code points, at least one of them visible.
// Characters that reverse the direction of the text around them are refused, since a name is shown amid other people's.
func parseName(text string) (string, fault.UserErrors) {
	text = strings.TrimSpace(text)
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unnameable) {
		return "", invalidName("There is a control character in the name.")
	}
	text = norm.NFC.String(text)
	if length := utf8.RuneCountInString(text); length > maxName {
		return "", invalidName("A name has at most 100 characters.")
	}
	if !strings.ContainsFunc(text, visible) {
		return "", invalidName("A name has at least one visible character; leave it out to have none.")
	}
	return text, nil
}

// unnameable reports whether r has no place in one line of text: controls, line breaks, what Unicode calls bidirectional
// controls, and code points without a public meaning.
func unnameable(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Co, unicode.Bidi_Control, unicode.Noncharacter_Code_Point) ||
		r == '\ufeff'
}

func visible(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && !invisible(r)
}

func invalidUsername(message string) fault.UserErrors {
	return fault.User(fault.InvalidUsername, "username", message)
}

func invalidName(message string) fault.UserErrors {
	return fault.User(fault.InvalidName, "name", message)
}
