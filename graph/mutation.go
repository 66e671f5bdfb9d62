package graph

import (
	"context"

	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/session"
)

// OncePerOperation lists the fields that hash a password, and so may be selected only once in an operation: otherwise one
// request could try many passwords, or keep a processor busy for seconds.
func OncePerOperation() []string {
	return []string{"Mutation.register", "Mutation.login", "Mutation.changePassword"}
}

// Mutation resolves the fields of Mutation.
type Mutation[U any] struct {
	features Features
	wrap     func(User) *U
}

// Register opens an account and signs in to it.
func (m *Mutation[U]) Register(ctx context.Context, args struct{ Input account.Registration }) (*SignInPayload[U], error) {
	return m.signIn(ctx, func(session.Carrier) (*account.Account, session.Tokens, error) {
		return m.features.Sessions.Register(ctx, args.Input)
	})
}

// Login signs in with a password.
func (m *Mutation[U]) Login(ctx context.Context, args struct{ Input account.Credentials }) (*SignInPayload[U], error) {
	return m.signIn(ctx, func(session.Carrier) (*account.Account, session.Tokens, error) {
		return m.features.Sessions.Login(ctx, args.Input)
	})
}

// signIn wraps what a feature returns to whoever gets tokens, of which the request's carrier takes what it carries.
func (m *Mutation[U]) signIn(
	ctx context.Context, feature func(session.Carrier) (*account.Account, session.Tokens, error),
) (*SignInPayload[U], error) {
	carrier := session.CarrierFrom(ctx)
	if err := carrier.Ready(); err != nil {
		return nil, err
	}
	a, t, err := feature(carrier)
	refused, err := fault.Split(err)
	if err != nil || refused != nil {
		return &SignInPayload[U]{UserErrors: NewUserErrors(refused)}, err
	}
	return &SignInPayload[U]{
		User:       newUsers(ctx, m.features, m.wrap, t.SessionID, a)[0],
		Tokens:     &tokens{carrier.Keep(t)},
		UserErrors: []UserError{},
	}, nil
}

// SignInPayload resolves the payloads of all mutations that return tokens.
type SignInPayload[U any] struct {
	User       *U
	Tokens     *tokens
	UserErrors []UserError
}

// tokenType is how an access token is sent (RFC 6750).
const tokenType = "Bearer"

// tokens resolves Tokens.
type tokens struct{ session.Tokens }

func (t *tokens) AccessToken() string { return t.Access.Token }

func (t *tokens) TokenType() string { return tokenType }

func (t *tokens) ExpiresIn() int32 {
	return int32(t.Access.ExpiresAt.Sub(t.Access.IssuedAt).Seconds())
}

func (t *tokens) ExpiresAt() DateTime { return DateTime{t.Access.ExpiresAt} }

func (t *tokens) RefreshToken() *string { return optional(t.Refresh.Reveal()) }

func (t *tokens) RefreshExpiresAt() DateTime { return DateTime{t.Tokens.RefreshExpiresAt} }

// UserError resolves UserError; Code and Message resolve by themselves.
type UserError struct{ fault.UserError }

// NewUserErrors wraps what a feature refused, for a payload.
func NewUserErrors(refused fault.UserErrors) []UserError {
	wrapped := make([]UserError, len(refused))
	for i, e := range refused {
		wrapped[i] = UserError{e}
	}
	return wrapped
}

// Field returns the path of the input it is about, nil where it is about none in particular.
func (e UserError) Field() *[]string {
	if e.UserError.Field == nil {
		return nil
	}
	return &e.UserError.Field
}
