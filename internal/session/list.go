package session

import (
	"context"
	"fmt"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/store"
)

// never is after every session was opened.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// List returns a page of the account's live sessions, newest first, with what there is to show of them. The error is
// BAD_USER_INPUT when r asks for an impossible page.
func (s *Service) List(ctx context.Context, accountID id.ID, r page.Request) (page.Page[*Session], error) {
	query, err := r.Parse()
	if err != nil {
		return page.Page[*Session]{}, fmt.Errorf("session: list: %w", err)
	}
	after := page.Cursor{CreatedAt: never, ID: beyond}
	if query.After != nil {
		after = *query.After
	}
	var sessions []*Session
	err = s.db.QueryRows(ctx, func(scan store.Scan) error {
		row := &Session{AccountID: accountID}
		sessions = append(sessions, row)
		return scan(&row.ID, &row.CreatedAt, &row.LastSeenAt, &row.AuthTime, &row.ExpiresAt, &row.UserAgent, &row.IPAddress)
	}, `SELECT id, created_at, last_seen_at, auth_time, expires_at, user_agent, ip_address FROM sessions
		WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND (created_at, id) < ($3, $4)
		ORDER BY created_at DESC, id DESC LIMIT $5`,
		accountID, s.now(), after.CreatedAt, after.ID, query.Limit+1)
	if err != nil {
		return page.Page[*Session]{}, fmt.Errorf("session: list: %w", err)
	}
	cursor := func(row *Session) page.Cursor { return page.Cursor{CreatedAt: row.CreatedAt, ID: row.ID} }
	return page.Cut(sessions, query, cursor), nil
}
