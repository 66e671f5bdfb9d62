package graph

import (
	"context"

	"gatehouse/internal/account"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/session"
)

// RefreshInput is the argument of refresh.
type RefreshInput struct{ RefreshToken *string }

// Refresh renews a session.
func (m *Mutation[U]) Refresh(ctx context.Context, args struct{ Input RefreshInput }) (*SignInPayload[U], error) {
	return m.signIn(ctx, func(carrier session.Carrier) (*account.Account, session.Tokens, error) {
		presented, err := carrier.Presented(given(args.Input.RefreshToken))
		if err != nil {
			return nil, session.Tokens{}, err
		}
		return m.features.Sessions.Refresh(ctx, presented)
	})
}

// ChangePassword changes the caller's password and ends their other sessions.
func (m *Mutation[U]) ChangePassword(
	ctx context.Context, args struct{ Input session.PasswordChange },
) (*SignInPayload[U], error) {
	return m.signIn(ctx, func(session.Carrier) (*account.Account, session.Tokens, error) {
		return m.features.Sessions.ChangePassword(ctx, auth.FromContext(ctx), args.Input)
	})
}

// LogoutInput is the argument of logout.
type LogoutInput struct {
	RefreshToken *string
	Everywhere   bool
}

// LogoutPayload resolves LogoutPayload by its fields.
type LogoutPayload struct {
	EndedSessions int32
	UserErrors    []UserError
}

// Logout ends a session, or all of an account.
func (m *Mutation[U]) Logout(ctx context.Context, args struct{ Input LogoutInput }) (*LogoutPayload, error) {
	carrier := session.CarrierFrom(ctx)
	presented, err := carrier.Presented(given(args.Input.RefreshToken))
	if err != nil {
		return nil, err
	}
	ended, err := m.features.Sessions.Logout(ctx, auth.FromContext(ctx), presented, args.Input.Everywhere)
	refused, err := fault.Split(err)
	if err == nil {
		carrier.Drop() // also a token that was never ours: it is of no use
	}
	return &LogoutPayload{EndedSessions: int32(ended), UserErrors: NewUserErrors(refused)}, err
}

// RevokeSessionInput is the argument of revokeSession.
type RevokeSessionInput struct{ SessionID ID }

// RevokeSessionPayload resolves RevokeSessionPayload by its fields.
type RevokeSessionPayload struct {
	RevokedSessionID *ID
	UserErrors       []UserError
}

// RevokeSession ends one of the caller's sessions.
func (m *Mutation[U]) RevokeSession(
	ctx context.Context, args struct{ Input RevokeSessionInput },
) (*RevokeSessionPayload, error) {
	refused, err := fault.Split(m.features.Sessions.Revoke(ctx, auth.FromContext(ctx), parse(args.Input.SessionID)))
	if err != nil || refused != nil {
		return &RevokeSessionPayload{UserErrors: NewUserErrors(refused)}, err
	}
	return &RevokeSessionPayload{RevokedSessionID: &args.Input.SessionID, UserErrors: []UserError{}}, nil
}

// Session resolves Session; Device resolves by itself.
type Session struct {
	session.Session

	asking id.ID // the session that the answer goes to
}

// ID returns the session's id.
func (s *Session) ID() ID { return ID(s.Session.ID.String()) }

// CreatedAt returns when it was opened.
func (s *Session) CreatedAt() DateTime { return DateTime{s.Session.CreatedAt} }

// LastSeenAt returns when it was last used.
func (s *Session) LastSeenAt() DateTime { return DateTime{s.Session.LastSeenAt} }

// ExpiresAt returns when it ends unless it is renewed before.
func (s *Session) ExpiresAt() DateTime { return DateTime{s.Session.ExpiresAt} }

// UserAgent returns how the program that opened it described itself, nil where it did not.
func (s *Session) UserAgent() *string { return optional(s.Session.UserAgent) }

// IPAddress returns the address it was opened from, nil where it is not known.
func (s *Session) IPAddress() *string { return optional(s.Session.IPAddress) }

// Current reports whether it is the one that asks.
func (s *Session) Current() bool { return s.Session.ID == s.asking }

// Sessions lists where the account is signed in.
func (u *User) Sessions(ctx context.Context, args PageArgs) (*Connection[*Session], error) {
	live, err := u.features.Sessions.List(ctx, u.Account.ID, args.Request())
	if err != nil {
		return nil, err
	}
	nodes := make([]*Session, len(live.Nodes))
	for i, s := range live.Nodes {
		nodes[i] = &Session{*s, u.asking}
	}
	return NewConnection(live, nodes), nil
}
