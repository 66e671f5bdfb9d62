package secret_test

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"gatehouse/internal/secret"
)

// faultOfRefusal returns what is wrong with how text is refused: it must be, with a sentence that says what to do and doesn't
// show the text.
func faultOfRefusal(text string) error {
	key, err := secret.ParseKey(text)
	switch {
	case err == nil:
		return fmt.Errorf("%q is accepted as %x", text, key)
	case !strings.Contains(err.Error(), "openssl rand -base64 32") && !strings.Contains(err.Error(), "separated by commas"):
		return fmt.Errorf("%q is refused without saying what to do: %w", text, err)
	case len(text) >= 12 && strings.Contains(err.Error(), text):
		return fmt.Errorf("%q is quoted: %w", text, err)
	}
	return nil
}

func TestParseKeyRefusesTheWeak(t *testing.T) {
	t.Parallel()
	counting := make([]byte, 64)
	for i := range counting {
		counting[i] = byte(i)
	}
	strong, err := base64.StdEncoding.DecodeString(one)
	if err != nil {
		t.Fatal(err)
	}
	const rfc7515 = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
	digest := func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
	var fewBytes string
	for _, digit := range "3141592653589793238462643383279502884197" {
		fewBytes += "9" + string(digit)
	}
	for name, text := range map[string]string{
		"forty bytes, ten different ones":       fewBytes,
		"nothing":                               "",
		"31 bytes":                              base64.StdEncoding.EncodeToString(strong[:31]),
		"31 bytes in hex":                       hex.EncodeToString(strong[:31]),
		"128 bits":                              base64.StdEncoding.EncodeToString(strong[:16]),
		"hex of 22 bytes, also base64 of 33":    hex.EncodeToString(strong[:22]),
		"half a byte of hex":                    hex.EncodeToString(strong) + "a",
		"loose bits":                            one[:42] + "l=",
		"padding inside":                        one + one,
		"one = too many":                        one + "=",
		"both alphabets are fine but no others": strings.Replace(one, "P", "*", 1),
		"zeros":                                 strings.Repeat("0", 64),
		"zero bytes in base64":                  base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"0xff":                                  strings.Repeat("ff", 32),
		"deadbeef":                              strings.Repeat("deadbeef", 8),
		"0123456789abcdef":                      strings.Repeat("0123456789abcdef", 4),
		"00 11 22 … ff and back":                "00112233445566778899aabbccddeeffffeeddccbbaa99887766554433221100",
		"counting up":                           hex.EncodeToString(counting[:32]),
		"counting up to 64":                     hex.EncodeToString(counting),
		"counting from 128":                     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
		"counting down":                         "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0",
		"half of it random":                     hex.EncodeToString(append(strong[:16:16], make([]byte, 16)...)),
		"16 random bytes twice":                 hex.EncodeToString(append(strong[:16:16], strong[:16]...)),
		"24 random bytes and a third again":     hex.EncodeToString(append(strong[:24:24], strong[:8]...)),
		"32 random bytes twice":                 hex.EncodeToString(append(strong[:32:32], strong...)),
		"the alphabet of base64":                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		"a sentence in base64":                  base64.StdEncoding.EncodeToString([]byte("correct horse battery staple, longer")),
		"a sentence in hex":                     hex.EncodeToString([]byte("correct horse battery staple, longer")),
		"another language":                      base64.StdEncoding.EncodeToString([]byte("long mot de passe du vieux château")),
		"hex in base64":                         base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(strong))),
		"words run together":                    "thisismyverysecretkeythatnobodywillguessever",
		"words and digits":                      "supersecret123456789supersecret987654321abcd",
		"capitals":                              "THISISMYVERYSECRETKEYTHATNOBODYWILLGUESSEVER",
		"words with capitals":                   "ThisIsMyVerySecretKeyThatNobodyWillGuessEver",
		"words with hyphens":                    "super-secret-jwt-token-with-at-least-32-characters-long-",
		"your-256-bit-secret":                   "your-256-bit-secret",
		"a tutorial's key":                      "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
		"RFC 7515 A.1.1":                        rfc7515,
		"RFC 7517 A.3":                          "GawgguFyGrWKav7AX4VKUg",
		"RFC 7520 3.5":                          "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG+Onbc6mxCcYg=",
		"NIST SP 800-38A":                       "603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4",
		"SHA-256 of nothing":                    digest(""),
		"SHA-256 of changeme":                   digest("changeme"),
		"SHA-256 of a line":                     digest("secret\n"),
		"changeme":                              "changeme",
		"two secrets":                           one + "," + three,
		"a PEM line":                            "-----BEGIN PRIVATE KEY-----",
		"NUL":                                   one + "\x00",
		"invalid UTF-8":                         one + "\xff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := faultOfRefusal(text); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNoCommonPasswordMakesASecret dresses up each of the 20,000 most common passwords in the ways people reach the length.
