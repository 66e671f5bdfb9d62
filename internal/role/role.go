// Package role owns what accounts may do: the registry of scopes and of the roles that carry them, which is code, and who
// was granted which role, which is data.
//
// It must never decide whether something is permitted: that is policy's business, and it asks for scopes.
package role

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/audit"
	"gatehouse/internal/auth"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// ErrUnknown reports a role that is not in the registry.
var ErrUnknown = errors.New("role: no such role")

// Service grants roles and tells who has which. Its methods join the transaction in their context.
type Service struct {
	db       *store.DB
	registry *Registry
	log      *audit.Log
	now      func() time.Time
}

// New returns the service that keeps grants in db, knows the roles of registry and records grants in log.
func New(db *store.DB, registry *Registry, log *audit.Log, now func() time.Time) *Service {
	return &Service{db: db, registry: registry, log: log, now: now}
}

// Registry returns the roles and scopes that the service knows.
func (s *Service) Registry() *Registry { return s.registry }

type grant struct {
	bun.BaseModel `bun:"table:account_roles"`

	AccountID id.ID
	Role      string
}

// Admit gives a new account the role that every account has, User. Whoever makes an account calls it in the transaction that
// inserts the row; it is part of what ACCOUNT_REGISTERED says and leaves no entry of its own in the audit log.
func (s *Service) Admit(ctx context.Context, accountID id.ID) error {
	return s.insert(ctx, accountID, User, func(context.Context) error { return nil })
}

// Grant gives the role to the account and records that the caller in ctx did; one that it has already stays as it was, and is
// not recorded again. The error is ErrUnknown, with the names that would do, when the registry has no such role, and
// store.ErrNotFound when there is no such account.
func (s *Service) Grant(ctx context.Context, accountID id.ID, role string) error {
	if !s.registry.Knows(role) {
		return fmt.Errorf("%w; there are: %s", ErrUnknown, strings.Join(s.registry.Names(), ", "))
	}
	return s.insert(ctx, accountID, role, func(ctx context.Context) error {
		entry := audit.Entry{Event: audit.RoleGranted, AccountID: &accountID, Detail: role}
		if caller := auth.FromContext(ctx); caller.SignedIn() {
			entry.ActorID, entry.SessionID = &caller.AccountID, &caller.SessionID
		}
		return s.log.Record(ctx, entry)
	})
}

// insert gives the role to the account and then, in the same transaction, calls record if the account did not have it before.
func (s *Service) insert(ctx context.Context, accountID id.ID, role string, record func(context.Context) error) error {
	err := s.db.Atomically(ctx, func(ctx context.Context) error {
		// Selecting from accounts and ignoring a conflict make this insert nothing rather than fail: a failed statement would
		// end PostgreSQL's transaction, which may be the caller's.
		result, err := s.db.Conn(ctx).NewRaw(
			`INSERT INTO account_roles (account_id, role, granted_at)
			SELECT id, ?, ? FROM accounts WHERE id = ?
			ON CONFLICT (account_id, role) DO NOTHING`,
			role, s.now().UTC().Truncate(time.Microsecond), accountID).Exec(ctx)
		if err != nil {
			return err
		}
		inserted, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if inserted == 1 {
			return record(ctx)
		}
		has, err := s.db.Conn(ctx).NewSelect().Model((*grant)(nil)).
			Where("account_id = ?", accountID).Where("role = ?", role).
			Exists(ctx)
		if err == nil && !has {
			return fmt.Errorf("no such account: %w", store.ErrNotFound)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("role: grant: %w", err)
	}
	return nil
}

// OfOne returns the account's role names in alphabetical order, none where there is no such account. It is the fast way to ask
// for one account's.
func (s *Service) OfOne(ctx context.Context, accountID id.ID) ([]string, error) {
	var names string // no role has a space in its name
	err := s.db.QueryRow(ctx, "SELECT COALESCE(string_agg(role, ' '), '') FROM account_roles WHERE account_id = $1", accountID).
		Scan(&names)
	if err != nil {
		return nil, fmt.Errorf("role: read one account's grants: %w", err)
	}
	return slices.Sorted(strings.FieldsSeq(names)), nil
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
