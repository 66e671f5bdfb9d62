package account

import (
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/fault"
)

func TestAddressesThatAreAccepted(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, typed, key string }{
		{"plain", "ann@example.com", "ann@example.com", "ann@example.com"},
		{"case of both parts", "Ann.Lee@Example.COM", "Ann.Lee@Example.COM", "ann.lee@example.com"},
		{"white space around", "\t ann@example.com\u00a0\r\n", "ann@example.com", "ann@example.com"},
		{"decomposed", "rene\u0301@example.com", "ren\u00e9@example.com", "ren\u00e9@example.com"},
		{"composed upper case", "REN\u00c9@example.com", "REN\u00c9@example.com", "ren\u00e9@example.com"},
		{"sharp s folds to ss", "stra\u00dfe@example.com", "stra\u00dfe@example.com", "strasse@example.com"},
		{"capital sharp s", "STRA\u1e9eE@example.com", "STRA\u1e9eE@example.com", "strasse@example.com"},
		{"final sigma", "\u03c2@example.com", "\u03c2@example.com", "\u03c3@example.com"},
		{"kelvin sign composes to K", "\u212aay@example.com", "Kay@example.com", "kay@example.com"},
		{"domain in Unicode", "ann@b\u00fccher.example", "ann@b\u00fccher.example", "ann@xn--bcher-kva.example"},
		{"domain in upper-case Unicode", "ann@B\u00dcCHER.example", "ann@B\u00dcCHER.example", "ann@xn--bcher-kva.example"},
		{"domain in A-labels", "ann@XN--BCHER-KVA.example", "ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"},
		{"sharp s in a domain is itself", "ann@stra\u00dfe.example", "ann@stra\u00dfe.example", "ann@xn--strae-oqa.example"},
		{"full-width domain", "ann@\uff45xample\uff0ecom", "ann@\uff45xample\uff0ecom", "ann@example.com"},
		{"ideographic full stop", "ann@example\u3002com", "ann@example\u3002com", "ann@example.com"},
		{
			"joiner where the script needs it", "ann@\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example",
			"ann@\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example", "ann@xn--mgba3gch31f060k.example",
		},
		{
			"all of atext", "a!#$%&'*+-/=?^_`{|}~z@example.com", "a!#$%&'*+-/=?^_`{|}~z@example.com",
			"a!#$%&'*+-/=?^_`{|}~z@example.com",
		},
		{"plus tag is kept", "ann+news@example.com", "ann+news@example.com", "ann+news@example.com"},
		{"hyphens and digits", "a-1@x-1.3com", "a-1@x-1.3com", "a-1@x-1.3com"},
		{
			"64 bytes before @", strings.Repeat("a", 64) + "@b.example", strings.Repeat("a", 64) + "@b.example",
			strings.Repeat("a", 64) + "@b.example",
		},
		{"254 bytes", longAddress(254), longAddress(254), longAddress(254)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, wrong := parseAddress(tt.text)
			if wrong != nil {
				t.Fatalf("refused: %s", wrong[0].Message)
			}
			if got.typed != tt.typed || got.key != tt.key {
				t.Errorf("typed %+q key %+q, want %+q and %+q", got.typed, got.key, tt.typed, tt.key)
			}
		})
	}
}

// longAddress returns a valid address of the given length, 198 to 260 bytes.
func longAddress(length int) string {
	label := strings.Repeat("d", 63)
	domain := label + "." + label + ".example"
	local := strings.Repeat("a", 60)
	filler := strings.Repeat("e", length-len(local)-len("@.")-len(domain))
	return local + "@" + filler + "." + domain
}

func TestAddressesThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, hint string }{
		{"empty", "", "needed"},
		{"white space alone", " \t\u3000", "needed"},
		{"no @", "ann.example.com", "no @"},
		{"full-width @", "ann\uff20example.com", "no @"},
		{"two @", "ann@lee@example.com", "more than one @"},
		{"two addresses", "ann@example.com, lee@example.com", "more than one @"},
		{"name and brackets", "Ann <ann@example.com>", "angle brackets"},
		{"inner space", "ann lee@example.com", "Did you mean it without?"},
		{"no-break space", "ann@exam\u00a0ple.com", "Did you mean it without?"},
		{"comma for dot", "ann@example,com", "Did you mean a dot?"},
		{"nothing before @", "@example.com", "before @ is missing"},
		{"nothing after @", "ann@", "after @ is missing"},
		{"quoted", `"ann lee"@example.com`, "quotation mark"},
		{"literal IPv4", "ann@[192.0.2.1]", "IP address"},
		{"literal IPv6", "ann@[IPv6:2001:db8::1]", "IP address"},
		{"bare IPv4", "ann@192.0.2.1", "ends in a number"},
		{"full-width IPv4", "ann@192.0.2.\uff11", "ends in a number"},
		{"no dot in the domain", "ann@localhost", "no dot"},
		{"dot first", ".ann@example.com", "before @ begins or ends with a dot"},
		{"dot last", "ann.@example.com", "before @ begins or ends with a dot"},
		{"two dots", "ann..lee@example.com", "two in a row"},
		{"domain with dot first", "ann@.example.com", "after @ begins or ends with a dot"},
		{"domain with dot last", "ann@example.com.", "after @ begins or ends with a dot"},
		{"domain with ideographic dot last", "ann@example.com\u3002", "not a domain"},
		{"domain with two dots", "ann@example..com", "two in a row"},
		{"backslash", `ann\lee@example.com`, "character that addresses cannot have"},
		{"parentheses", "ann(lee)@example.com", "character that addresses cannot have"},
		{"zero-width space", "ann\u200b@example.com", "character that addresses cannot have"},
		{"byte order mark", "\ufeffann@example.com", "character that addresses cannot have"},
		{"right-to-left override", "ann\u202e@example.com", "character that addresses cannot have"},
		{"variation selector", "ann\ufe0f@example.com", "character that addresses cannot have"},
		{"Hangul filler", "ann\u3164@example.com", "character that addresses cannot have"},
		{"unassigned", "ann\u0378@example.com", "character that addresses cannot have"},
		{"private use", "ann\ue000@example.com", "character that addresses cannot have"},
		{"replacement character", "ann\ufffd@example.com", "character that addresses cannot have"},
		{"NUL", "ann\x00@example.com", "control character"},
		{"line break", "ann@example.com\r\nBcc: lee@example.com", "control character"},
		{"C1 control", "ann\u0080@example.com", "control character"},
		{"not UTF-8", "ann\xff@example.com", "control character"},
		{"underscore in the domain", "ann@ex_ample.com", "not a domain"},
		{"hyphen first", "ann@-example.com", "not a domain"},
		{"hyphen last", "ann@example-.com", "not a domain"},
		{"broken A-label", "ann@xn--a.example", "not a domain"},
		{"A-label of ASCII", "ann@xn--example-.com", "not a domain"},
		{"A-label that would map", "ann@xn--bcher-2pa.example", "not a domain"},
		{"mixed directions", "ann@a\u05d0.example", "not a domain"},
		{"joiner where no script needs it", "ann@a\u200db.example", "not a domain"},
		{"label of 64", "ann@" + strings.Repeat("d", 64) + ".example", "not a domain"},
		{"65 bytes before @", strings.Repeat("a", 65) + "@example.com", "at most 64 bytes"},
		{"65 bytes in 33 characters", strings.Repeat("\u00e9", 32) + "a@example.com", "at most 64 bytes"},
		{"65 bytes once folded", strings.Repeat("\u0149", 22) + "@example.com", "at most 64 bytes"},
		{"255 bytes", longAddress(255), "at most 254 bytes"},
		{"a megabyte", strings.Repeat("a", 1<<20) + "@example.com", "at most 254 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, wrong := parseAddress(tt.text)
			if len(wrong) != 1 || wrong[0].Code != fault.InvalidEmail {
				t.Fatalf("got %+q and %v, want one INVALID_EMAIL", got.key, wrong)
			}
			if !strings.Contains(wrong[0].Message, tt.hint) {
				t.Errorf("message %q does not hint at %q", wrong[0].Message, tt.hint)
			}
			if got != (address{}) {
				t.Errorf("a refused address left %+q", got.key)
			}
		})
	}
}

// The message must not carry what was typed: it travels into responses and from there into other people's logs.
func TestRefusedAddressIsNotEchoed(t *testing.T) {
	t.Parallel()
	const canary = "zqcanaryzq"
	for _, text := range []string{
		canary, canary + "@", "@" + canary, canary + "@" + canary, canary + " @example.com", "a@" + canary + ",com",
		`"` + canary + `"@example.com`, canary + ".@example.com", "a@" + canary + "_.com", canary + "@" + canary + "@",
	} {
		_, wrong := parseAddress(text)
		if len(wrong) != 1 {
			t.Fatalf("%q: %d problems, want 1", text, len(wrong))
		}
		if strings.Contains(wrong[0].Message+wrong.Error(), canary) {
			t.Errorf("%q is echoed in %q", text, wrong[0].Message)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{
		"ann@example.com", " Ann@EXAMPLE.com ", "rene\u0301@b\u00fccher.example", "ann@xn--bcher-kva.example", "a@b,c",
		"\u0130@example.com", "\u1e9e\u0345\u0301@example.com", "\u03b1\u0345\u0301@example.com", "ann@[::1]", "@", "",
		"a@\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example", "\uac00\u1100\u1161\u11a8@x.y", "a@\u3002.b", "\xff@a.b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, wrong := parseAddress(text)
		if wrong != nil {
			if got != (address{}) {
				t.Fatalf("%+q: refused and yet %+q", text, got.key)
			}
			return
		}
		again, wrong := parseAddress(got.key)
		if wrong != nil {
			t.Fatalf("%+q: its key %+q is refused: %s", text, got.key, wrong[0].Message)
		}
		if again.key != got.key || again.typed != got.key {
			t.Fatalf("%+q: its key %+q becomes %+q", text, got.key, again.key)
		}
		typed, wrong := parseAddress(got.typed)
		if wrong != nil || typed != got {
			t.Fatalf("%+q: typed again as %+q it becomes %+q", text, got.typed, typed.key)
		}
		if len(got.key) > maxAddress || !utf8.ValidString(got.key) || strings.Count(got.key, "@") != 1 {
			t.Fatalf("%+q: key %+q", text, got.key)
		}
	})
}
