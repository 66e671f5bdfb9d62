package keyring

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// jwk returns the public half of a key as a JWK (RFC 7517 section 4), which says what it is good for: verifying signatures (use,
// section 4.2) by the one algorithm that it signs with.
func jwk(key *Key) (string, error) {
	members, err := publicMembers(key.Public)
	if err != nil {
		return "", err
	}
	named, err := json.Marshal(struct {
		Algorithm Algorithm `json:"alg"`
		KeyID     string    `json:"kid"`
		Use       string    `json:"use"`
	}{key.Algorithm, key.ID, "sig"})
	if err != nil {
		return "", fmt.Errorf("keyring: encoding a JWK: %w", err)
	}
	return "{" + members + "," + strings.TrimPrefix(string(named), "{"), nil
}

// JWKS returns the JWK set (RFC 7517 section 5) of the keys that are published, signing or verifying, the oldest of an algorithm
// first; and an entity tag for it (RFC 9110 section 8.8.3), which changes with it. Both are empty with HS256, whose key is
// nobody else's business.
func (r *Ring) JWKS() (document []byte, etag string) {
	if r.table == nil {
		return nil, ""
	}
	var jwks []string
	for _, row := range r.inForce(r.now()) {
		jwks = append(jwks, row.key.jwk)
	}
	document = []byte(`{"keys":[` + strings.Join(jwks, ",") + "]}\n")
	sum := sha256.Sum256(document)
	return document, `"` + encode(sum[:16]) + `"`
}

// Algorithms returns the algorithms of the keys in the JWK set, each once; none with HS256.
func (r *Ring) Algorithms() []string {
	if r.table == nil {
		return nil
	}
	var algorithms []string
	for _, row := range r.inForce(r.now()) {
		if name := string(row.Algorithm); !slices.Contains(algorithms, name) {
			algorithms = append(algorithms, name)
		}
	}
	return algorithms
}

// inForce returns the rows whose tokens are accepted at now.
func (r *Ring) inForce(now time.Time) []*row {
	known := r.state.Load()
	var rows []*row
	for i := range known.rows {
		if row := &known.rows[i]; row.key != nil && row.inForce(now) {
			rows = append(rows, row)
		}
	}
	return rows
}
