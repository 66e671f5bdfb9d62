package token

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"gatehouse/internal/auth"
	"gatehouse/internal/id"
)

// Mint returns a new access token for grant, in the profile of RFC 9068, signed with the ring's key (RFC 7515 section 5.1).
//
// It fails when the grant lacks an account, a session or an AuthTime, or carries so many roles and scopes that no server
// would read the token. A NotAfter that has passed makes a token that is never accepted.
func (s *Service) Mint(grant Grant) (Access, error) {
	if grant.AccountID == (id.ID{}) || grant.SessionID == (id.ID{}) || grant.AuthTime.IsZero() {
		return Access{}, errors.New("token: a grant without an account, a session or the time of a login")
	}
	now := s.now().UTC()
	issued := now.Truncate(time.Second)
	expires := issued.Add(s.cfg.TTL).Truncate(time.Second)
	if latest := grant.NotAfter.UTC().Truncate(time.Second); !grant.NotAfter.IsZero() && latest.Before(expires) {
		expires = latest
	}
	key := s.ring.Signing()

	head, err := json.Marshal(header{Algorithm: key.Algorithm, KeyID: key.ID, Type: mediaType})
	if err != nil {
		return Access{}, fmt.Errorf("token: encoding the header: %w", err)
	}
	payload, err := json.Marshal(claims{
		Issuer:    s.cfg.Issuer,
		Subject:   grant.AccountID.String(),
		Audience:  s.cfg.Audience,
		ExpiresAt: expires.Unix(),
		IssuedAt:  issued.Unix(),
		TokenID:   id.New(now).String(),
		SessionID: grant.SessionID.String(),
		ClientID:  clientID,
		Scope:     strings.Join(grant.Scopes, " "),
		Roles:     grant.Roles,
		AuthTime:  grant.AuthTime.Unix(),
		AMR:       grant.AMR,
	})
	if err != nil {
		return Access{}, fmt.Errorf("token: encoding the claims: %w", err)
	}
	input := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := key.Sign(input)
	if err != nil {
		return Access{}, fmt.Errorf("token: %w", err)
	}
	raw := input + "." + base64.RawURLEncoding.EncodeToString(signature)
	if len(raw) > maxLength {
		return Access{}, fmt.Errorf("token: %d roles and %d scopes make a token longer than %d bytes",
			len(grant.Roles), len(grant.Scopes), maxLength)
	}
	return Access{Token: raw, IssuedAt: issued, ExpiresAt: expires}, nil
}

// maxLength leaves room for the scheme in an Authorization header of auth.MaxCredential bytes.
const maxLength = auth.MaxCredential - len("Bearer ")
