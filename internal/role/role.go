// Package role owns what accounts may do: the registry of scopes and of the roles that carry them, which is code, and who
// was granted which role, which is data.
//
// It must never decide whether something is permitted: that is policy's business, and it asks for scopes.
package role

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// ErrUnknown reports a role that is not in the registry.
var ErrUnknown = errors.New("role: no such role")

// Service grants roles and tells who has which. Its methods join the transaction in their context.
type Service struct {
	db       *store.DB
	registry *Registry
	now      func() time.Time
}

// New returns the service that keeps grants in db and knows the roles of registry.
func New(db *store.DB, registry *Registry, now func() time.Time) *Service {
	return &Service{db: db, registry: registry, now: now}
}

// Registry returns the roles and scopes that the service knows.
func (s *Service) Registry() *Registry { return s.registry }

type grant struct {
	bun.BaseModel `bun:"table:account_roles"`

	AccountID id.ID
	Role      string
}

// Grant gives the role to the account; one that it has already stays as it was. The error is ErrUnknown, with the names
// that would do, when the registry has no such role, and store.ErrNotFound when there is no such account.
func (s *Service) Grant(ctx context.Context, accountID id.ID, role string) error {
	if !s.registry.Knows(role) {
		return fmt.Errorf("%w; there are: %s", ErrUnknown, strings.Join(s.registry.Names(), ", "))
	}
	// Selecting from accounts, and touching the row in a conflict, makes zero affected rows mean one thing only: there is
	// no such account. The foreign key alone would say it by failing, and a failed statement ends PostgreSQL's transaction.
	result, err := s.db.Conn(ctx).NewRaw(
		`INSERT INTO account_roles (account_id, role, granted_at)
		SELECT id, ?, ? FROM accounts WHERE id = ?
		ON CONFLICT (account_id, role) DO UPDATE SET role = excluded.role`,
		role, s.now().UTC().Truncate(time.Microsecond), accountID).Exec(ctx)
	if err != nil {
		return fmt.Errorf("role: grant: %w", err)
	}
	affected, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("role: grant: %w", err)
	}
	if affected == 0 {
		return fmt.Errorf("role: grant: no such account: %w", store.ErrNotFound)
	}
	return nil
}

// Of returns the role names of each of the accounts, in alphabetical order, with one query. An account without any is
// absent from the map.
func (s *Service) Of(ctx context.Context, ids ...id.ID) (map[id.ID][]string, error) {
	roles := make(map[id.ID][]string, len(ids))
	if len(ids) == 0 {
		return roles, nil
	}
	var grants []grant
	err := s.db.Conn(ctx).NewSelect().Model(&grants).
		Where("account_id IN (?)", bun.List(ids)).
		Order("account_id", "role").
		Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("role: read grants: %w", err)
	}
	for _, g := range grants {
		roles[g.AccountID] = append(roles[g.AccountID], g.Role)
	}
	return roles, nil
}
