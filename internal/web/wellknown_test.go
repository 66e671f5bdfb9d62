package web_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/web"
)

// keySet stands for the signing keys, and can be another at every call.
type keySet struct{ document, etag string }

func (k *keySet) JWKS() (document []byte, etag string) {
	if k.document == "" {
		return nil, ""
	}
	return []byte(k.document), k.etag
}

func (k *keySet) Algorithms() []string {
	if k.document == "" {
		return nil
	}
	return []string{"ES256", "EdDSA"}
}

func newKeySite(keys *keySet) *site {
	return newSite(func(cfg *web.Config) {
		cfg.URL = "https://auth.example.com/a&b"
		cfg.Discovery = web.Discovery{Keys: keys, Issuer: "https://auth.example.com/a&b/", MaxAge: 5 * time.Minute}
	})
}

func TestKeySet(t *testing.T) {
	t.Parallel()
	keys := &keySet{`{"keys":[]}` + "\n", `"one"`}
	s := newKeySite(keys)
	const path = "/.well-known/jwks.json"
	for _, c := range []struct {
		method, condition string
		status            int
		body              string
	}{
		{"GET", "", 200, keys.document},
		{"HEAD", "", 200, ""},
		{"GET", `"one"`, 304, ""},
		{"HEAD", `"one"`, 304, ""},
		{"GET", `W/"one"`, 304, ""}, // RFC 9110 section 13.1.2: compared weakly
		{"GET", `"two", "one"`, 304, ""},
		{"GET", `*`, 304, ""},
		{"GET", `"two"`, 200, keys.document},
		{"GET", `one`, 200, keys.document},
	} {
		response := s.ask(t, c.method, path, "If-None-Match: "+c.condition)
		if got := body(t, response); response.StatusCode != c.status || got != c.body {
			t.Errorf("%s, if not %s: %d %q", c.method, c.condition, response.StatusCode, got)
		}
		want := map[string]string{
			"Cache-Control": "public, max-age=300", "Etag": `"one"`, "Access-Control-Allow-Origin": "*",
			"Cross-Origin-Resource-Policy": "cross-origin", "X-Content-Type-Options": "nosniff",
			"Content-Type": "application/jwk-set+json",
		}
		if c.status == 304 {
			want["Content-Type"] = ""
		}
		for name, value := range want {
			if got := strings.Join(response.Header.Values(name), "|"); got != value {
				t.Errorf("%s, if not %s: %s is %q, want %q", c.method, c.condition, name, got, value)
			}
		}
	}
	if response := s.ask(t, "POST", path); response.StatusCode != 405 || response.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", response.StatusCode)
	}

	// It is asked anew every time.
	keys.document, keys.etag = `{"keys":[{}]}`, `"two"`
	response := s.ask(t, "GET", path, `If-None-Match: "one"`)
	if got := body(t, response); response.StatusCode != 200 || got != keys.document || response.Header.Get("Etag") != `"two"` {
		t.Errorf("after a change: %d %s", response.StatusCode, got)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := newKeySite(&keySet{`{"keys":[]}`, `"one"`})
	response := s.ask(t, "GET", "/.well-known/openid-configuration")
	var got map[string]any
	if err := json.Unmarshal([]byte(body(t, response)), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"issuer":                                "https://auth.example.com/a&b/",
		"jwks_uri":                              "https://auth.example.com/a&b/.well-known/jwks.json",
		"id_token_signing_alg_values_supported": []any{"ES256", "EdDSA"},
	}
	if diff := cmp.Diff(want, got); diff != "" || response.StatusCode != 200 {
		t.Errorf("%d, and it differs (-want +got):\n%s", response.StatusCode, diff)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*",
	} {
		if got := response.Header.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if head := s.ask(t, "HEAD", "/.well-known/openid-configuration"); head.StatusCode != 200 || body(t, head) != "" {
		t.Errorf("HEAD: %d", head.StatusCode)
	}
}

// With a shared secret there is nothing to fetch, and whoever tries is told why.
func TestSharedSecretsAreNotPublished(t *testing.T) {
	t.Parallel()
	shared, none := newKeySite(new(keySet)), newSite(nil)
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration"} {
		response := shared.ask(t, "GET", path)
		text := body(t, response)
		if response.StatusCode != 404 || !strings.Contains(text, "HS256") || response.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s, %v", path, response.StatusCode, text, response.Header)
		}
		if response := none.ask(t, "GET", path); response.StatusCode != 404 {
			t.Errorf("%s without keys: %d", path, response.StatusCode)
		}
	}
}
