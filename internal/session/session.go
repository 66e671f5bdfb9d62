// Package session owns the session: how registering and logging in open one, how its refresh token prolongs it, what ends it,
// and whether the session of an access token still lives.
//
// It must never trust a token alone: a token is as alive as its session, and while that cannot be known, nobody is let in. It
// must never end a session because of a refresh token that was lost on its way, and never keep one whose token was copied.
package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/id"
	"gatehouse/internal/request"
	"gatehouse/internal/role"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/token"
)

// Session is one login, from its beginning to its end: the row. Times are UTC, to the microsecond.
type Session struct {
	bun.BaseModel `bun:"table:sessions"`

	ID                id.ID // the sid of its access tokens
	AccountID         id.ID
	CreatedAt         time.Time
	LastSeenAt        time.Time
	AuthTime          time.Time  // when the person last proved who they are
	ExpiresAt         time.Time  // when it ends unless it is refreshed before; never later than AbsoluteExpiresAt
	AbsoluteExpiresAt time.Time  // when it ends however often it is refreshed
	TokenExpiresAt    time.Time  // when the last of its access tokens ends
	RevokedAt         *time.Time // when it was ended before its time; nil while it lives
	UserAgent         string     // of the request that opened it, as sent
	IPAddress         string     `bun:"ip_address"` // of that request
	AMR               string     `bun:"amr"`        // how the person proved it: values of RFC 8176, separated by spaces

	// What a refresh token is compared with. See rotate.
	Salt          []byte
	Generation    int32     // of the token that was handed out last; the first is 0
	PreviousUntil time.Time // until when the generation before is accepted still
	GraceFrom     int32     // all generations from this one on are accepted still …
	GraceUntil    time.Time // … until then
}

// Tokens is what a client gets for a session.
type Tokens struct {
	Access           token.Access
	Refresh          RefreshToken
	RefreshExpiresAt time.Time // when the session ends unless it is refreshed before; UTC
	SessionID        id.ID
}

// Config is what New can do without.
type Config struct {
	Logger      *slog.Logger   // default: none
	Master      *secret.Master // makes refresh tokens; without it the service can end sessions, but open or refresh none
	IdleTTL     time.Duration  // how long a session lives that is not refreshed; default: DefaultIdleTTL
	AbsoluteTTL time.Duration  // how long it lives at most; default: DefaultAbsoluteTTL

	// Grace is how long a refresh token is accepted after it was replaced, to get its replacement once more: for retries and
	// for other tabs. Zero is strict: the second use ends the session.
	Grace time.Duration
}

// Service opens, refreshes, checks and ends sessions. It is safe for concurrent use.
type Service struct {
	db        *store.DB
	accounts  *account.Service
	roles     *role.Service
	tokens    *token.Service
	audit     *audit.Log
	now       func() time.Time
	logger    *slog.Logger
	keys      refreshKeys
	lifetimes lifetimes

	revoked *revocations
	seen    *sightings
	looked  atomic.Int64 // when Sync last succeeded, Unix nanoseconds; long ago before the first time

	syncing sync.Mutex // guards what follows
	synced  time.Time  // when Sync last succeeded; zero before the first time
	turn    int        // the next shard to prune

	pruning sync.Mutex // guards what follows
	pruned  id.ID      // how far Prune has got
}

// New returns the service. It answers SERVICE_UNAVAILABLE to every access token until Sync or Watch has read once which
// sessions are revoked. To end sessions it needs neither tokens nor a master secret: both may be nil then. It fails when no key
// can be derived from the secret.
func New(
	db *store.DB, accounts *account.Service, roles *role.Service, tokens *token.Service, log *audit.Log,
	now func() time.Time, cfg Config,
) (*Service, error) {
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	keys, err := newRefreshKeys(cfg.Master)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return &Service{
		db: db, accounts: accounts, roles: roles, tokens: tokens, audit: log, now: now, logger: logger,
		keys: keys, lifetimes: newLifetimes(cfg), revoked: newRevocations(), seen: newSightings(),
	}, nil
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
		if err := s.roles.Admit(ctx, a.ID); err != nil {
			return err
		}
		tokens, err = s.open(ctx, a.ID, audit.AccountRegistered)
		return err
	})
	if err != nil {
		return nil, Tokens{}, fmt.Errorf("session: register: %w", err)
	}
	return a, tokens, nil
}

