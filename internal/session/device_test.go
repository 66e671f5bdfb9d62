package session_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/session"
)

func TestDevice(t *testing.T) {
	t.Parallel()
	const (
		chrome = " AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
		safari = " AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
	)
	for userAgent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0":                         "Firefox on Linux",
		"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0":                 "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + chrome:                                             "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + chrome + " Edg/126.0.0.0":                          "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 10; K)" + strings.Replace(chrome, "Safari", "Mobile Safari", 1):     "Chrome on Android",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)" + chrome:                                              "Chrome on ChromeOS",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)" + safari + "Safari/605.1.15":                   "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)" + safari + "Mobile/15E148 Safari/604.1": "Safari on iOS",
		"curl/8.5.0":                            "curl",
		"python-requests/2.32.3":                "python-requests",
		"Go-http-client/2.0":                    "Go-http-client",
		"Apollo iOS Client/1.2":                 "Apollo iOS Client",
		"okhttp/4.12.0":                         "okhttp",
		"(X11; Linux x86_64)":                   "Linux",
		"":                                      "Unknown device",
		"Your account is locked. Call 555 0100": "Unknown device",
		"Ring uns an!/1":                        "Unknown device",
		strings.Repeat("x", 33) + "/1":          "Unknown device",
	} {
		if got := (&session.Session{UserAgent: userAgent}).Device(); got != want {
			t.Errorf("%s\n\tis %q, want %q", userAgent, got, want)
		}
	}
}

// The user agent is whatever a client sends.
func FuzzDevice(f *testing.F) {
	for _, seed := range []string{
		"", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "curl/8", "Android", "a/(;[:)]//http://",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, userAgent string) {
		device := (&session.Session{UserAgent: userAgent}).Device()
		if device == "" || len(device) > 64 || !utf8.ValidString(device) || strings.ContainsAny(device, "<>&\"'\n\r\x00\x1b") {
			t.Errorf("%q became the device %q", userAgent, device)
		}
	})
}
