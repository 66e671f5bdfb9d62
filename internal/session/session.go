// Package session owns the session: how registering and logging in open one, how disabling an account ends them, and
// whether the session of an access token still lives.
//
// It must never trust a token alone: a token is as alive as its session, and while that cannot be known, nobody is let in.
package session

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/account"
	"gatehouse/internal/id"
	"gatehouse/internal/request"
	"gatehouse/internal/role"
	"gatehouse/internal/store"
	"gatehouse/internal/token"
)

// Session is one login, from its beginning to its end: the row. Times are UTC, to the microsecond.
type Session struct {
	bun.BaseModel `bun:"table:sessions"`

	ID         id.ID // the sid of its access tokens
	AccountID  id.ID
	CreatedAt  time.Time
	LastSeenAt time.Time
	AuthTime   time.Time  // when the person last proved who they are
	ExpiresAt  time.Time  // when its access token ends, and the session with it
	RevokedAt  *time.Time // when it was ended before its time; nil while it lives
	UserAgent  string     // of the request that opened it, as sent
	IPAddress  string     `bun:"ip_address"` // of that request
	AMR        string     `bun:"amr"`        // how the person proved it: values of RFC 8176, separated by spaces
}

// Tokens is what a client gets for a session.
type Tokens struct {
	Access           token.Access
	RefreshToken     *string    // nil: a session cannot be prolonged, it ends with its access token
	RefreshExpiresAt *time.Time // nil with RefreshToken
}

// Config is what New can do without.
type Config struct {
	Logger *slog.Logger // default: none
}

// Service opens, checks and ends sessions. It is safe for concurrent use.
type Service struct {
	db       *store.DB
	accounts *account.Service
	roles    *role.Service
	tokens   *token.Service
	now      func() time.Time
	logger   *slog.Logger

	revoked *revocations
	looked  atomic.Int64 // when Sync last succeeded, Unix nanoseconds; long ago before the first time

	syncing sync.Mutex // guards what follows
	synced  time.Time  // when Sync last succeeded; zero before the first time
	turn    int        // the next shard to prune
}

// New returns the service. It answers SERVICE_UNAVAILABLE to every access token until Sync or Watch has read once which
// sessions are revoked.
func New(
	db *store.DB, accounts *account.Service, roles *role.Service, tokens *token.Service, now func() time.Time, cfg Config,
) *Service {
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		db: db, accounts: accounts, roles: roles, tokens: tokens, now: now, logger: logger,
		revoked: newRevocations(),
	}
}

// Register makes an account with the role USER and opens its first session, all or nothing. Its user errors are those of
// account.Prepare and account.Insert. Call it outside any transaction, since it hashes the password before it opens its own.
func (s *Service) Register(ctx context.Context, r account.Registration) (*account.Account, Tokens, error) {
	a, err := s.accounts.Prepare(ctx, r)
	if err != nil {
		return nil, Tokens{}, fmt.Errorf("session: register: %w", err)
	}
	var tokens Tokens
	err = s.db.Atomically(ctx, func(ctx context.Context) error {
		if err := s.accounts.Insert(ctx, a); err != nil {
			return err
		}
		if err := s.roles.Grant(ctx, a.ID, role.User); err != nil {
			return err
		}
		tokens, err = s.open(ctx, a.ID)
		return err
	})
	if err != nil {
		return nil, Tokens{}, fmt.Errorf("session: register: %w", err)
	}
	return a, tokens, nil
}

// Login opens a session for whoever has the credentials. Its errors are those of account.Authenticate; the account it
// returns tells in LastLoginAt of the login before this one. Call it outside any transaction, like Register.
func (s *Service) Login(ctx context.Context, c account.Credentials) (*account.Account, Tokens, error) {
	a, err := s.accounts.Authenticate(ctx, c)
	if err != nil {
		return nil, Tokens{}, fmt.Errorf("session: login: %w", err)
	}
	var tokens Tokens
	err = s.db.Atomically(ctx, func(ctx context.Context) error {
		if err := s.accounts.RecordLogin(ctx, a.ID); err != nil {
			return err
		}
		tokens, err = s.open(ctx, a.ID)
		return err
	})
	if err != nil {
		return nil, Tokens{}, fmt.Errorf("session: login: %w", err)
	}
	return a, tokens, nil
}

// open inserts a session of the account and mints its access token. It runs in the transaction of whatever justifies the
// session, so that without a token nothing of it stays.
func (s *Service) open(ctx context.Context, accountID id.ID) (Tokens, error) {
	roles, err := s.roles.Of(ctx, accountID)
	if err != nil {
		return Tokens{}, err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	grant := token.Grant{
		AccountID: accountID,
		SessionID: id.New(now),
		Roles:     roles[accountID],
		Scopes:    s.roles.Registry().Scopes(roles[accountID]),
		AuthTime:  now,
		AMR:       []string{"pwd"},
	}
	access, err := s.tokens.Mint(grant)
	if err != nil {
		return Tokens{}, err
	}
	from := request.FromContext(ctx)
	row := &Session{
		ID: grant.SessionID, AccountID: accountID,
		CreatedAt: now, LastSeenAt: now, AuthTime: now, ExpiresAt: access.ExpiresAt.UTC(),
		UserAgent: from.UserAgent, IPAddress: from.Address, AMR: strings.Join(grant.AMR, " "),
	}
	if _, err := s.db.Conn(ctx).NewInsert().Model(row).Exec(ctx); err != nil {
		return Tokens{}, fmt.Errorf("insert: %w", err)
	}
	return Tokens{Access: access}, nil
}

// DisableAccount keeps the account from logging in and ends all its sessions, all or nothing. This process refuses their
// access tokens from its return on, every other within about a second. The error is store.ErrNotFound when there is no
// such account. Call it outside any transaction: one that were rolled back later would leave this process refusing.
func (s *Service) DisableAccount(ctx context.Context, accountID id.ID) error {
	var ended []Session
	err := s.db.Atomically(ctx, func(ctx context.Context) error {
		// First the account's row, whose lock every login needs: the sessions of logins that were quicker are committed
		// and seen below, slower ones find the account disabled.
		if err := s.accounts.Disable(ctx, accountID); err != nil {
			return err
		}
		ended = nil // of an attempt that was rolled back
		_, err := s.db.Conn(ctx).NewUpdate().Model(&ended).
			Set("revoked_at = ?", s.now().UTC().Truncate(time.Microsecond)).
			Where("account_id = ?", accountID).Where("revoked_at IS NULL").
			Returning("id, expires_at").
			Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("session: disable account: %w", err)
	}
	s.revoked.add(ended)
	return nil
}
