package soak

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// claims is what a proof reads in an access token.
type claims struct {
	SessionID string `json:"sid"`
	ExpiresAt int64  `json:"exp"`

	kid string // of its header
}

// readClaims reads an access token without verifying it, as any client can.
func readClaims(t *testing.T, accessToken string) claims {
	t.Helper()
	parts := strings.Split(accessToken, ".")
	if len(parts) != 3 {
		t.Fatal("an access token is not a JWT")
	}
	var c claims
	var header struct{ Kid string }
	for i, into := range []any{&header, &c} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	c.kid = header.Kid
	return c
}

// sessionOf returns the id of an access token's session.
func sessionOf(t *testing.T, accessToken string) string {
	t.Helper()
	return readClaims(t, accessToken).SessionID
}

// expired reports whether an access token may be refused because of its age.
func expired(t *testing.T, accessToken string) bool {
	t.Helper()
	return !time.Now().Before(time.Unix(readClaims(t, accessToken).ExpiresAt, 0))
}