// Login opens a session for whoever has the credentials, and ends the least recently used one where the account would have more
// than 100. Its errors are those of account.Authenticate; the account it returns tells in LastLoginAt of the login before this
// one. Call it outside any transaction, like Register.
func (s *Service) Login(ctx context.Context, c account.Credentials) (*account.Account, Tokens, error) {
	var a *account.Account
	var tokens Tokens
	err := verified(func() error {
		var err error
		if a, err = s.accounts.Authenticate(ctx, c); err != nil {
			return s.refused(ctx, err, audit.Entry{})
		}
		return s.ending(ctx, func(ctx context.Context) ([]Session, error) {
			if err := s.accounts.RecordLogin(ctx, a); err != nil {
				return nil, err
			}
			if tokens, err = s.open(ctx, a.ID, audit.LoggedIn); err != nil {
				return nil, err
			}
			return s.makeRoom(ctx, a.ID, tokens.SessionID)
		})
	})
	if err != nil {
		return nil, Tokens{}, fmt.Errorf("session: login: %w", err)
	}
	return a, tokens, nil
}

// open inserts a session of the account, mints its tokens and records the event that opened it. It runs in the transaction of
// whatever justifies the session, so that without tokens nothing of it stays.
func (s *Service) open(ctx context.Context, accountID id.ID, event audit.Event) (Tokens, error) {
	now := s.now().UTC().Truncate(time.Microsecond)
	from := request.FromContext(ctx)
	row := &Session{
		ID: id.New(now), AccountID: accountID, CreatedAt: now, LastSeenAt: now, AuthTime: now,
		UserAgent: from.UserAgent, IPAddress: from.Address, AMR: passwordMethod,
		Salt: make([]byte, saltSize), PreviousUntil: now, GraceUntil: now,
	}
	rand.Read(row.Salt) // never fails: crypto/rand ends the process rather than return an error
	s.lifetimes.begin(row, now)
	tokens, err := s.issue(ctx, row)
	if err != nil {
		return Tokens{}, err
	}
	row.TokenExpiresAt = tokens.Access.ExpiresAt
	if _, err := s.db.Conn(ctx).NewInsert().Model(row).Exec(ctx); err != nil {
		return Tokens{}, fmt.Errorf("insert: %w", err)
	}
	err = s.audit.Record(ctx, audit.Entry{Event: event, ActorID: &accountID, AccountID: &accountID, SessionID: &row.ID})
	if err != nil {
		return Tokens{}, err
	}
	return tokens, nil
}

// issue mints the tokens of a session as it stands: an access token with the roles of today, and the refresh token of its
// generation. It joins the transaction in ctx.
func (s *Service) issue(ctx context.Context, row *Session) (Tokens, error) {
	roles, err := s.roles.OfOne(ctx, row.AccountID)
	if err != nil {
		return Tokens{}, err
	}
	access, err := s.tokens.Mint(token.Grant{
		AccountID: row.AccountID,
		SessionID: row.ID,
		Roles:     roles,
		Scopes:    s.roles.Registry().Scopes(roles),
		AuthTime:  row.AuthTime,
		AMR:       strings.Fields(row.AMR),
		NotAfter:  row.ExpiresAt,
	})
	if err != nil {
		return Tokens{}, err
	}
	claims := refreshClaims{sessionID: row.ID, generation: row.Generation}
	copy(claims.salt[:], row.Salt) // a session from before there were refresh tokens has none, and no token fits it
	refresh, err := s.keys.mint(claims)
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{Access: access, Refresh: refresh, RefreshExpiresAt: row.ExpiresAt, SessionID: row.ID}, nil
}
