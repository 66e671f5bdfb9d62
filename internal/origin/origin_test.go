package origin_test

import (
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/origin"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]origin.Origin{
		"https://app.example.com":       "https://app.example.com",
		"HTTPS://App.Example.COM":       "https://app.example.com",
		"https://app.example.com:443":   "https://app.example.com",
		"http://app.example.com:80":     "http://app.example.com",
		"http://app.example.com:443":    "http://app.example.com:443",
		"https://app.example.com:8443":  "https://app.example.com:8443",
		"http://localhost:5173":         "http://localhost:5173",
		"http://127.0.0.1":              "http://127.0.0.1",
		"http://[::1]:3000":             "http://[::1]:3000",
		"http://[0:0:0:0:0:0:0:1]":      "http://[::1]",
		"https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
		"https://under_score.example":   "https://under_score.example",
		"capacitor://localhost":         "capacitor://localhost",
		"chrome-extension://abcdefghij": "chrome-extension://abcdefghij",
	} {
		if got, err := origin.Parse(text); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const (
		whole    = "such as https://app.example.com"
		path     = "before the first slash"
		wildcard = "no * stands for many"
		ascii    = "Punycode"
	)
	for text, want := range map[string]string{
		"":                                    whole,
		"null":                                whole,
		"app.example.com":                     whole,
		"app.example.com:8080":                whole,
		"//app.example.com":                   whole,
		"https://":                            whole,
		"https:app.example.com":               whole,
		"https://user@app.example.com":        whole,
		"https://app.example.com:":            whole,
		"https://app.example.com:0":           whole,
		"https://app.example.com:0443":        whole,
		"https://app.example.com:65536":       whole,
		"https://app.example.com:http":        whole,
		"https://app.example.com?a=b":         whole,
		"https://app.example.com?":            whole,
		"https://app.example.com#a":           whole,
		"https://app%2eexample.com":           whole,
		`https://app.example.com\`:            whole,
		"https://a b.example.com":             whole,
		" https://app.example.com":            whole,
		"https://app.example.com\n":           whole,
		"https://a.example,https://b.example": path,
		"https://[::1":                        whole,
		"https://[fe80::1%eth0]":              whole,
		"https://app.example.com/":            path,
		"https://app.example.com/login":       path,
		"*":                                   wildcard,
		"https://*.example.com":               wildcard,
		"https://bücher.example":              ascii,
	} {
		got, err := origin.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v; want an error with %q", text, got, err, want)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]origin.Origin{
		"https://auth.example.com":      "https://auth.example.com",
		"https://example.com:443/auth/": "https://example.com",
		"http://localhost:8080":         "http://localhost:8080",
		"http://127.0.0.1:45321":        "http://127.0.0.1:45321",
		"":                              "",
		"mailto:ada@example.com":        "",
		"https://bücher.example":        "",
		"http://a b":                    "",
	} {
		if got := origin.Of(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	production := origin.Policy{
		Own:    "https://auth.example.com",
		Listed: []origin.Origin{"https://app.example.com", "http://localhost:3000", "capacitor://localhost"},
	}
	development := origin.Policy{Own: "http://localhost:8080", Loopback: true}
	for _, c := range []struct {
		policy       origin.Policy
		origin, host string
		want         bool
	}{
		{production, "https://app.example.com", "auth.example.com", true},
		{production, "http://localhost:3000", "auth.example.com", true},
		{production, "capacitor://localhost", "auth.example.com", true},
		{production, "https://auth.example.com", "auth.example.com", true},
		{production, "https://auth.example.com", "gatehouse.internal:8080", true}, // a proxy that puts its own Host
		{production, "https://id.example.net", "id.example.net", true},            // another name of the server
		{production, "https://id.example.net:8443", "ID.example.net:8443", true},
		{production, "https://id.example.net", "id.example.net:443", true},

		{production, "", "auth.example.com", false},
		{production, "", "", false},
		{production, "null", "auth.example.com", false},
		{production, "null", "null", false},
		{production, "*", "auth.example.com", false},
		{production, "http://auth.example.com", "auth.example.com", false}, // whoever is in between can write that page
		{production, "http://app.example.com", "auth.example.com", false},
		{production, "https://app.example.com:8443", "auth.example.com", false},
		{production, "https://app.example.com/", "auth.example.com", false},
		{production, "https://app.example.com.evil.example", "auth.example.com", false},
		{production, "https://evil.example/https://app.example.com", "auth.example.com", false},
		{production, "https://evilapp.example.com", "auth.example.com", false},
		{production, "https://app.example.com, https://evil.example", "auth.example.com", false},
		{production, "HTTPS://APP.EXAMPLE.COM", "auth.example.com", false}, // no browser's spelling
		{production, "https://app.example.com:443", "auth.example.com", false},
		{production, "https://example.com", "auth.example.com", false},
		{production, "http://localhost:5173", "auth.example.com", false},
		{production, "http://127.0.0.1:5173", "auth.example.com", false},
		{production, "https://id.example.net", "id.example.net:8443", false},
		{production, "https://id.example.net", "", false},
		{production, "https://id.example.net", "id.example.net/", false},
		{production, "https://id.example.net", "user@id.example.net", false},

		{development, "http://localhost:8080", "localhost:8080", true},
		{development, "http://localhost:5173", "localhost:8080", true},
		{development, "https://localhost", "localhost:8080", true},
		{development, "http://app.localhost:5173", "localhost:8080", true},
		{development, "http://127.0.0.1:5173", "localhost:8080", true},
		{development, "http://127.8.9.10", "localhost:8080", true},
		{development, "http://[::1]:5173", "localhost:8080", true},
		{development, "http://192.0.2.7:8080", "192.0.2.7:8080", true}, // its own page, from another machine
		{development, "http://192.0.2.7:5173", "192.0.2.7:8080", false},
		{development, "http://localhost.evil.example", "localhost:8080", false},
		{development, "http://evillocalhost", "localhost:8080", false},
		{development, "http://127.0.0.1.evil.example", "localhost:8080", false},
		{development, "http://128.0.0.1", "localhost:8080", false},
		{development, "http://[::2]", "localhost:8080", false},
		{development, "capacitor://localhost", "localhost:8080", false},
		{development, "file://localhost", "localhost:8080", false},
		{development, "null", "localhost:8080", false},
		{development, "https://app.example.com", "localhost:8080", false},

		{origin.Policy{}, "http://localhost:8080", "localhost:8080", true},
		{origin.Policy{}, "http://localhost:5173", "localhost:8080", false},
		{origin.Policy{}, "", "", false},
		{origin.Policy{Own: "https://auth.example.com", Loopback: true}, "http://localhost:5173", "auth.example.com", true},
	} {
		if got := c.policy.Allows(c.origin, c.host); got != c.want {
			t.Errorf("%q at %q, for %+v: %t, want %t", c.origin, c.host, c.policy, got, c.want)
		}
	}
}

func TestAllowsAllocatesNothing(t *testing.T) {
	p := origin.Policy{Own: "https://auth.example.com", Listed: []origin.Origin{"https://a.example", "https://b.example"}}
	allocated := testing.AllocsPerRun(100, func() {
		if !p.Allows("https://auth.example.com", "") || !p.Allows("https://b.example", "") {
			t.Error("not allowed")
		}
	})
	if allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

// FuzzParse: what is an origin is spelled in one way, and a URL that has the same meaning.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"https://app.example.com", "HTTP://[::1]:80", "null", "https://a:443/", "a://b:c@d", "http://[::ffff:1.2.3.4]", "x://127.1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := origin.Parse(text)
		if err != nil {
			if parsed != "" {
				t.Errorf("%q: %q beside %v", text, parsed, err)
			}
			return
		}
		again, err := origin.Parse(string(parsed))
		if again != parsed || err != nil {
			t.Errorf("%q is %q, which is %q, %v", text, parsed, again, err)
		}
		u, err := url.Parse(string(parsed))
		if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != string(parsed) {
			t.Errorf("%q is %q, which is the URL %v, %v", text, parsed, u, err)
		}
		listed := origin.Policy{Listed: []origin.Origin{parsed}}
		if !listed.Allows(string(parsed), "other.example") {
			t.Errorf("%q is listed as %q and not allowed", text, parsed)
		}
		own := origin.Policy{Own: "https://auth.example.com"}
		if parsed != own.Own && own.Allows(text, "auth.example.com") {
			t.Errorf("%q is allowed", text)
		}
	})
}
