package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// What others need to verify access tokens.
const (
	keysPath      = "/.well-known/jwks.json"
	discoveryPath = "/.well-known/openid-configuration"
)

// noKeys is why there is nothing to fetch with HS256.
const noKeys = "The tokens of this server are signed with a shared secret (HS256), so there are no public keys."

// Keys is what the signing keys show of themselves.
type Keys interface {
	// JWKS returns the JWK set (RFC 7517) and its entity tag; an empty one when no key is public.
	JWKS() (document []byte, etag string)
	// Algorithms returns what the keys in the set sign with, by JWS names.
	Algorithms() []string
}

// Discovery is what /.well-known tells those who verify access tokens.
type Discovery struct {
	Keys   Keys
	Issuer string        // the iss claim of the tokens, byte for byte
	MaxAge time.Duration // how long a copy may be used; must be less than a key is published before it signs
}

// keys answers with the JWK set. It is public: anybody may fetch it, from any page, and keep it for a while.
func keys(d Discovery) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		document, etag := d.Keys.JWKS()
		if document == nil {
			refuse(w, r, http.StatusNotFound, noKeys)
			return
		}
		w.Header().Set("ETag", etag)
		d.publish(w, r, "application/jwk-set+json", document) // RFC 7517 section 8.5.2
	})
}

// discovery answers with the members of OpenID Connect Discovery 1.0 section 3 that are true of a server which issues access
// tokens alone: where its keys are and what they sign with. It has no endpoint that OpenID Connect knows.
func discovery(cfg Config) http.Handler {
	d := cfg.Discovery
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		algorithms := d.Keys.Algorithms()
		if len(algorithms) == 0 {
			refuse(w, r, http.StatusNotFound, noKeys)
			return
		}
		var document bytes.Buffer
		encoder := json.NewEncoder(&document)
		encoder.SetEscapeHTML(false)
		// Strings alone: this cannot fail.
		_ = encoder.Encode(struct {
			Issuer     string   `json:"issuer"`
			KeysURL    string   `json:"jwks_uri"`
			Algorithms []string `json:"id_token_signing_alg_values_supported"`
		}{d.Issuer, cfg.URL + keysPath, algorithms})
		d.publish(w, r, "application/json", document.Bytes())
	})
}

// publish answers with a document that anybody may have; and with 304 whoever has it already, by its ETag.
func (d Discovery) publish(w http.ResponseWriter, r *http.Request, mediaType string, document []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(d.MaxAge.Seconds())))
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(document))
}
