package tokentest

import (
	"net/http"
	"net/url"
	"strings"

	"gatehouse/internal/fault"
)

// transports forges the ways to present an honest token, and nothing at all.
func (f *forger) transports() {
	honest := f.signed(f.header(), f.payload())
	present := func(id, name string, values ...string) {
		f.add(Attack{ID: id, Name: name, Header: http.Header{"Authorization": values}, Want: Reject, Reason: fault.Invalid})
	}
	present("dots-5M", "with a scheme", "Bearer "+strings.Repeat(".", 5_000_000))
	present("dots-5M", "without", strings.Repeat(".", 5_000_000))
	present("dots-5M", "as many as are looked at", "Bearer "+strings.Repeat(".", 8_000))

	present("two-bearers", "the same twice", "Bearer "+honest, "Bearer "+honest)
	present("two-bearers", "a good one first", "Bearer "+honest, "Bearer aaa")
	present("two-bearers", "a good one last", "Basic YTpi", "Bearer "+honest)
	present("two-bearers", "in one header", "Bearer "+honest+", Bearer "+honest)

	f.add(Attack{
		ID: "bearer-in-query", Header: http.Header{}, Query: url.Values{"access_token": {honest}}.Encode(),
		Want: Reject, Reason: fault.Missing,
	})

	for _, scheme := range []string{"Bearer", "bearer", "BEARER", "bEaReR"} {
		f.add(Attack{ID: "scheme-case", Name: scheme, Header: http.Header{"Authorization": {scheme + " " + honest}}, Want: Accept})
	}

	present("empty-bearer", "a space", "Bearer ")
	present("empty-bearer", "nothing", "Bearer")
	present("empty-bearer", "not even the scheme", "")
}

// settings forges HS256 secrets that are short, published in documentation, or no random bytes.
func (f *forger) settings() {
	for name, secret := range map[string]string{
		"empty":                       "",
		"a word":                      "secret",
		"an example":                  "your-256-bit-secret",
		"a longer example":            "a-string-secret-at-least-256-bits-long",
		"31 bytes in hex":             "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a",
		"16 bytes in base64":          "q83vEjRWeJCrze8SNFZ4kA==",
		"32 zeros in hex":             strings.Repeat("00", 32),
		"32 zeros in base64":          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"a pattern in hex":            strings.Repeat("0123456789abcdef", 4),
		"a long password":             "correct horse battery staple correct horse",
		"the key of RFC 7515's A.1.1": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
	} {
		f.add(Attack{ID: "weak-hs-secret", Name: name, JWTSecret: secret, Want: RefuseToStart, By: BySettings})
	}
}
