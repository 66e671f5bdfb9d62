// Package account owns the account: what an address, a username and a name may look like, how an account comes to be, how
// it is found, and whether a password is its password.
//
// It must never open a session or know a token, and it must never tell an unknown account from a wrong password, neither
// in what it answers nor in how long it takes.
package account

import (
	"log/slog"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/id"
	"gatehouse/internal/password"
	"gatehouse/internal/store"
)

// Account is a person who can log in: the row, and what the API shows of it. Times are UTC, to the microsecond.
type Account struct {
	bun.BaseModel `bun:"table:accounts"`

	ID            id.ID
	Email         string  // as the person typed it, trimmed and in NFC; mail goes here
	EmailKey      string  // its canonical form: unique, and what lookups compare
	Username      *string // as the person typed it, trimmed; nil when they chose none
	UsernameKey   *string // its canonical form: unique, and what lookups compare
	Name          *string // what to call the person; nil when they gave none
	EmailVerified bool
	PasswordHash  string // a PHC string
	DisabledAt    *time.Time
	LastLoginAt   *time.Time
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Disabled reports whether the account may no longer log in.
func (a *Account) Disabled() bool { return a.DisabledAt != nil }

// LogValue keeps addresses and hashes out of logs: an account is logged as its id.
func (a *Account) LogValue() slog.Value { return slog.StringValue(a.ID.String()) }

// Service makes, finds and authenticates accounts. Its methods join the transaction in their context, except those that
// hash a password, which must be called outside any: hashing is slow.
type Service struct {
	db     *store.DB
	hasher *password.Hasher
	now    func() time.Time
}

// New returns the service that keeps accounts in db and hashes their passwords with hasher.
func New(db *store.DB, hasher *password.Hasher, now func() time.Time) *Service {
	return &Service{db: db, hasher: hasher, now: now}
}
