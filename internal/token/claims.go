package token

import (
	"strings"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/id"
	"gatehouse/internal/keyring"
)

// Values of the typ header. A token of another type, such as an ID token, is signed by the same key and is no access token.
const (
	mediaType     = "at+jwt"             // RFC 9068 section 2.1: what we write
	fullMediaType = "application/at+jwt" // RFC 9068 section 4: to be accepted too
)

// clientID is the client_id claim, which RFC 9068 requires: the only client there is.
const clientID = "gatehouse"

// header is the whole JOSE header. Members beside these are refused, because each of them (crit, b64, zip, jwk, jku, x5u,
// x5c) asks to verify the token in some other way.
type header struct {
	Algorithm keyring.Algorithm `json:"alg"`
	KeyID     string            `json:"kid"`
	Type      string            `json:"typ"`
}

// claims is the payload. Dates are NumericDates (RFC 7519 section 2) in whole seconds, as we write them. Claims that we do
// not know are ignored (RFC 7519 section 4): a newer replica may have reason to add one.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"` // a list of audiences is refused: we address a token to one
	ExpiresAt int64    `json:"exp"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf,omitzero"` // never written
	TokenID   string   `json:"jti"`
	SessionID string   `json:"sid"`
	ClientID  string   `json:"client_id"`
	Scope     string   `json:"scope"` // separated by one space each (RFC 8693 section 4.2)
	Roles     []string `json:"roles"`
	AuthTime  int64    `json:"auth_time"`
	AMR       []string `json:"amr"`
}

// leeway is how far ahead the clock of the replica that minted a token may be of ours. It is not granted to exp: a token
// never lives longer than it says.
const leeway = 30 * time.Second

// caller returns who the claims speak of, unless one of them is missing, malformed, or not for us. Whether the token has
// expired is not looked at.
func (c *claims) caller(cfg Config, vocabulary *auth.Vocabulary, now time.Time) (*auth.Caller, error) {
	latest := now.Add(leeway).Unix()
	switch {
	case c.Issuer != cfg.Issuer:
		return nil, errIssuer
	case c.Audience != cfg.Audience:
		return nil, errAudience
	case !isDate(c.ExpiresAt), !isDate(c.IssuedAt), !isDate(c.AuthTime), c.NotBefore != 0 && !isDate(c.NotBefore):
		return nil, errDate
	case c.IssuedAt > latest, c.NotBefore > latest:
		return nil, errEarly
	case c.ClientID == "":
		return nil, errClient
	}
	account, session := parseID(c.Subject), parseID(c.SessionID)
	if account == (id.ID{}) || session == (id.ID{}) || parseID(c.TokenID) == (id.ID{}) {
		return nil, errID
	}
	return &auth.Caller{
		AccountID: account,
		SessionID: session,
		Roles:     c.Roles,
		Scopes:    vocabulary.Set(strings.Split(c.Scope, " ")...),
		AuthTime:  time.Unix(c.AuthTime, 0).UTC(),
		AMR:       c.AMR,
		ExpiresAt: time.Unix(c.ExpiresAt, 0).UTC(),
	}, nil
}

// maxDate is the last second of the year 9999, the last that RFC 3339 can write. Up to it no arithmetic on times overflows.
const maxDate = 253402300799

func isDate(seconds int64) bool { return 0 < seconds && seconds <= maxDate }

// parseID returns the zero ID, which nobody has, for a text that is not an ID.
func parseID(text string) id.ID {
	parsed, err := id.Parse(text)
	if err != nil {
		return id.ID{}
	}
	return parsed
}
