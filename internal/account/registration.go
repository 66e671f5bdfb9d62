package account

import (
	"context"
	"fmt"
	"time"

	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/password"
	"gatehouse/internal/store"
)

// Registration is what a person fills in to get an account. Username and Name are optional: nil for none.
type Registration struct {
	Email, Password string
	Username, Name  *string
}

// Prepare returns the account that r asks for, with its password hashed, ready for Insert. The error is fault.UserErrors
// that list everything wrong with r at once, or SERVICE_UNAVAILABLE when too many passwords are being hashed already. It
// does not look into the database. Call it outside any transaction.
func (s *Service) Prepare(ctx context.Context, r Registration) (*Account, error) {
	now := s.now().UTC().Truncate(time.Microsecond)
	a := &Account{ID: id.New(now), CreatedAt: now, UpdatedAt: now}

	email, wrong := parseAddress(r.Email)
	a.Email, a.EmailKey = email.typed, email.key
	about := password.Personal{Email: r.Email}
	if r.Username != nil {
		typed, key, problems := parseUsername(*r.Username)
		wrong = append(wrong, problems...)
		a.Username, a.UsernameKey = &typed, &key
		about.Username = *r.Username
	}
	if r.Name != nil {
		name, problems := parseName(*r.Name)
		wrong = append(wrong, problems...)
		a.Name = &name
		about.Name = *r.Name
	}
	wrong = append(wrong, password.Check(r.Password, about)...)
	if len(wrong) > 0 {
		return nil, wrong
	}

	hash, err := s.hasher.Hash(ctx, r.Password)
	if err != nil {
		return nil, fmt.Errorf("account: prepare: %w", err)
	}
	a.PasswordHash = hash
	return a, nil
}

// Insert stores a prepared account. The error is fault.UserErrors with EMAIL_TAKEN, USERNAME_TAKEN or both.
//
// The database decides, through its unique keys, whether they are taken; reading comes after, and only to say which. So
// any number of registrations may race and one wins.
func (s *Service) Insert(ctx context.Context, a *Account) error {
	// Without a conflict target both keys are covered, and the transaction that Insert may be part of stays usable: an
	// error from PostgreSQL would end it, and with it the chance to see whether the other key is taken too.
	result, err := s.db.Conn(ctx).NewInsert().Model(a).On("CONFLICT DO NOTHING").Exec(ctx)
	if err != nil {
		return fmt.Errorf("account: insert: %w", err)
	}
	inserted, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("account: insert: %w", err)
	}
	if inserted == 1 {
		return nil
	}
	return s.taken(ctx, a)
}

// taken says which of a's keys other accounts hold.
func (s *Service) taken(ctx context.Context, a *Account) error {
	var holders []Account
	err := s.db.Conn(ctx).NewSelect().Model(&holders).Column("email_key", "username_key").
		Where("email_key = ?", a.EmailKey).WhereOr("username_key = ?", a.UsernameKey).
		Scan(ctx)
	if err != nil {
		return fmt.Errorf("account: find what is taken: %w", err)
	}
	var email, username bool
	for _, h := range holders {
		email = email || h.EmailKey == a.EmailKey
		username = username || a.UsernameKey != nil && h.UsernameKey != nil && *h.UsernameKey == *a.UsernameKey
	}
	var taken fault.UserErrors
	if email {
		taken = append(taken, fault.User(fault.EmailTaken, "email", "There is an account with this address: log in instead.")...)
	}
	if username {
		taken = append(taken, fault.User(fault.UsernameTaken, "username", "This username is taken: choose another.")...)
	}
	if taken == nil { // the holder was deleted in between: whoever asks again will succeed
		return fmt.Errorf("account: insert: %w", store.ErrConflict)
	}
	return taken
}
