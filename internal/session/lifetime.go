package session

import "time"

// How long a session lives where Config does not say.
const (
	DefaultIdleTTL     = 14 * 24 * time.Hour
	DefaultAbsoluteTTL = 30 * 24 * time.Hour
)

// lifetimes is how long what lives.
type lifetimes struct {
	idle     time.Duration // a session, since its refresh token was used
	absolute time.Duration // a session, since it was opened
	grace    time.Duration // a refresh token, since it was replaced
}

// newLifetimes fills in what cfg leaves open.
func newLifetimes(cfg Config) lifetimes {
	l := lifetimes{idle: cfg.IdleTTL, absolute: cfg.AbsoluteTTL, grace: cfg.Grace}
	if l.idle == 0 {
		l.idle = DefaultIdleTTL
	}
	if l.absolute == 0 {
		l.absolute = DefaultAbsoluteTTL
	}
	return l
}

// begin sets when a session that is opened at now ends.
func (l lifetimes) begin(s *Session, now time.Time) {
	// In whole seconds, as an access token's exp is: the last one then lives as long as the session does.
	s.AbsoluteExpiresAt = now.Add(l.absolute).Truncate(time.Second)
	s.ExpiresAt = now.Add(l.idle)
	if s.AbsoluteExpiresAt.Before(s.ExpiresAt) {
		s.ExpiresAt = s.AbsoluteExpiresAt
	}
}
