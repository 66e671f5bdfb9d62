package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"gatehouse/internal/fault"
)

// Limits of RFC 5321 section 4.5.3.1 in octets, and one of ours that bounds the work before anything is normalised.
const (
	maxLocal   = 64
	maxAddress = 254 // a path of 256 octets less its angle brackets
	maxTyped   = 1024
)

// lookup turns a domain into what the DNS is asked for: UTS #46 mapping, non-transitional, with all of its checks on.
var lookup = idna.New(
	idna.MapForLookup(), idna.StrictDomainName(true), idna.BidiRule(), idna.VerifyDNSLength(true), idna.Transitional(false))

// address is an e-mail address in its two forms.
type address struct {
	typed string // trimmed, in NFC
	key   string // canonical
}

// parseAddress reads what a person typed as their e-mail address.
//
// The canonical form folds the case of the whole address, also of the part before @, which RFC 5321 section 2.4 leaves to
// the receiving host. The consequence: two mailboxes that differ in nothing but case (or in ß and ss, which fold alike)
// cannot both have an account. Mail always goes to the address as typed at registration, never to a spelling that merely
// folds to the same key, so that nobody receives what is another's. The domain becomes its A-labels (RFC 5890).
//
// Quoted local parts ("john smith"@example.com) and address literals (john@[192.0.2.1]) are valid in RFC 5321 and refused
// here: hardly anybody has one, and many mail systems cannot reach them.
func parseAddress(text string) (address, fault.UserErrors) {
	text = strings.TrimSpace(text)
	switch {
	case len(text) > maxTyped:
		return address{}, invalidEmail("The address is too long: at most 254 bytes are possible.")
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return address{}, invalidEmail("There is a control character in the address.")
	}
	text = norm.NFC.String(text)
	if problem := misshapen(text); problem != "" {
		return address{}, invalidEmail(problem)
	}
	local, domain, _ := strings.Cut(text, "@")
	if problem := badLocal(local); problem != "" {
		return address{}, invalidEmail(problem)
	}
	ascii, problem := asciiDomain(domain)
	if problem != "" {
		return address{}, invalidEmail(problem)
	}
	folded := fold(local)
	key := folded + "@" + ascii
	switch {
	case max(len(local), len(folded)) > maxLocal:
		return address{}, invalidEmail("The part before @ is too long: at most 64 bytes are possible.")
	case max(len(text), len(key)) > maxAddress:
		return address{}, invalidEmail("The address is too long: at most 254 bytes are possible.")
	}
	return address{typed: text, key: key}, nil
}

// misshapen says what keeps text from being one local part, one @ and one domain; nothing when it is.
func misshapen(text string) string {
	ats := strings.Count(text, "@")
	switch {
	case text == "":
		return "An e-mail address is needed."
	case strings.ContainsAny(text, "<>"):
		return "Give the address alone, without a name or angle brackets."
	case strings.Contains(text, `"`):
		return "There is a quotation mark in the address: quoted addresses are not accepted."
	case ats == 0:
		return "There is no @ in the address."
	case ats > 1:
		return "There is more than one @: give a single address."
	case strings.ContainsFunc(text, unicode.IsSpace):
		return "There is a space in the address. Did you mean it without?"
	case strings.Contains(text, ","):
		return "There is a comma in the address. Did you mean a dot?"
	case strings.HasPrefix(text, "@"):
		return "The part before @ is missing."
	case strings.HasSuffix(text, "@"):
		return "The part after @ is missing."
	}
	return ""
}

// badLocal says what keeps local from being a dot-atom of RFC 5322 section 3.2.3, with the Unicode of RFC 6531 section 3.3
// as far as it can be seen; nothing when it is one.
func badLocal(local string) string {
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return "The part before @ begins or ends with a dot, or has two in a row."
	}
	if strings.ContainsFunc(local, func(r rune) bool { return r != '.' && !atom(r) }) {
		return "The part before @ contains a character that addresses cannot have."
	}
	return ""
}

func atom(r rune) bool {
	switch {
	case r >= utf8.RuneSelf:
		return r != utf8.RuneError && unicode.IsGraphic(r) && !invisible(r)
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return true
	}
	return strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// asciiDomain returns the domain in A-labels and lower case, or says what keeps it from being one.
func asciiDomain(domain string) (ascii, problem string) {
	if strings.ContainsAny(domain, "[]:") {
		return "", "The part after @ is an IP address: a domain such as example.com is needed."
	}
	if strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return "", "The part after @ begins or ends with a dot, or has two in a row."
	}
	ascii, err := lookup.ToASCII(domain)
	if err != nil || strings.HasSuffix(ascii, ".") { // a mapped character can turn out to be a dot
		return "", "The part after @ is not a domain: letters, digits and inner hyphens are possible, at most 63 between two dots."
	}
	last := ascii[strings.LastIndexByte(ascii, '.')+1:]
	switch {
	case last == ascii:
		return "", "The part after @ has no dot: a domain such as example.com is needed."
	case !strings.ContainsFunc(last, func(r rune) bool { return r < '0' || r > '9' }):
		return "", "The part after @ ends in a number: a domain such as example.com is needed."
	}
	return ascii, ""
}

// fold returns the canonical caseless form of Unicode section 3.13 (D145), composed again.
func fold(text string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFD.String(text)))
}

// invisible reports whether r shows nothing although its category says that it is graphic.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

func invalidEmail(message string) fault.UserErrors {
	return fault.User(fault.InvalidEmail, "email", message)
}
