// Package audit owns the record of what happened to accounts, sessions and keys: who did it, whom it concerns, from where and
// when. An entry is written in the transaction of what it records, so that neither exists without the other.
//
// The record is append-only. It must never change an entry, nor remove one that is not past its time, and never hold a
// password, a token or whatever else a client sent besides its address, its user agent and the request's id.
package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/request"
	"gatehouse/internal/store"
)

// Channel is where [store.DB.Listen] hints at new entries.
const Channel = "audit"

// Entry is one thing that happened: the row. Record fills in ID, CreatedAt, IPAddress, UserAgent and RequestID.
type Entry struct {
	bun.BaseModel `bun:"table:audit_entries"`

	ID        id.ID
	CreatedAt time.Time // UTC, to the microsecond
	Event     Event
	ActorID   *id.ID // the account that did it; nil: nobody signed in, or the operator at the command line
	AccountID *id.ID // the account that it concerns; nil: none, or one that does not exist
	SessionID *id.ID // the session that it concerns, or that did it; nil: none
	IPAddress string `bun:"ip_address"` // of the request, as UserAgent and RequestID are; all empty outside a request
	UserAgent string
	RequestID string
	Detail    string // a word of ours, such as a role's name or a kid; never what a client sent
}

// Log is the record. It is safe for concurrent use.
type Log struct {
	db  *store.DB
	now func() time.Time
}

// New returns the log that is kept in db.
func New(db *store.DB, now func() time.Time) *Log { return &Log{db: db, now: now} }

// Record appends the entries, all or none. It joins the transaction in ctx: call it in that of whatever the entries record.
// The entries of one call keep their order, for which each is a microsecond younger than the one before it.
func (l *Log) Record(ctx context.Context, entries ...Entry) error {
	if len(entries) == 0 {
		return nil
	}
	from, now := request.FromContext(ctx), l.now().UTC().Truncate(time.Microsecond)
	rows := make([]Entry, len(entries)) // the caller's entries are not ours to change
	for i, e := range entries {
		e.CreatedAt = now.Add(time.Duration(i) * time.Microsecond)
		e.ID = id.New(e.CreatedAt)
		e.IPAddress, e.UserAgent, e.RequestID = from.Address, from.UserAgent, from.ID
		rows[i] = e
	}
	if _, err := l.db.Conn(ctx).NewInsert().Model(&rows).Exec(ctx); err != nil {
		return fmt.Errorf("audit: record: %w", err)
	}
	return l.db.Notify(ctx, Channel)
}

// List returns one page of what concerns the account, or of everything if accountID is nil, the newest first. The error is
// that of [page.Request.Parse] where the request is wrong.
func (l *Log) List(ctx context.Context, accountID *id.ID, r page.Request) (page.Page[*Entry], error) {
	q, err := r.Parse()
	if err != nil {
		return page.Page[*Entry]{}, err
	}
	var entries []*Entry
	query := l.db.Conn(ctx).NewSelect().Model(&entries).
		OrderExpr("created_at DESC, id DESC").
		Limit(int64(q.Limit) + 1)
	if accountID != nil {
		query = query.Where("account_id = ?", *accountID)
	}
	if q.After != nil {
		query = query.Where("(created_at, id) < (?, ?)", q.After.CreatedAt, q.After.ID)
	}
	if err := query.Scan(ctx); err != nil {
		return page.Page[*Entry]{}, fmt.Errorf("audit: list: %w", err)
	}
	return page.Cut(entries, q, func(e *Entry) page.Cursor { return page.Cursor{CreatedAt: e.CreatedAt, ID: e.ID} }), nil
}

// Prune forgets the oldest entries from before the given time, at most limit of them, and returns how many. Where that is
// fewer than limit, none is left.
func (l *Log) Prune(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	oldest := l.db.Conn(ctx).NewSelect().Model((*Entry)(nil)).Column("created_at", "id").
		Where("created_at < ?", before.UTC()).
		Order("created_at", "id").
		Limit(int64(limit))
	result, err := l.db.Conn(ctx).NewDelete().Model((*Entry)(nil)).Where("(created_at, id) IN (?)", oldest).Exec(ctx)
	if err != nil {
		return 0, fmt.Errorf("audit: prune: %w", err)
	}
	affected, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("audit: prune: %w", err)
	}
	return int(affected), nil
}
