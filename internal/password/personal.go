package password

import (
	"slices"
	"strings"
	"unicode"
)

const (
	minLetters = 4   // with fewer beside the owner's words, they are what people put around a name
	maxDigits  = 8   // up to as many beside the owner's words are a date or a count
	minWord    = 3   // bytes of a word, without punctuation
	maxText    = 320 // bytes looked at of a name or an address; no address that works is longer (RFC 5321 section 4.5.3.1)
)

// readings are the ways to take digits and signs: as they are, or as letters they resemble; a one is an i or an l.
func readings() []map[rune]rune {
	return []map[rune]rune{
		{},
		{'0': 'o', '1': 'i', '!': 'i', '3': 'e', '4': 'a', '@': 'a', '5': 's', '$': 's', '7': 't'},
		{'0': 'o', '1': 'l', '!': 'l', '3': 'e', '4': 'a', '@': 'a', '5': 's', '$': 's', '7': 't'},
	}
}

// isMadeOf reports whether the password is made of its owner's own words, in the sense that Check documents.
func isMadeOf(password string, about Personal) bool {
	folded := fold(password)
	words := ownWords(about)
	for _, reading := range readings() {
		if isCovered(folded, words, reading) {
			return true
		}
	}
	return false
}

// ownWords returns the owner's own words, folded: names and addresses whole, with and without their punctuation, and in parts.
func ownWords(about Personal) []string {
	email, username, name := clip(about.Email), clip(about.Username), clip(about.Name)
	local, domain := email, ""
	if at := strings.LastIndexByte(email, '@'); at >= 0 {
		local, domain = email[:at], email[at+1:]
	}
	labels := strings.Split(domain, ".")
	words := append(make([]string, 0, 32), email, bare(email), domain, bare(domain))
	for _, text := range append([]string{local, username, name}, labels[:len(labels)-1]...) {
		words = append(words, text, bare(text))
		words = append(words, strings.FieldsFunc(text, isPunctuation)...)
		words = append(words, strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })...)
	}
	words = slices.DeleteFunc(words, func(word string) bool { return len(bare(word)) < minWord })
	slices.Sort(words)
	return slices.Compact(words)
}

// clip returns text folded, after cutting off what is too long to be looked at.
func clip(text string) string { return fold(text[:min(len(text), maxText)]) }

// bare returns text without its punctuation.
func bare(text string) string { return strings.Join(strings.FieldsFunc(text, isPunctuation), "") }

func isPunctuation(r rune) bool { return !unicode.In(r, unicode.L, unicode.N) }

// isCovered reports whether the owner's words, in one reading, are found in the password and leave next to nothing of it.
func isCovered(password string, words []string, reading map[rune]rune) bool {
	plain, text := []rune(password), read(password, reading)
	covered := make([]bool, len(text))
	for _, w := range words {
		word := read(w, reading)
		for i := 0; i+len(word) <= len(text); i++ {
			if slices.Equal(text[i:i+len(word)], word) {
				for j := range word {
					covered[i+j] = true
				}
			}
		}
	}
	letters, digits := 0, 0
	for i, r := range plain {
		switch {
		case covered[i] || isPunctuation(r):
		case unicode.IsLetter(r):
			letters++
		default:
			digits++
		}
	}
	return slices.Contains(covered, true) && letters < minLetters && digits <= maxDigits
}

// read returns a text with what a reading takes for letters replaced by them, rune by rune.
func read(text string, reading map[rune]rune) []rune {
	runes := []rune(text)
	for i, r := range runes {
		if letter, ok := reading[r]; ok {
			runes[i] = letter
		}
	}
	return runes
}
