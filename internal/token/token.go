// Package token owns access tokens: what they say, how they are minted, and which of them are believed.
//
// An access token is a JWT in the profile of RFC 9068. It carries no personal data. A token that verifies here may have been
// revoked since it was minted: whether its session lives is for session to say.
//
// It must never believe a token for any other reason than a signature by a key of ours, never tell the sender of a bad one
// what is wrong with it, and never put any of it into an error or a log.
package token

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/maypok86/otter/v2"

	"gatehouse/internal/auth"
	"gatehouse/internal/id"
	"gatehouse/internal/keyring"
)

// Config is what tokens are minted with, and what a presented one must say.
type Config struct {
	Issuer   string        // the iss claim, compared byte for byte
	Audience string        // the aud claim, compared byte for byte
	TTL      time.Duration // from iat to exp; fractions of a second are cut off
}

// Grant is what a token is minted for. The claim that carries a field stands beside it.
type Grant struct {
	AccountID id.ID     // sub
	SessionID id.ID     // sid
	Roles     []string  // roles
	Scopes    []string  // scope; names without spaces
	AuthTime  time.Time // auth_time: when the account's owner last proved who they are
	AMR       []string  // amr: how they did so (RFC 8176), such as "pwd"
	NotAfter  time.Time // the latest exp, when the session ends before the TTL; zero for none. Fractions of a second are cut off
}

// Access is a minted access token. Printing, logging and marshalling it show none of it; whoever hands it out reads Token.
type Access struct {
	Token     string    // the compact serialisation (RFC 7515 section 7.1)
	IssuedAt  time.Time // UTC, whole seconds
	ExpiresAt time.Time // the first moment at which the token is no longer accepted; UTC, whole seconds
}

// masked stands wherever an Access is printed.
const masked = "[access token]"

// String masks the token.
func (a Access) String() string { return masked }

// Format masks the token for every verb, %d and %x included.
func (a Access) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, masked) }

// LogValue masks the token.
func (a Access) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText masks the token.
func (a Access) MarshalText() ([]byte, error) { return []byte(masked), nil }

// Service mints and verifies access tokens. It is safe for concurrent use.
type Service struct {
	ring       *keyring.Ring
	vocabulary *auth.Vocabulary
	now        func() time.Time
	cfg        Config
	verified   *otter.Cache[digest, *auth.Caller] // of tokens that were found genuine
}

// maxVerified bounds the memory that verified tokens take: about 8 MiB when full. It is as many as there are people asking
// within the life of a token; of more than that, some tokens are verified more than once.
const maxVerified = 1 << 14

// New returns the service that signs with ring's key and understands the scopes of vocabulary.
func New(ring *keyring.Ring, vocabulary *auth.Vocabulary, now func() time.Time, cfg Config) *Service {
	return &Service{
		ring:       ring,
		vocabulary: vocabulary,
		now:        now,
		cfg:        cfg,
		// Must fails on options that contradict each other, and these are constant.
		verified: otter.Must(&otter.Options[digest, *auth.Caller]{MaximumSize: maxVerified}),
	}
}

// TTL is how long a token lives whose grant has no NotAfter.
func (s *Service) TTL() time.Duration { return s.cfg.TTL }
