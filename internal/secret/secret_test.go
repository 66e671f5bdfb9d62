package secret_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"gatehouse/internal/secret"
)

// Three secrets drawn at random for these tests.
const (
	one   = "Nn7Pp6VFaTBylgjRK9Q2yEPPa0y0zGFSOCIuL0V2L9k="
	two   = "f1c1ad6a5fa1d09e3c3ff3f1a0d0d1ad7b7c80e6a1cf51a0b1b6b7f2f3e35b8a"
	three = "Gm6n1lFkm-0s8Xq2vPpuHNWJ5S7cYzLQeKX_hbDwA3c"
)

func parse(t *testing.T, text string) *secret.Master {
	t.Helper()
	master, err := secret.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return master
}

func key(t *testing.T, master *secret.Master, label string, size int) []byte {
	t.Helper()
	derived, err := master.Key(label, size)
	if err != nil {
		t.Fatal(err)
	}
	return derived
}

func TestParseKeyReadsEveryEncoding(t *testing.T) {
	t.Parallel()
	key, err := base64.StdEncoding.DecodeString("/+" + one[2:])
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"base64":                base64.StdEncoding.EncodeToString(key),
		"base64 without =":      base64.RawStdEncoding.EncodeToString(key),
		"base64url":             base64.URLEncoding.EncodeToString(key),
		"base64url without =":   base64.RawURLEncoding.EncodeToString(key),
		"hex":                   hex.EncodeToString(key),
		"hex in capitals":       strings.ToUpper(hex.EncodeToString(key)),
		"white space around it": " \t" + base64.StdEncoding.EncodeToString(key) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := secret.ParseKey(text); err != nil || !bytes.Equal(got, key) {
				t.Errorf("%x, %v; want %x", got, err, key)
			}
		})
	}
}

func TestParseSaysWhichSecretIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"none":           {"", "secret: none is given"},
		"white space":    {" \n", "secret: none is given"},
		"second short":   {one + ",abcd", "secret 2 of 2: it is too short"},
		"first missing":  {"," + one, "secret 1 of 2: none is given"},
		"trailing comma": {one + ",", "secret 2 of 2: none is given"},
		"twice":          {one + "," + two + ", " + strings.TrimRight(one, "="), "secret 3 of 3: it is listed twice"},
		"space":          {one + " " + three, "secret: it has white space inside"},
		"two lines":      {three + "\n" + two, "secret: it has white space inside"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			master, err := secret.Parse(test.text)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%v, %v; want %q", master, err, test.want)
			}
		})
	}
}

func TestSealOpens(t *testing.T) {
	t.Parallel()
	master := parse(t, one)
	for _, plaintext := range []string{"", "x", strings.Repeat("a private key ", 1000)} {
		sealed, err := master.Seal("signing key", []byte(plaintext), []byte("kid 1"))
		if err != nil {
			t.Fatal(err)
		}
		if len(sealed) != 12+len(plaintext)+16 {
			t.Errorf("%d bytes sealed in %d, want a nonce of 12 and a tag of 16 more", len(plaintext), len(sealed))
		}
		if got, err := master.Open("signing key", sealed, []byte("kid 1")); err != nil || string(got) != plaintext {
			t.Errorf("%q, %v; want %q", got, err, plaintext)
		}
		again, err := master.Seal("signing key", []byte(plaintext), []byte("kid 1"))
		if err != nil || bytes.Equal(again, sealed) {
			t.Errorf("sealed the same twice: the nonce is not random (%v)", err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	master := parse(t, one)
	sealed, err := master.Seal("signing key", []byte("plain"), []byte("kid 1"))
	if err != nil {
		t.Fatal(err)
	}
	type attempt struct {
		master             *secret.Master
		label              string
		sealed, additional []byte
	}
	attempts := map[string]attempt{
		"another secret":          {parse(t, two+","+three), "signing key", sealed, []byte("kid 1")},
		"another label":           {master, "signing keys", sealed, []byte("kid 1")},
		"another additional data": {master, "signing key", sealed, []byte("kid 2")},
		"no additional data":      {master, "signing key", sealed, nil},
		"nothing":                 {master, "signing key", nil, []byte("kid 1")},
		"less than a nonce":       {master, "signing key", sealed[:11], []byte("kid 1")},
		"less than a tag":         {master, "signing key", sealed[:27], []byte("kid 1")},
		"one byte more":           {master, "signing key", append(bytes.Clone(sealed), 0), []byte("kid 1")},
	}
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 1
		attempts[fmt.Sprintf("byte %d damaged", i)] = attempt{master, "signing key", damaged, []byte("kid 1")}
	}
	for name, a := range attempts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if plain, err := a.master.Open(a.label, a.sealed, a.additional); !errors.Is(err, secret.ErrOpen) || plain != nil {
				t.Errorf("%q, %v; want ErrOpen", plain, err)
			}
		})
	}
}

