package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/id"
	"gatehouse/internal/keyring"
	"gatehouse/internal/page"
	hashing "gatehouse/internal/password"
	"gatehouse/internal/role"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/token"
)

// client is somebody with two sessions of their own: one that Gatehouse refreshes, and one whose row is refreshed bare, and whose
// refresh token is of no use any more.
type client struct {
	accountID    id.ID
	refreshToken string
	bareSession  id.ID
}

// sessions is the session feature on the house's PostgreSQL database, and clients with a session each.
type sessions struct {
	db      *store.DB
	service *session.Service
	bare    *pgxpool.Pool
	clients []*client
}

// openSessions puts the feature together in this process: what is measured is the feature, without HTTP and GraphQL.
func openSessions(ctx context.Context, h *house, clients int) (*sessions, error) {
	db, err := store.Open(ctx, store.Config{URL: h.database})
	if err != nil {
		return nil, err
	}
	s := &sessions{db: db}
	if err := s.furnish(ctx, h, clients); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *sessions) furnish(ctx context.Context, h *house, clients int) error {
	if err := s.db.Migrate(ctx); err != nil {
		return err
	}
	master, err := secret.Parse(h.secret)
	if err != nil {
		return err
	}
	registry, err := role.Default()
	if err != nil {
		return err
	}
	ring, err := keyring.Open(ctx, s.db, master, time.Now, keyring.Config{Algorithm: keyring.ES256})
	if err != nil {
		return err
	}
	log := audit.New(s.db, time.Now)
	accounts := account.New(s.db, hashing.New(hashing.Config{Params: hashing.Params{Memory: 8, Time: 1}}), time.Now)
	tokens := token.New(ring, registry.Vocabulary(), time.Now, token.Config{
		Issuer: "http://localhost:8080", Audience: "gatehouse", TTL: 10 * time.Minute,
	})
	s.service, err = session.New(s.db, accounts, role.New(s.db, registry, log, time.Now), tokens, log, time.Now,
		session.Config{Master: master, Grace: 30 * time.Second})
	if err != nil {
		return err
	}
	if s.bare, err = pgxpool.New(ctx, h.database); err != nil {
		return err
	}
	for range clients {
		address := strings.ToLower(rand.Text()) + "@example.com"
		a, opened, err := s.service.Register(ctx, account.Registration{Email: address, Password: password})
		if err != nil {
			return err
		}
		_, bare, err := s.service.Login(ctx, account.Credentials{Email: &address, Password: password})
		if err != nil {
			return err
		}
		s.clients = append(s.clients, &client{accountID: a.ID, refreshToken: opened.Refresh.Reveal(), bareSession: bare.SessionID})
	}
	return nil
}

func (s *sessions) close() error {
	if s.bare != nil {
		s.bare.Close()
	}
	return s.db.Close()
}

// measureSessions holds refreshing and listing sessions against bare pgx transactions that do the same statements, in turns.
func measureSessions(ctx context.Context, h *house, p plan) (_ []line, err error) {
	s, err := openSessions(ctx, h, p.connections)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var lines []line
	for _, comparison := range []struct {
		what       string
		ours, bare func(context.Context, *client) error
	}{
		{"refreshes against bare transactions of the same statements", s.refresh, s.bareRefresh},
		{"lists of sessions against the bare query", s.list, s.bareList},
	} {
		var ours, bare []float64
		for round := range p.rounds + 1 {
			a, err := s.rate(ctx, p.span, comparison.ours)
			if err != nil {
				return nil, fmt.Errorf("%s: gatehouse: %w", comparison.what, err)
			}
			b, err := s.rate(ctx, p.span, comparison.bare)
			if err != nil {
				return nil, fmt.Errorf("%s: bare: %w", comparison.what, err)
			}
			if round > 0 { // the first one warms both up
				ours, bare = append(ours, a), append(bare, b)
			}
		}
		lines = append(lines, line{what: comparison.what, measured: median(ours) / median(bare), limit: 0.60, atLeast: true})
	}
	return lines, nil
}

