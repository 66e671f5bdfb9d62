package auth_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", auth.MaxCredential-len("Bearer "))
	tests := map[string]struct {
		values []string
		token  string
		reason fault.Reason
	}{
		"none":                    {nil, "", fault.Missing},
		"usual":                   {[]string{"Bearer aaa.bbb.ccc"}, "aaa.bbb.ccc", ""},
		"lower case":              {[]string{"bearer aaa"}, "aaa", ""},
		"upper case":              {[]string{"BEARER aaa"}, "aaa", ""},
		"several spaces":          {[]string{"Bearer   aaa"}, "aaa", ""},
		"every character allowed": {[]string{"Bearer Az09-._~+/=="}, "Az09-._~+/==", ""},
		"as long as may be":       {[]string{"Bearer " + longest}, longest, ""},
		"longer":                  {[]string{"Bearer a" + longest}, "", fault.Invalid},
		"longer through spaces":   {[]string{"Bearer  " + longest}, "", fault.Invalid},
		"dots without end":        {[]string{"Bearer " + strings.Repeat(".", 5_000_000)}, "", fault.Invalid},
		"two headers":             {[]string{"Bearer aaa", "Bearer aaa"}, "", fault.Invalid},
		"two, one of them empty":  {[]string{"Bearer aaa", ""}, "", fault.Invalid},
		"two in one header":       {[]string{"Bearer aaa, Bearer bbb"}, "", fault.Invalid},
		"empty header":            {[]string{""}, "", fault.Invalid},
		"scheme alone":            {[]string{"Bearer"}, "", fault.Invalid},
		"scheme and a space":      {[]string{"Bearer "}, "", fault.Invalid},
		"token alone":             {[]string{"aaa.bbb.ccc"}, "", fault.Invalid},
		"another scheme":          {[]string{"Basic YTpi"}, "", fault.Invalid},
		"longer scheme":           {[]string{"BearerX aaa"}, "", fault.Invalid},
		"no space":                {[]string{"Beareraaa"}, "", fault.Invalid},
		"tab":                     {[]string{"Bearer\taaa"}, "", fault.Invalid},
		"leading space":           {[]string{" Bearer aaa"}, "", fault.Invalid},
		"trailing space":          {[]string{"Bearer aaa "}, "", fault.Invalid},
		"something after":         {[]string{"Bearer aaa bbb"}, "", fault.Invalid},
		"parameters":              {[]string{`Bearer token="aaa"`}, "", fault.Invalid},
		"padding alone":           {[]string{"Bearer =="}, "", fault.Invalid},
		"padding inside":          {[]string{"Bearer a=a"}, "", fault.Invalid},
		"line break":              {[]string{"Bearer aaa\r\nbbb"}, "", fault.Invalid},
		"NUL":                     {[]string{"Bearer aaa\x00"}, "", fault.Invalid},
		"not ASCII":               {[]string{"Bearer aé"}, "", fault.Invalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, refusal := auth.Bearer(http.Header{"Authorization": test.values})
			if token != test.token {
				t.Errorf("the token is %q, want %q", token, test.token)
			}
			if got := reasonOf(refusal); got != test.reason {
				t.Errorf("the reason is %q, want %q", got, test.reason)
			}
		})
	}
}

// A header that costs a megabyte to send must cost next to nothing to refuse.
func TestBearerAllocatesNothingForALongHeader(t *testing.T) {
	h := http.Header{"Authorization": {"Bearer " + strings.Repeat(".", 5_000_000)}}
	short := http.Header{"Authorization": {"Bearer"}}
	refuse := func(h http.Header) func() {
		return func() {
			if _, refusal := auth.Bearer(h); refusal == nil {
				t.Error("accepted")
			}
		}
	}
	long, least := testing.AllocsPerRun(10, refuse(h)), testing.AllocsPerRun(10, refuse(short))
	if long != least {
		t.Errorf("a long header takes %v allocations, a short one %v", long, least)
	}
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer aaa.bbb.ccc")
	f.Add("bearer  Az09-._~+/==")
	f.Add("Basic YTpi")
	f.Add("Bearer a=a")
	grammar := regexp.MustCompile(`\A(?i:bearer) +([A-Za-z0-9._~+/-]+=*)\z`)
	f.Fuzz(func(t *testing.T, value string) {
		token, refusal := auth.Bearer(http.Header{"Authorization": {value}})
		match := grammar.FindStringSubmatch(value)
		if match == nil || len(value) > auth.MaxCredential {
			if refusal == nil || refusal.Reason != fault.Invalid || token != "" {
				t.Errorf("%q gave %q, %v", value, token, refusal)
			}
			return
		}
		if refusal != nil || token != match[1] {
			t.Errorf("%q gave %q, %v", value, token, refusal)
		}
	})
}

func BenchmarkBearer(b *testing.B) {
	h := http.Header{"Authorization": {"Bearer " + strings.Repeat("a", 700)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, refusal := auth.Bearer(h); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

func reasonOf(refusal *fault.Error) fault.Reason {
	if refusal == nil {
		return ""
	}
	return refusal.Reason
}