// TestRotation: the first seals, all open.
func TestRotation(t *testing.T) {
	t.Parallel()
	before := parse(t, one)
	during := parse(t, two+","+one)
	after := parse(t, two)
	old, err := before.Seal("label", []byte("old"), nil)
	if err != nil {
		t.Fatal(err)
	}
	young, err := during.Seal("label", []byte("young"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		master *secret.Master
		sealed []byte
		opens  bool
	}{
		{"before opens old", before, old, true},
		{"before opens young", before, young, false},
		{"during opens old", during, old, true},
		{"during opens young", during, young, true},
		{"after opens old", after, old, false},
		{"after opens young", after, young, true},
	} {
		if _, err := test.master.Open("label", test.sealed, nil); (err == nil) != test.opens {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	rotated := key(t, during, "label", 32)
	if !bytes.Equal(rotated, key(t, after, "label", 32)) || bytes.Equal(rotated, key(t, before, "label", 32)) {
		t.Error("keys are not derived from the first secret")
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	master := parse(t, one)
	seen := make(map[string]string)
	for _, label := range []string{"", "a", "b", "refresh token", "refresh tokens", "key a"} {
		for name, m := range map[string]*secret.Master{"one": master, "two": parse(t, two)} {
			derived := key(t, m, label, 32)
			if len(derived) != 32 || !bytes.Equal(derived, key(t, m, label, 32)) {
				t.Errorf("label %q: %d bytes, or not the same ones twice", label, len(derived))
			}
			if other, taken := seen[string(derived)]; taken {
				t.Errorf("%s %q has the key of %s", name, label, other)
			}
			seen[string(derived)] = name + " " + label
		}
	}
	for _, size := range []int{1, 16, 64, 8160} {
		if got := len(key(t, master, "a", size)); got != size {
			t.Errorf("%d bytes, want %d", got, size)
		}
	}
}

func TestKeysAreThoseOfEverySecret(t *testing.T) {
	t.Parallel()
	keys, err := parse(t, strings.Join([]string{one, two, three}, ",")).Keys("refresh", 32)
	if err != nil || len(keys) != 3 {
		t.Fatalf("%d keys: %v", len(keys), err)
	}
	for i, text := range []string{one, two, three} {
		if want := key(t, parse(t, text), "refresh", 32); !bytes.Equal(keys[i], want) {
			t.Errorf("key %d is not that of secret %d", i, i)
		}
	}
	for _, size := range []int{0, 255*32 + 1} {
		if _, err := parse(t, one).Keys("refresh", size); err == nil {
			t.Errorf("keys of %d bytes", size)
		}
	}
}

// TestDerivationIsFixed holds keys that were computed step by step from RFC 5869 with another program's HMAC. What is sealed
// today must open with every later version, so these never change.
func TestDerivationIsFixed(t *testing.T) {
	t.Parallel()
	master := parse(t, one)
	const want = "ed71ff32f0494750026735806e315fb66733be024c17a1e560fa6fa6caed6a9b45a95febdaac08876059"
	if got := hex.EncodeToString(key(t, master, "example", 42)); got != want {
		t.Errorf("Key: %s, want %s", got, want)
	}
	const sealKey = "ab328dc58ceff6d7d02504ceee9fded4fe8b7fa7efb1e3f64c04a1e805fbd9cb"
	raw, err := hex.DecodeString(sealKey)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := master.Seal("example", []byte("plain"), []byte("additional"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := aead.Open(nil, sealed[:12], sealed[12:], []byte("additional")); err != nil || string(plain) != "plain" {
		t.Errorf("AES-256-GCM under %s: %q, %v", sealKey, plain, err)
	}
}

func TestKeyIsNeverShort(t *testing.T) {
	t.Parallel()
	master := parse(t, one)
	for _, size := range []int{-1, 0, 8161, math.MaxInt} {
		if got, err := master.Key("a", size); err == nil || got != nil {
			t.Errorf("a key of %d bytes: %x", size, got)
		}
	}
}

func TestMasterIsMaskedEverywhere(t *testing.T) {
	t.Parallel()
	master := parse(t, one+","+two)
	raw, err := secret.ParseKey(one)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{master.String(), master.GoString(), fmt.Errorf("%v", master).Error(), fmt.Sprintln(*master)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%c", "%U", "%T", "%10s"} {
		shown = append(shown,
			fmt.Sprintf(verb, master), fmt.Sprintf(verb, *master),
			fmt.Sprintf(verb, struct{ M *secret.Master }{master}), fmt.Sprintf(verb, []secret.Master{*master}))
	}
	for _, value := range []any{master, *master, struct{ M any }{master}, map[string]any{"m": *master}} {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var logged bytes.Buffer
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", "m", value)
		slog.New(slog.NewTextHandler(&logged, nil)).Info("m", "m", value)
		shown = append(shown, string(text), logged.String())
	}
	for _, text := range shown {
		for _, form := range []string{
			one[:8], two[:8], hex.EncodeToString(raw)[:8], strings.ToUpper(hex.EncodeToString(raw))[:8], string(raw[:4]),
			fmt.Sprintf("%d %d %d", raw[0], raw[1], raw[2]), fmt.Sprintf("%#x", raw[0]),
		} {
			if strings.Contains(text, form) {
				t.Errorf("%q shows the secret", text)
			}
		}
	}
	if got := fmt.Sprintf("%v %+v %#v", master, master, master); got != "[secret] [secret] [secret]" {
		t.Errorf("%s", got)
	}
}