func TestNoCommonPasswordMakesASecret(t *testing.T) {
	t.Parallel()
	file, err := os.Open("../password/testdata/common-passwords-20k.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	passwords := 0
	for lines := bufio.NewScanner(unzipped); lines.Scan(); {
		password := lines.Text()
		if password == "" {
			continue
		}
		passwords++
		for _, plain := range dressedUp(password, passwords) {
			for _, text := range []string{
				plain, hex.EncodeToString([]byte(plain)), base64.StdEncoding.EncodeToString([]byte(plain)),
			} {
				if err := faultOfRefusal(text); err != nil {
					t.Error(err)
				}
			}
		}
		if t.Failed() {
			return // one password's failures tell enough
		}
	}
	if passwords < 19_000 {
		t.Errorf("only %d passwords in the list", passwords)
	}
}

// dressedUp returns a password as it is, in capitals, encoded, repeated, and padded on either side. To which size and with
// what is another choice for each i, and all of them come round.
func dressedUp(password string, i int) []string {
	sizes := []int{32, 43, 44, 64, 88}
	pads := []string{"\x00", " ", "0", "1", "=", "A", "a", "f", "x", "-", "_", "\xff", "1234567890", "changeme"}
	size, pad := sizes[i%len(sizes)], strings.Repeat(pads[i%len(pads)], 88)
	texts := []string{strings.ToUpper(password), string(utf16LE(strings.Repeat(password, size))[:size])}
	for _, text := range []string{
		password, hex.EncodeToString([]byte(password)), base64.RawStdEncoding.EncodeToString([]byte(password)),
	} {
		texts = append(texts, text, strings.Repeat(text, size)[:size], strings.Repeat(text+"-", size)[:size])
		if len(text) <= size-11 {
			texts = append(texts, (text + pad)[:size], pad[:size-len(text)]+text)
		}
	}
	return texts
}

func utf16LE(text string) (raw []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		raw = binary.LittleEndian.AppendUint16(raw, unit)
	}
	return raw
}

func TestEveryRandomSecretIsAccepted(t *testing.T) {
	t.Parallel()
	random := rand.NewChaCha8([32]byte{}) // always the same ones: the test must not fail once in a blue moon
	for i := range 10_000 {
		key := make([]byte, secret.MinSize+i%33)
		if _, err := random.Read(key); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key),
		} {
			if _, err := secret.ParseKey(text); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// FuzzParse: nothing makes it fail, errors never show the text, and what is accepted is long enough.
func FuzzParse(f *testing.F) {
	f.Add(one)
	f.Add(two + "," + three)
	f.Add("changeme")
	f.Add(" ,=,\n")
	f.Fuzz(func(t *testing.T, text string) {
		if key, err := secret.ParseKey(text); err == nil && len(key) < secret.MinSize {
			t.Errorf("%d bytes", len(key))
		}
		master, err := secret.Parse(text)
		if err == nil {
			if sealed, err := master.Seal("l", []byte("p"), nil); err != nil || len(sealed) == 0 {
				t.Errorf("%d bytes sealed, %v", len(sealed), err)
			}
			return
		}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); len(part) > 20 && strings.Contains(err.Error(), part) {
				t.Errorf("%q shows the secret", err)
			}
		}
	})
}
