package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// sampled is how many accounts are looked up in turn.
const sampled = 4096

// crowd fills a database with accounts, each with a role and a session. $1 is how many.
var crowd = []string{
	`INSERT INTO accounts (id, email, email_key, password_hash, created_at, updated_at)
	SELECT gen_random_uuid(), 'crowd-' || n || '@example.com', 'crowd-' || n || '@example.com', '', now(), now()
	FROM generate_series(1, $1::int) AS n`,
	`INSERT INTO account_roles (account_id, role, granted_at)
	SELECT id, 'USER', created_at FROM accounts WHERE email_key LIKE 'crowd-%' LIMIT $1::int`,
	`INSERT INTO sessions (id, account_id, created_at, last_seen_at, auth_time, expires_at, absolute_expires_at, token_expires_at,
		user_agent, ip_address, amr, salt)
	SELECT gen_random_uuid(), id, now(), now(), now(), now() + interval '14 days', now() + interval '30 days', now(),
		'crowd', '127.0.0.1', 'pwd', decode(md5(id::text), 'hex')
	FROM accounts WHERE email_key LIKE 'crowd-%' LIMIT $1::int`,
}

// visitCrowd runs Gatehouse on a database of so many accounts and sessions for as long as do takes. do is given some who are
// signed in, of whom the first may read every account, and the ids of others.
func (h *house) visitCrowd(ctx context.Context, n int, do func(s *server, held []holder, ids []string) error) error {
	database, err := createDatabase(ctx, h.cluster.URL())
	if err != nil {
		return err
	}
	return h.visit(ctx, database, func(s *server) error {
		held, err := h.register(ctx, s, signedIn)
		if err != nil {
			return err
		}
		ids, err := populate(ctx, database, n, held[0])
		if err != nil {
			return err
		}
		// The scopes of a grant come with the next token.
		if held[0].AccessToken, err = h.refresh(ctx, s, held[0].RefreshToken); err != nil {
			return err
		}
		return do(s, held, ids)
	}, longGrace)
}

// populate fills the database, lets the account of the access token read all of them, and returns the ids of some.
func populate(ctx context.Context, database string, n int, admin holder) ([]string, error) {
	db, err := pgxpool.New(ctx, database)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	for _, statement := range crowd {
		if _, err := db.Exec(ctx, statement, n); err != nil {
			return nil, err
		}
	}
	subject, err := subjectOf(admin.AccessToken)
	if err != nil {
		return nil, err
	}
	_, err = db.Exec(ctx, "INSERT INTO account_roles (account_id, role, granted_at) VALUES ($1, 'ADMIN', now())", subject)
	if err != nil {
		return nil, err
	}
	// As after some hours of a quiet life: no autovacuum in the middle of a measurement.
	if _, err := db.Exec(ctx, "VACUUM (ANALYZE, FREEZE)"); err != nil {
		return nil, err
	}
	rows, err := db.Query(ctx,
		"SELECT id::text FROM accounts WHERE email_key LIKE 'crowd-%' ORDER BY md5(id::text) LIMIT $1", sampled)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids, err
}

// subjectOf returns whose an access token is.
func subjectOf(accessToken string) (string, error) {
	parts := strings.Split(accessToken, ".")
	if len(parts) != 3 {
		return "", errors.New("an access token is not a JWT")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", fmt.Errorf("an access token: %w", err)
	}
	var claims struct{ Sub string }
	err = json.Unmarshal(text, &claims)
	return claims.Sub, err
}
