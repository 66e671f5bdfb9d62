package account

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"gatehouse/internal/id"
	"gatehouse/internal/page"
)

// ByID returns the account, also a disabled one; store.ErrNotFound when there is none. It is the most frequent query of the
// server and reads what can be shown: PasswordHash, EmailKey and UsernameKey stay empty.
func (s *Service) ByID(ctx context.Context, accountID id.ID) (*Account, error) {
	a := &Account{ID: accountID}
	err := s.db.QueryRow(ctx,
		`SELECT email, username, name, email_verified, disabled_at, last_login_at, created_at, updated_at
		FROM accounts WHERE id = $1`, accountID,
	).Scan(&a.Email, &a.Username, &a.Name, &a.EmailVerified, &a.DisabledAt, &a.LastLoginAt, &a.CreatedAt, &a.UpdatedAt)
	if err != nil {
		return nil, fmt.Errorf("account: by id: %w", err)
	}
	return a, nil
}

// ByEmail returns the account with this address in any spelling; store.ErrNotFound when there is none, also when the text
// is no address at all.
func (s *Service) ByEmail(ctx context.Context, email string) (*Account, error) {
	parsed, _ := parseAddress(email)
	return s.byKey(ctx, "email_key", parsed.key)
}

// ByUsername returns the account with this username in any spelling; store.ErrNotFound when there is none, also when the
// text is no username at all.
func (s *Service) ByUsername(ctx context.Context, username string) (*Account, error) {
	_, key, _ := parseUsername(username)
	return s.byKey(ctx, "username_key", key)
}

// byKey finds an account by one of its unique keys. What could not be parsed arrives here as the empty key, which no account
// has: asking for it makes a misspelt account cost what an unknown one costs.
func (s *Service) byKey(ctx context.Context, column, key string) (*Account, error) {
	a := new(Account)
	err := s.db.Conn(ctx).NewSelect().Model(a).Where("? = ?", bun.Ident(column), key).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("account: by %s: %w", column, err)
	}
	return a, nil
}

// List returns a page of all accounts, oldest first; those made in the same microsecond in the order of their ids. The error
// is BAD_USER_INPUT when r asks for an impossible page.
func (s *Service) List(ctx context.Context, r page.Request) (page.Page[*Account], error) {
	query, err := r.Parse()
	if err != nil {
		return page.Page[*Account]{}, fmt.Errorf("account: list: %w", err)
	}
	var accounts []*Account
	list := s.db.Conn(ctx).NewSelect().Model(&accounts).Order("created_at", "id").Limit(int64(query.Limit) + 1)
	if query.After != nil {
		list = list.Where("(created_at, id) > (?, ?)", query.After.CreatedAt, query.After.ID)
	}
	if err := list.Scan(ctx); err != nil {
		return page.Page[*Account]{}, fmt.Errorf("account: list: %w", err)
	}
	cursor := func(a *Account) page.Cursor { return page.Cursor{CreatedAt: a.CreatedAt, ID: a.ID} }
	return page.Cut(accounts, query, cursor), nil
}
