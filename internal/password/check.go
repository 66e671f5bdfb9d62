package password

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"gatehouse/internal/fault"
)

// Lengths of a password, in Unicode's form NFC. Eight is the least that NIST SP 800-63B revision 3 allows (section 5.1.1.2);
// the most is far above the 64 that it wants accepted, and keeps a request from being all password.
const (
	MinLength = 8     // code points
	MaxBytes  = 1_024 // bytes of UTF-8
)

// maxTyped is beyond what a password of MaxBytes can have before NFC, which makes no text shorter than a third. What is longer
// still is not worth bringing into that form.
const maxTyped = 4 * MaxBytes

// Personal is what others know of a password's owner, and would try first. Empty fields are passed over; none needs to be
// valid.
type Personal struct {
	Email    string
	Username string
	Name     string
}

// Check judges a new password and returns what is wrong with it, first things first, or nil: its length
// (PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG), that it is one of the most common ones, or that it is made of the owner's own name
// or address (both PASSWORD_COMPROMISED). There are no rules of composition: NIST SP 800-63B advises against them.
//
// A password is made of the owner's own words when it contains at least one of them and has, apart from them, fewer than four
// letters and at most eight digits. Punctuation and spaces count for nothing; neither do case, accents and compatibility
// forms; digits and signs are also tried as the letters they resemble ("l0vel@ce"). Own words are the user name, the name,
// the address, its local part and its domain, each with its punctuation and without; the parts of a name and of the local
// part between punctuation or digits; and the domain's labels but for the last. What has fewer than three bytes is no word:
// two Latin letters occur anywhere by chance, while one Han character is a name. So a passphrase that merely contains a name
// passes, and so do all but one in thousands of random passwords.
func Check(password string, about Personal) fault.UserErrors {
	const field = "password"
	if len(password) <= maxTyped {
		password = norm.NFC.String(password)
	}
	switch {
	case utf8.RuneCountInString(password) < MinLength:
		return fault.User(fault.PasswordTooShort, field,
			fmt.Sprintf("Use at least %d characters. A few words in a row are easy to remember and hard to guess.", MinLength))
	case len(password) > MaxBytes:
		return fault.User(fault.PasswordTooLong, field,
			fmt.Sprintf("Use at most %d bytes, which is that many Latin letters or a third as many Han characters.", MaxBytes))
	case isCommon(fold(password)):
		return fault.User(fault.PasswordCompromised, field,
			"This is one of the most common passwords, the first that attackers try. Choose another.")
	case isMadeOf(password, about):
		return fault.User(fault.PasswordCompromised, field,
			"This is made of your own name or address, which others know. Choose something that isn't about you.")
	}
	return nil
}

// fold returns text without what does not make it harder to guess: case, accents, and compatibility forms such as full-width
// letters.
func fold(text string) string {
	bare := make([]rune, 0, len(text))
	for _, r := range norm.NFKD.String(text) {
		if !unicode.Is(unicode.Mn, r) {
			bare = append(bare, r)
		}
	}
	return norm.NFC.String(cases.Fold().String(string(bare)))
}
