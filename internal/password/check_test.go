package password_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"gatehouse/internal/fault"
	"gatehouse/internal/password"
)

// codeOf returns the code of the only error, or "" for none.
func codeOf(t *testing.T, errs fault.UserErrors) fault.Code {
	t.Helper()
	if len(errs) == 0 {
		return ""
	}
	if len(errs) > 1 || !slices.Equal(errs[0].Field, []string{"input", "password"}) || errs[0].Message == "" {
		t.Errorf("%+v, want one error about the password field, with a message", errs)
	}
	return errs[0].Code
}

func TestCheckLength(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		password string
		want     fault.Code
	}{
		{"empty", "", fault.PasswordTooShort},
		{"seven", "zqxwvkj", fault.PasswordTooShort},
		{"eight", "zqxwvkjp", ""},
		{"seven code points of 21 bytes", "春眠不覺曉處處"[:21], fault.PasswordTooShort},
		{"eight code points of 24 bytes", "春眠不覺曉處處聞"[:24], ""},
		{"seven emoji", strings.Repeat("🐙", 7), fault.PasswordTooShort},
		{"eight emoji", strings.Repeat("🐙", 8), ""},
		{"eight before NFC, four after", strings.Repeat("e\u0301", 4), fault.PasswordTooShort},
		{"four before NFC, eight after", strings.Repeat("\u0958", 4), ""}, // a composition exclusion: NFC takes it apart
		{"1,024 bytes", strings.Repeat("zqxw", 256), ""},
		{"1,025 bytes", strings.Repeat("zqxw", 256) + "v", fault.PasswordTooLong},
		{"1,024 bytes only after NFC", strings.Repeat("e\u0301", 512), ""},
		{"1,026 bytes after NFC", strings.Repeat("e\u0301", 513), fault.PasswordTooLong},
		{"a quarter of a megabyte", strings.Repeat("\u0301", 128<<10), fault.PasswordTooLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := codeOf(t, password.Check(test.password, password.Personal{})); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestCheckCommon(t *testing.T) {
	t.Parallel()
	for plain, want := range map[string]fault.Code{
		"password":             fault.PasswordCompromised,
		"PassWord":             fault.PasswordCompromised,
		"password1":            fault.PasswordCompromised,
		"Qwertyuiop":           fault.PasswordCompromised,
		"1q2w3e4r5t":           fault.PasswordCompromised,
		"123456789":            fault.PasswordCompromised,
		"ｐａｓｓｗｏｒｄ":             fault.PasswordCompromised, // full width
		"pässwörd":             fault.PasswordCompromised,
		"password and more":    "",
		"passwordpasswordword": "",
		"zq7#kvw!pxj":          "",
	} {
		if got := codeOf(t, password.Check(plain, password.Personal{})); got != want {
			t.Errorf("%s: %q, want %q", plain, got, want)
		}
	}
}

func TestCheckOwnWords(t *testing.T) {
	t.Parallel()
	ada := password.Personal{Email: "ada.king@mail.lovelace.example", Username: "countess_1815", Name: "Ada Byron"}
	for _, test := range []struct {
		name     string
		password string
		about    password.Personal
		refused  bool
	}{
		{"user name", "countess_1815", ada, true},
		{"user name, other case", "COUNTESS1815", ada, true},
		{"user name without its digits", "countess2024", ada, true},
		{"name", "adabyron", ada, true},
		{"name, turned round", "Byron, Ada", ada, true},
		{"name and a date", "ada10121815", ada, true},
		{"name twice", "adaadaada", ada, true},
		{"name within digits and signs", "!!12Byron34!!", ada, true},
		{"leet", "4d4byr0n99", ada, true},
		{"leet with signs", "@d@Byron!", ada, true},
		{"leet that takes a one for an l", "10v31ace!", ada, true},
		{"local part", "ada.king1", ada, true},
		{"part of the local part", "kingking7", ada, true},
		{"domain", "lovelace7", ada, true},
		{"domain whole", "mail.lovelace.example", ada, true},
		{"address", "ada.king@mail.lovelace.example", ada, true},
		{"address and a digit", "ada.king@mail.lovelace.example1", ada, true},
		{"accents", "ÀdáBýrön1", ada, true},
		{"full width", "ａｄａｂｙｒｏｎ", ada, true},
		{"three letters more", "lovelacexyz", ada, true},
		{"everything at once", "Ada.King-Byron-Lovelace-1815", ada, true},

		{"four letters more", "lovelacewxyz", ada, false},
		{"nine digits more", "ada271828182", ada, false},
		{"passphrase with the name in it", "ada likes herons and trains", ada, false},
		{"passphrase with the name in a word", "canada geese cross the road", ada, false},
		{"passphrase with the domain", "the lovelace of cobwebs", ada, false},
		{"nothing of it", "zq7#kvw!pxj", ada, false},
		{"top-level domain alone", "example-42", ada, false},
		{"nobody known", "lovelace7", password.Personal{}, false},
		{"short words are none", "bo-zq-421", password.Personal{Email: "b@o.uk", Username: "bo", Name: "Z Q"}, false},

		{"user name in leet", "lovelace99", password.Personal{Username: "l0v3l4c3"}, true},
		{"address with a tag", "news2024!", password.Personal{Email: "ada+news@lovelace.example"}, true},
		{"user name of single letters", "j_d_k_2024", password.Personal{Username: "j_d_k"}, true},
		{"user name of single letters, run together", "jdk20242024", password.Personal{Username: "j_d_k"}, true},
		{"punctuation is no word", "---xyz12345", password.Personal{Username: "---", Name: "-", Email: "...@..."}, false},
		{"not an address", "lovelace99", password.Personal{Email: "lovelace"}, true},
		{"address ending in @", "lovelace99", password.Personal{Email: "lovelace@"}, true},
		{"address beginning with @", "lovelace99", password.Personal{Email: "@lovelace.example"}, true},
		{"host without dots", "workshop99", password.Personal{Email: "ada@workshop"}, true},
		{"Han name", "李明2024!!", password.Personal{Name: "李明"}, true},
		{"Han surname", "李12345678", password.Personal{Name: "李 明"}, true},
		{"Han passphrase", "李白床前明月光疑是地上霜", password.Personal{Name: "李明"}, false},
		{"Cyrillic name", "НАТАША77", password.Personal{Name: "Наташа Ростова"}, true},
		{"sharp s", "STRASSER1", password.Personal{Name: "Straßer"}, true},
		{"short name in a word", "Guardian!7", password.Personal{Name: "Ian"}, false},
		{"name of five words", "correct horse battery staple", password.Personal{Name: "Correct Horse Battery Staple Jr"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			want := fault.Code("")
			if test.refused {
				want = fault.PasswordCompromised
			}
			if got := codeOf(t, password.Check(test.password, test.about)); got != want {
				t.Errorf("%q: %q, want %q", test.password, got, want)
			}
		})
	}
}

// TestCheckLetsRandomPasswordsPass: a short name turns up in random text now and then, and that must hardly ever matter.
func TestCheckLetsRandomPasswordsPass(t *testing.T) {
	t.Parallel()
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!@#$%^&*()-_=+"
	random := rand.NewChaCha8([32]byte{18, 15})
	about := password.Personal{Email: "ada.king@lovelace.example", Username: "ian", Name: "Bob Lee"}
	refused := 0
	for range 5_000 {
		plain := make([]byte, 12)
		for i := range plain {
			plain[i] = alphabet[random.Uint64()%uint64(len(alphabet))]
		}
		if errs := password.Check(string(plain), about); errs != nil {
			refused++
		}
	}
	if refused > 1 {
		t.Errorf("%d of 5,000 random passwords are refused", refused)
	}
}

func TestCheckMessagesQuoteNothing(t *testing.T) {
	t.Parallel()
	about := password.Personal{Email: "zebulon@quagga.example", Username: "xylograph", Name: "Zebulon Quagga"}
	for _, plain := range []string{"zebu", "xylograph1", "quagga2024", "sunshine", strings.Repeat("quagga", 200)} {
		errs := password.Check(plain, about)
		if len(errs) == 0 {
			t.Errorf("%.20s is accepted", plain)
		}
		for _, e := range errs {
			for _, word := range []string{plain, "zebu", "xylograph", "quagga"} {
				if strings.Contains(strings.ToLower(e.Message), word) {
					t.Errorf("%q quotes %q", e.Message, word)
				}
			}
		}
	}
}

// FuzzCheck: nothing makes it fail, it judges a password the same way in every Unicode form, and what it lets pass keeps to the
// lengths.
func FuzzCheck(f *testing.F) {
	f.Add("adabyron1815", "ada@lovelace.example", "ada", "Ada Byron")
	f.Add("e\u0301e\u0301e\u0301e\u0301", "@", ".", "\xff")
	f.Add("", "@@..", "1", "\u1100\u1161\u11a8")
	f.Fuzz(func(t *testing.T, plain, email, username, name string) {
		about := password.Personal{Email: email, Username: username, Name: name}
		errs := password.Check(plain, about)
		composed, decomposed := norm.NFC.String(plain), norm.NFD.String(plain)
		if a, b := codeOf(t, errs), codeOf(t, password.Check(decomposed, about)); a != b {
			t.Errorf("%q for one form, %q for another", a, b)
		}
		if errs == nil && (len([]rune(composed)) < password.MinLength || len(composed) > password.MaxBytes) {
			t.Errorf("%d code points, %d bytes: accepted", len([]rune(composed)), len(composed))
		}
	})
}
