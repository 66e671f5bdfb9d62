package session

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/audit"
	"gatehouse/internal/id"
)

const (
	// maxLive is how many sessions of an account live at most. Changing the password, disabling the account and logging out
	// everywhere end all of them in one statement, which must be done well within the store's deadline; and people look
	// through them as a list, which fits on one page. Nobody uses as many devices: whoever gets there is a program that logs
	// in where it should refresh.
	maxLive = 100

	// maxCrowd is how many sessions a login ends at most: one as a rule, more where an account comes from before maxLive.
	maxCrowd = 500

	// limitDetail is the detail of the audit entry for what a login ended to keep to maxLive.
	limitDetail = "limit"
)

// makeRoom ends what the account has open beyond maxLive, the least recently used first and never the session just opened, and
// returns what it ended. It is for the function given to ending, in which the account's row is locked: of two logins at once,
// the later one sees both sessions.
//
// What expired and is not pruned yet counts, though it goes first: so an account never has more than maxLive rows in the index of
// what was not revoked, and few enough are looked at to sort them. The one opened first would be found without sorting, but may
// be that of somebody who logged in once and has come back every day since.
func (s *Service) makeRoom(ctx context.Context, accountID, opened id.ID) ([]Session, error) {
	now := s.now().UTC()
	ended, err := s.end(ctx, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Where("id IN (?)", s.crowd(ctx, accountID, opened, now))
	})
	if err != nil {
		return nil, err
	}
	var live []Session
	for _, row := range ended {
		if row.ExpiresAt.After(now) {
			live = append(live, row)
		}
	}
	if len(live) == 0 {
		return ended, nil
	}
	entry := audit.Entry{Event: audit.SessionRevoked, ActorID: &accountID, AccountID: &accountID, Detail: limitDetail}
	if len(live) == 1 {
		entry.SessionID = &live[0].ID
	}
	return ended, s.audit.Record(ctx, entry)
}

// crowd selects what makeRoom ends.
func (s *Service) crowd(ctx context.Context, accountID, opened id.ID, now time.Time) *bun.SelectQuery {
	return s.db.Conn(ctx).NewSelect().Model((*Session)(nil)).Column("id").
		Where("account_id = ?", accountID).Where("revoked_at IS NULL").Where("id <> ?", opened).
		OrderExpr("expires_at <= ?, last_seen_at DESC, id DESC", now).Offset(maxLive - 1).Limit(maxCrowd)
}
