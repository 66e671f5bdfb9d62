package audit

// Event says what happened. The values are those of the schema's AuditEvent.
type Event string

// The events.
const (
	// AccountRegistered: an account was made, by registering or at the command line. It has the role USER from then on.
	AccountRegistered Event = "ACCOUNT_REGISTERED"
	// AccountDisabled: an account may not log in any more, and its sessions were ended.
	AccountDisabled Event = "ACCOUNT_DISABLED"
	// LoggedIn: a session was opened for whoever had the credentials.
	LoggedIn Event = "LOGGED_IN"
	// LoginFailed: credentials were refused. Without an account, there is none of that name.
	LoginFailed Event = "LOGIN_FAILED"
	// LoggedOut: a session was ended by whoever used it.
	LoggedOut Event = "LOGGED_OUT"
	// RefreshTokenReused: a refresh token came back long after it was replaced, so somebody had a copy; the session was ended.
	RefreshTokenReused Event = "REFRESH_TOKEN_REUSED"
	// SessionRevoked: a session was ended from elsewhere; by a login where the detail is "limit", since the account had too many.
	SessionRevoked Event = "SESSION_REVOKED"
	// PasswordChanged: a password was replaced, and the account's other sessions were ended.
	PasswordChanged Event = "PASSWORD_CHANGED"
	// RoleGranted: an account got a role, the one that the detail names.
	RoleGranted Event = "ROLE_GRANTED"
	// KeyAdded: a signing key was published, the one whose kid is the detail.
	KeyAdded Event = "KEY_ADDED"
	// KeyRetired: a signing key is no longer accepted, the one whose kid is the detail.
	KeyRetired Event = "KEY_RETIRED"
)

// Events returns every event.
func Events() []Event {
	return []Event{
		AccountRegistered, AccountDisabled, LoggedIn, LoginFailed, LoggedOut, RefreshTokenReused, SessionRevoked, PasswordChanged,
		RoleGranted, KeyAdded, KeyRetired,
	}
}
