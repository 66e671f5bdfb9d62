package secret

import (
	"bytes"
	"crypto/sha256"
)

// published reports whether key is printed where everybody can look it up, or is the SHA-256 of a word that people reach for
// when told to make a secret. Published keys that are text or follow a pattern are left to the other checks.
func published(key []byte) bool {
	for _, text := range []string{
		// RFC 7515 appendix A.1.1, and again in RFC 7517 appendix A.3
		"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
		// RFC 7520 section 3.5
		"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
		// NIST SP 800-38A appendix F, AES-256
		"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	} {
		if example, _, ok := decode(text); ok && bytes.Equal(key, example) {
			return true
		}
	}
	for _, word := range []string{
		"", "admin", "changeme", "change-me", "default", "example", "foobar", "gatehouse", "hello", "jwt", "key",
		"mysecret", "password", "secret", "supersecret", "test",
	} {
		plain, line := sha256.Sum256([]byte(word)), sha256.Sum256([]byte(word+"\n")) // echo adds the line break
		if bytes.Equal(key, plain[:]) || bytes.Equal(key, line[:]) {
			return true
		}
	}
	return false
}
