package graph

import (
	"context"

	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/session"
)

// mutation resolves the fields of Mutation.
type mutation struct{ features Features }

func (m *mutation) Register(ctx context.Context, args struct{ Input account.Registration }) (*signInPayload, error) {
	opened, tokens, err := m.features.Sessions.Register(ctx, args.Input)
	return m.signIn(ctx, opened, tokens, err)
}

func (m *mutation) Login(ctx context.Context, args struct{ Input account.Credentials }) (*signInPayload, error) {
	found, tokens, err := m.features.Sessions.Login(ctx, args.Input)
	return m.signIn(ctx, found, tokens, err)
}

// signIn wraps what the features return to someone who comes in.
func (m *mutation) signIn(ctx context.Context, a *account.Account, t session.Tokens, err error) (*signInPayload, error) {
	refused, err := fault.Split(err)
	if err != nil || refused != nil {
		return &signInPayload{UserErrors: newUserErrors(refused)}, err
	}
	return &signInPayload{
		User:       newUsers(ctx, m.features.Roles, a)[0],
		Tokens:     &tokens{t},
		UserErrors: []userError{},
	}, nil
}

// signInPayload is RegisterPayload and LoginPayload alike.
type signInPayload struct {
	User       *user
	Tokens     *tokens
	UserErrors []userError
}

// tokenType is how an access token is sent (RFC 6750).
const tokenType = "Bearer"

// tokens resolves Tokens; RefreshToken resolves by itself.
type tokens struct{ session.Tokens }

func (t *tokens) AccessToken() string { return t.Access.Token }

func (t *tokens) TokenType() string { return tokenType }

func (t *tokens) ExpiresIn() int32 {
	return int32(t.Access.ExpiresAt.Sub(t.Access.IssuedAt).Seconds())
}

func (t *tokens) ExpiresAt() dateTime { return dateTime{t.Access.ExpiresAt} }

func (t *tokens) RefreshExpiresAt() *dateTime {
	if t.Tokens.RefreshExpiresAt == nil {
		return nil
	}
	return &dateTime{*t.Tokens.RefreshExpiresAt}
}

// userError resolves UserError; Code and Message resolve by themselves.
type userError struct{ fault.UserError }

func newUserErrors(refused fault.UserErrors) []userError {
	wrapped := make([]userError, len(refused))
	for i, e := range refused {
		wrapped[i] = userError{e}
	}
	return wrapped
}

func (e userError) Field() *[]string {
	if e.UserError.Field == nil {
		return nil
	}
	return &e.UserError.Field
}
