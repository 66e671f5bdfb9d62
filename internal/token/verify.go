package token

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/keyring"
)

// flaw is what is wrong with a token: the cause in the log, never shown to its sender, and without a byte of the token.
type flaw string

func (f flaw) Error() string { return "token: " + string(f) }

const (
	errLength    flaw = "longer than any that we mint"
	errForm      flaw = "not three segments of base64url"
	errHeader    flaw = "the header is not strict JSON with alg, kid and typ alone"
	errType      flaw = "typ is not that of an access token"
	errKey       flaw = "no key of ours has this kid"
	errAlgorithm flaw = "alg is not that of the key"
	errSignature flaw = "the signature is not the key's"
	errPayload   flaw = "the payload is not strict JSON with claims of the right types"
	errIssuer    flaw = "issued by another"
	errAudience  flaw = "meant for another audience"
	errDate      flaw = "a date is missing or out of range"
	errEarly     flaw = "issued, or valid from, later than now"
	errClient    flaw = "client_id is missing"
	errID        flaw = "sub, sid or jti is missing or not an id"
	errExpired   flaw = "past its exp"
)

// digest is the SHA-256 of a token as it was presented. Tokens are cached under it, so that a lookup compares nothing of the
// token itself. Whoever holds a token signed with ECDSA can write its signature in a second way (s negated); that one is
// cached beside the first, and says the same.
type digest [sha256.Size]byte

// Verify returns the caller that raw was minted for. The same value is returned to all who present the same token, from a
// bounded cache until its exp, or until its key is retired.
//
// The error is always a [*fault.Error]: UNAUTHENTICATED with the reason MISSING for an empty raw, EXPIRED for a token that is
// genuine in everything but its exp, INVALID for every other; SERVICE_UNAVAILABLE when the keys could not be read. Beside
// EXPIRED comes an anonymous caller, whose Lapsed is the token's session; beside the others nil.
func (s *Service) Verify(ctx context.Context, raw string) (*auth.Caller, error) {
	if raw == "" {
		return nil, fault.Anonymous(fault.Missing)
	}
	if len(raw) > maxLength {
		return nil, refuse(fault.Invalid, errLength)
	}
	key := digestOf(raw)
	caller, cached := s.verified.GetIfPresent(key)
	if !cached {
		var err error
		if caller, err = s.verify(ctx, raw); err != nil {
			return nil, err
		}
	}
	now := s.now()
	if cached && !s.ring.InForce(caller.KeyID, now) {
		s.verified.Invalidate(key)
		return nil, refuse(fault.Invalid, errKey)
	}
	// Last, and on every call: only a token that is genuine otherwise is told that it has expired.
	if !now.Before(caller.ExpiresAt) {
		nobody := auth.Anonymous(refuse(fault.Expired, errExpired))
		nobody.Lapsed = caller.SessionID
		return nobody, nobody.Refusal
	}
	if !cached {
		s.verified.Set(key, caller)
	}
	return caller, nil
}

// KeyInForce reports whether the key that signed the access token of a caller, whom Verify has returned, is still in force: when
// it is retired, the token is good no more. It makes no query and allocates nothing.
func (s *Service) KeyInForce(caller *auth.Caller) bool { return s.ring.InForce(caller.KeyID, s.now()) }

// verify looks at everything but exp, in the order of RFC 7515 section 5.2; the payload is not even parsed before the
// signature holds. golang-jwt is asked for the signature alone, through the key: its parser would let unknown crit, b64, zip
// and typ headers, duplicate members and line breaks pass.
func (s *Service) verify(ctx context.Context, raw string) (*auth.Caller, error) {
	token, err := parse(raw)
	if err != nil {
		return nil, refuse(fault.Invalid, err)
	}
	key, err := s.ring.Verifying(ctx, token.header.KeyID)
	if errors.Is(err, keyring.ErrUnknown) {
		return nil, refuse(fault.Invalid, errKey)
	}
	if err != nil {
		return nil, fault.Outage(fmt.Errorf("token: %w", err))
	}
	// One algorithm per key (RFC 8725 section 3.1): the header may only repeat what the key says.
	if token.header.Algorithm != key.Algorithm {
		return nil, refuse(fault.Invalid, errAlgorithm)
	}
	if err := key.Verify(token.input, token.signature); err != nil {
		return nil, refuse(fault.Invalid, errSignature)
	}
	var c claims
	if err := unmarshal(token.payload, &c); err != nil {
		return nil, refuse(fault.Invalid, errPayload)
	}
	caller, err := c.caller(s.cfg, s.vocabulary, s.now())
	if err != nil {
		return nil, refuse(fault.Invalid, err)
	}
	caller.KeyID = key.ID
	return caller, nil
}

func refuse(reason fault.Reason, cause error) *fault.Error {
	refusal := fault.Anonymous(reason)
	refusal.Cause = cause
	return refusal
}

// parsed is a token taken apart. Nothing in it is to be believed yet.
type parsed struct {
	header    header
	payload   []byte
	signature []byte
	input     string // what was signed: both segments and the dot between them
}

// parse takes a compact serialisation apart (RFC 7515 section 7.1). It has one spelling: base64url without padding, line
// breaks or stray bits (RFC 4648 sections 3.2 to 3.5), and nothing empty.
func parse(raw string) (parsed, error) {
	segments := strings.SplitN(raw, ".", 4)
	if len(segments) != 3 || strings.ContainsAny(raw, "\r\n") { // which the decoder below would skip
		return parsed{}, errForm
	}
	var decoded [3][]byte
	for i, segment := range segments {
		var err error
		decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(segment)
		if err != nil || segment == "" {
			return parsed{}, errForm
		}
	}
	token := parsed{
		payload:   decoded[1],
		signature: decoded[2],
		input:     raw[:len(segments[0])+1+len(segments[1])],
	}
	if err := unmarshal(decoded[0], &token.header, json.RejectUnknownMembers(true)); err != nil {
		return parsed{}, errHeader
	}
	if token.header.Type != mediaType && token.header.Type != fullMediaType {
		return parsed{}, errType
	}
	return token, nil
}

// maxDepth bounds the nesting of JSON in a token. What we write has a depth of 2.
const maxDepth = 4

// unmarshal reads data as one JSON value in UTF-8, with member names in their exact case, none of them twice.
func unmarshal(data []byte, into any, options ...json.Options) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := decoder.ReadToken(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if decoder.StackDepth() > maxDepth {
			return errors.New("token: nested too deeply")
		}
	}
	return json.Unmarshal(data, into, options...)
}

// digestOf copies raw to the stack, where the hash can read it without an allocation; a token of ours fits.
func digestOf(raw string) digest {
	var stack [2048]byte
	return sha256.Sum256(append(stack[:0], raw...))
}