// rate lets every client do the same thing over and over, all at once, and returns how often a second it was done.
func (s *sessions) rate(ctx context.Context, span time.Duration, do func(context.Context, *client) error) (float64, error) {
	var done atomic.Int64
	var group sync.WaitGroup
	failed := make(chan error, len(s.clients))
	began := time.Now()
	for _, c := range s.clients {
		group.Go(func() {
			for time.Since(began) < span {
				if err := do(ctx, c); err != nil {
					failed <- err
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(done.Load()) / time.Since(began).Seconds(), nil
	}
}

func (s *sessions) refresh(ctx context.Context, c *client) error {
	_, tokens, err := s.service.Refresh(ctx, c.refreshToken)
	c.refreshToken = tokens.Refresh.Reveal()
	return err
}

// bareRotation changes what Gatehouse's statement changes, with a choice to make for each column as there, and takes whichever
// generation is current for the one that is presented.
const bareRotation = `UPDATE sessions SET
	generation       = CASE WHEN generation >= 0 THEN generation + 1 ELSE generation END,
	previous_until   = CASE WHEN generation >= 0 THEN $1 ELSE previous_until END,
	grace_from       = CASE WHEN generation >= 0 AND grace_until <= $2 THEN generation ELSE grace_from END,
	grace_until      = CASE WHEN generation >= 0 AND grace_until <= $2 THEN $1 ELSE grace_until END,
	last_seen_at     = CASE WHEN generation >= 0 THEN $2 ELSE last_seen_at END,
	expires_at       = CASE WHEN absolute_expires_at < $3 THEN absolute_expires_at ELSE $3 END,
	token_expires_at = CASE WHEN token_expires_at < $4 THEN $4 ELSE token_expires_at END,
	revoked_at       = CASE WHEN generation >= 0 THEN revoked_at ELSE $2 END
	WHERE id = $5 AND revoked_at IS NULL AND expires_at > $2
	RETURNING generation, auth_time, expires_at, token_expires_at`

// bareRefresh does what refreshing does in the database: replace, read the account, read its roles. No token is made.
func (s *sessions) bareRefresh(ctx context.Context, c *client) error {
	return pgx.BeginFunc(ctx, s.bare, func(tx pgx.Tx) error {
		now := time.Now()
		var generation int32
		var authTime, expires, token time.Time
		err := tx.QueryRow(ctx, bareRotation,
			now.Add(30*time.Second), now, now.Add(session.DefaultIdleTTL), now.Add(10*time.Minute), c.bareSession.String(),
		).Scan(&generation, &authTime, &expires, &token)
		if err != nil {
			return err
		}
		var email string
		var username, name *string
		var verified bool
		var disabled, lastLogin *time.Time
		var created, updated time.Time
		err = tx.QueryRow(ctx, `SELECT email, username, name, email_verified, disabled_at, last_login_at, created_at, updated_at
			FROM accounts WHERE id = $1`, c.accountID.String(),
		).Scan(&email, &username, &name, &verified, &disabled, &lastLogin, &created, &updated)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT role FROM account_roles WHERE account_id = $1 ORDER BY role", c.accountID.String())
		if err != nil {
			return err
		}
		_, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
}

func (s *sessions) list(ctx context.Context, c *client) error {
	_, err := s.service.List(ctx, c.accountID, page.Request{First: page.DefaultSize})
	return err
}

func (s *sessions) bareList(ctx context.Context, c *client) error {
	rows, err := s.bare.Query(ctx, `SELECT id, created_at, last_seen_at, expires_at, user_agent, ip_address FROM sessions
		WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC LIMIT 21`,
		c.accountID.String(), time.Now())
	if err != nil {
		return err
	}
	type row struct {
		ID                               [16]byte
		CreatedAt, LastSeenAt, ExpiresAt time.Time
		UserAgent, IPAddress             string
	}
	_, err = pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	return err
}
