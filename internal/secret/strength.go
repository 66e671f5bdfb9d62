package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Every refusal ends with the remedy, because whoever reads it is looking at a server that won't start.
const remedy = "make one with `openssl rand -base64 32`"

var (
	errNone      = errors.New("none is given: " + remedy)
	errSpace     = errors.New("it has white space inside; several secrets are separated by commas")
	errEncoding  = errors.New("it is neither base64 nor hex: " + remedy)
	errShort     = fmt.Errorf("it is too short, at least %d random bytes are needed: %s", MinSize, remedy)
	errPublished = errors.New("it is an example that everybody can look up: " + remedy)
	errText      = errors.New("it is text, not random bytes: " + remedy)
	errPattern   = errors.New("it follows a pattern, random bytes don't: " + remedy)
)

// parseKey decodes one secret and refuses it unless it may have been drawn at random.
func parseKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errNone
	}
	if strings.ContainsAny(text, " \t\r\n\v\f") {
		return nil, errSpace
	}
	key, isHex, ok := decode(text)
	if !ok {
		return nil, errEncoding
	}
	if len(key) < MinSize {
		return nil, errShort
	}
	// A passphrase may have been encoded, or may by accident be the base64 of something: both readings are looked at.
	if utf8.Valid(key) || !isHex && wordy(text) {
		return nil, errText
	}
	if patterned(key) || !isHex && patterned([]byte(text)) {
		return nil, errPattern
	}
	if published(key) {
		return nil, errPublished
	}
	return key, nil
}

// decode reads hex or base64. Sixty-four hex digits are base64 too, but nobody draws base64 that looks like hex: hex wins.
func decode(text string) (key []byte, isHex, ok bool) {
	if key, err := hex.DecodeString(text); err == nil {
		return key, true, true
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	encoding := base64.StdEncoding
	if !strings.HasSuffix(text, "=") && len(text)%4 != 0 {
		encoding = base64.RawStdEncoding
	}
	// Strict, so that one secret has one text and a mistyped last character is noticed.
	key, err := encoding.Strict().DecodeString(text)
	return key, false, err == nil
}

// The checks below measure what text and patterns have and randomness has not. Together they refuse fewer than one in ten
// million secrets of 32 random bytes, and such a one is simply drawn again.

const (
	minDistinct = 16 // of 32 random bytes, 30 differ on average
	window      = 8  // bytes that don't turn up twice by chance
)

// patterned reports bytes that are few or that repeat, padding among them, or that go up or down in steps that repeat.
func patterned(data []byte) bool {
	steps := make([]byte, len(data)-1)
	for i := range steps {
		steps[i] = data[i+1] - data[i]
	}
	return distinct(data) < minDistinct || repeats(data) || repeats(steps)
}

func distinct(data []byte) int {
	var seen [256]bool
	n := 0
	for _, b := range data {
		if !seen[b] {
			seen[b] = true
			n++
		}
	}
	return n
}

func repeats(data []byte) bool {
	for i := range len(data) - window {
		if bytes.Contains(data[i+1:], data[i:i+window]) {
			return true
		}
	}
	return false
}

// wordy reports base64 that looks written rather than drawn: all letters but one in one case, more than five sixths lower
// case, upper case or digits, or letters alone and three quarters of them lower case.
func wordy(text string) bool {
	var lower, upper, digits int
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z':
			lower++
		case 'A' <= c && c <= 'Z':
			upper++
		case '0' <= c && c <= '9':
			digits++
		}
	}
	return min(lower, upper) < 2 ||
		max(lower, upper, digits)*6 > len(text)*5 ||
		lower+upper == len(text) && lower*4 >= len(text)*3
}
