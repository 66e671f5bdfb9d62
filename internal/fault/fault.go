// Package fault owns every way Gatehouse says no: the codes clients branch on, the errors that carry them, and the rule
// that separates the two tiers.
//
// What a person can act on is a [UserError] and travels as data in a payload's userErrors. Everything else is an [Error]
// and becomes a top-level GraphQL error with extensions.code. Whatever is neither is masked as INTERNAL_SERVER_ERROR.
//
// It must never put a password, a token or any other value that a client sent into a message.
package fault

import (
	"errors"
	"time"
)

// Code is the stable name of a fault; clients branch on it, so it changes only with a major version.
type Code string

// Codes of top-level errors, under the names that Apollo and urql users know.
const (
	Unauthenticated  Code = "UNAUTHENTICATED"
	Forbidden        Code = "FORBIDDEN"
	StepUpRequired   Code = "STEP_UP_REQUIRED"
	BadUserInput     Code = "BAD_USER_INPUT"
	ParseFailed      Code = "GRAPHQL_PARSE_FAILED"
	ValidationFailed Code = "GRAPHQL_VALIDATION_FAILED"
	Unavailable      Code = "SERVICE_UNAVAILABLE"
	Internal         Code = "INTERNAL_SERVER_ERROR"

	PersistedQueryNotFound  Code = "PERSISTED_QUERY_NOT_FOUND"   // the hash is not known yet: send the document with it
	PersistedQueryNotInList Code = "PERSISTED_QUERY_NOT_IN_LIST" // only trusted documents run, and this is none
)

// Codes of user errors, the values of the schema's ErrorCode enum.
const (
	EmailTaken          Code = "EMAIL_TAKEN"
	UsernameTaken       Code = "USERNAME_TAKEN"
	InvalidEmail        Code = "INVALID_EMAIL"
	InvalidUsername     Code = "INVALID_USERNAME"
	InvalidName         Code = "INVALID_NAME"
	PasswordTooShort    Code = "PASSWORD_TOO_SHORT"
	PasswordTooLong     Code = "PASSWORD_TOO_LONG"
	PasswordCompromised Code = "PASSWORD_COMPROMISED"
	InvalidCredentials  Code = "INVALID_CREDENTIALS"
	InvalidRefreshToken Code = "INVALID_REFRESH_TOKEN"
	NotFound            Code = "NOT_FOUND"
)

// Reason says why a caller counts as anonymous. It accompanies [Unauthenticated].
type Reason string

// The reasons for being anonymous.
const (
	Missing Reason = "MISSING" // no credential was sent
	Expired Reason = "EXPIRED" // the access token was ours and is past its exp
	Invalid Reason = "INVALID" // the credential is malformed, forged, or meant for somebody else
	Revoked Reason = "REVOKED" // the session was ended, or its account disabled or deleted
)

// Error is a top-level error. Only Code and Message are always set; the other fields accompany the codes named beside them.
type Error struct {
	Code    Code
	Message string // shown to the client: says what to do next, quotes nothing that the client sent

	Reason         Reason        // Unauthenticated
	RequiredScopes [][]string    // Forbidden: outer OR, inner AND
	MaxAge         time.Duration // StepUpRequired: the caller proved who they are at most so long ago; zero means any time
	ACR            string        // StepUpRequired: the level they did it at, such as "mfa"; empty means any
	Coordinate     string        // the three above: the schema coordinate whose rule denied, such as "Query.me"
	RetryAfter     time.Duration // Unavailable: how long to wait; zero means unknown

	Cause error // for the log alone; never shown
}

// Error returns the client's message; the cause stays out of it, so that an Error may be shown as it is.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap gives errors.Is and errors.As the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Extensions returns the GraphQL extensions object: code, and whatever accompanies it. maxAge is in whole seconds; so is
// retryAfter, rounded up, so that a client that obeys it does not come too early.
func (e *Error) Extensions() map[string]any {
	ext := map[string]any{"code": string(e.Code)}
	if e.Reason != "" {
		ext["reason"] = string(e.Reason)
	}
	if e.RequiredScopes != nil {
		ext["requiredScopes"] = e.RequiredScopes
	}
	if e.MaxAge > 0 {
		ext["maxAge"] = int64(e.MaxAge / time.Second)
	}
	if e.ACR != "" {
		ext["acr"] = e.ACR
	}
	if e.Coordinate != "" {
		ext["coordinate"] = e.Coordinate
	}
	if e.RetryAfter > 0 {
		ext["retryAfter"] = int64((e.RetryAfter + time.Second - 1) / time.Second)
	}
	return ext
}

// InternalMessage is all that a client learns of an internal error.
const InternalMessage = "internal error"

// From returns err as an [Error]. One that is already an Error, however deeply wrapped, is returned as it is; anything else
// is masked as [Internal] with err as the cause.
func From(err error) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	return &Error{Code: Internal, Message: InternalMessage, Cause: err}
}

// Anonymous returns the [Unauthenticated] error for a caller who is anonymous for the given reason.
func Anonymous(reason Reason) *Error {
	messages := map[Reason]string{
		Missing: "Sign in first: send the access token as \"Authorization: Bearer <token>\".",
		Expired: "The access token has expired: get a new one with refresh, or log in again.",
		Invalid: "The access token is not valid here: get a new one with refresh, or log in again.",
		Revoked: "The session has been ended: log in again.",
	}
	return &Error{Code: Unauthenticated, Message: messages[reason], Reason: reason}
}

// Outage returns the [Unavailable] error for a storage fault or whatever else kept us from an answer, with cause for the log.
func Outage(cause error) *Error {
	return &Error{
		Code:       Unavailable,
		Message:    "The service cannot answer right now: try again in a moment.",
		RetryAfter: time.Second,
		Cause:      cause,
	}
}
