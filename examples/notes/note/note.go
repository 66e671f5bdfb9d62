// Package note owns the note: what its title and text may look like, how it is kept, listed and deleted, and the table it is in.
//
// It must never decide who may do that: the schema says so. Of single notes it only ever looks at those of the account it is
// told, which is what the schema cannot say of a row.
package note

import (
	"context"
	"embed"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/store"
)

// Migrations holds the table.
//
//go:embed migrations/*.up.sql
var Migrations embed.FS

// Bounds of what a person may write, in characters.
const (
	maxTitle = 100
	maxText  = 10_000
)

// The codes of user errors, the values that notes.graphqls adds to ErrorCode.
const (
	InvalidTitle  fault.Code = "INVALID_TITLE"
	InvalidText   fault.Code = "INVALID_TEXT"
	NoSuchAccount fault.Code = "NO_SUCH_ACCOUNT"
	NoSuchNote    fault.Code = "NO_SUCH_NOTE"
)

// Note is the row, and what the API shows of it.
type Note struct {
	bun.BaseModel `bun:"table:notes"`

	ID        id.ID
	AccountID id.ID
	Title     string // trimmed
	Text      string
	CreatedAt time.Time // UTC, to the microsecond
}

// Draft is a note to be.
type Draft struct {
	AccountID   id.ID
	Title, Text string
}

// Service keeps notes. Its methods join the transaction in their context.
type Service struct {
	db  *store.DB
	now func() time.Time
}

// New returns the service that keeps notes in db.
func New(db *store.DB, now func() time.Time) *Service {
	return &Service{db: db, now: now}
}

// Create keeps a note. What a person can put right is reported all at once, as [fault.UserErrors].
func (s *Service) Create(ctx context.Context, draft Draft) (*Note, error) {
	title := strings.TrimSpace(draft.Title)
	var refused fault.UserErrors
	if n := utf8.RuneCountInString(title); n < 1 || n > maxTitle {
		refused = append(refused, fault.User(InvalidTitle, "title", fmt.Sprintf("A title has 1 to %d characters.", maxTitle))...)
	}
	if utf8.RuneCountInString(draft.Text) > maxText {
		refused = append(refused, fault.User(InvalidText, "text", fmt.Sprintf("A text has at most %d characters.", maxText))...)
	}
	if refused != nil {
		return nil, refused
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	n := &Note{ID: id.New(now), AccountID: draft.AccountID, Title: title, Text: draft.Text, CreatedAt: now}
	// Selecting from accounts makes zero affected rows mean one thing only: there is no such account.
	result, err := s.db.Conn(ctx).NewRaw(
		`INSERT INTO notes (id, account_id, title, text, created_at) SELECT ?, id, ?, ?, ? FROM accounts WHERE id = ?`,
		n.ID, n.Title, n.Text, n.CreatedAt, n.AccountID).Exec(ctx)
	if err != nil {
		return nil, fmt.Errorf("note: create: %w", err)
	}
	kept, err := result.RowsAffected()
	if err != nil {
		return nil, fmt.Errorf("note: create: %w", err)
	}
	if kept == 0 {
		return nil, fault.User(NoSuchAccount, "accountId", "There is no such account.")
	}
	return n, nil
}

// Get returns the account's note with this id; store.ErrNotFound when it has none, also when another account does.
func (s *Service) Get(ctx context.Context, accountID, noteID id.ID) (*Note, error) {
	n := new(Note)
	err := s.db.Conn(ctx).NewSelect().Model(n).Where("id = ? AND account_id = ?", noteID, accountID).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("note: get: %w", err)
	}
	return n, nil
}

// List returns a page of the account's notes, oldest first.
func (s *Service) List(ctx context.Context, accountID id.ID, r page.Request) (page.Page[*Note], error) {
	q, err := r.Parse()
	if err != nil {
		return page.Page[*Note]{}, err
	}
	var notes []*Note
	query := s.db.Conn(ctx).NewSelect().Model(&notes).Where("account_id = ?", accountID)
	if q.After != nil {
		query = query.Where("(created_at, id) > (?, ?)", q.After.CreatedAt, q.After.ID)
	}
	if err := query.Order("created_at", "id").Limit(int64(q.Limit) + 1).Scan(ctx); err != nil {
		return page.Page[*Note]{}, fmt.Errorf("note: list: %w", err)
	}
	return page.Cut(notes, q, func(n *Note) page.Cursor { return page.Cursor{CreatedAt: n.CreatedAt, ID: n.ID} }), nil
}

// Count returns how many notes there are, whosever they are.
func (s *Service) Count(ctx context.Context) (int64, error) {
	n, err := s.db.Conn(ctx).NewSelect().Model((*Note)(nil)).Count(ctx)
	if err != nil {
		return 0, fmt.Errorf("note: count: %w", err)
	}
	return n, nil
}

// Delete deletes the account's note with this id. That it has none, also because the note is another account's, is one of
// [fault.UserErrors].
func (s *Service) Delete(ctx context.Context, accountID, noteID id.ID) error {
	result, err := s.db.Conn(ctx).NewDelete().Model((*Note)(nil)).
		Where("id = ? AND account_id = ?", noteID, accountID).Exec(ctx)
	if err != nil {
		return fmt.Errorf("note: delete: %w", err)
	}
	gone, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("note: delete: %w", err)
	}
	if gone == 0 {
		return fault.User(NoSuchNote, "id", "The account has no such note.")
	}
	return nil
}
