package graph

import (
	"context"

	"gatehouse/internal/audit"
	"gatehouse/internal/id"
)

// AuditLog lists what happened to everybody, or to one account.
func (q *Query[U]) AuditLog(ctx context.Context, args struct {
	AccountID *ID
	PageArgs
},
) (*Connection[*AuditEntry], error) {
	if args.AccountID == nil {
		return listEntries(ctx, q.features.Audit, nil, args.PageArgs)
	}
	accountID := parse(*args.AccountID)
	return listEntries(ctx, q.features.Audit, &accountID, args.PageArgs)
}

// SecurityLog lists what happened to the account.
func (u *User) SecurityLog(ctx context.Context, args PageArgs) (*Connection[*AuditEntry], error) {
	return listEntries(ctx, u.features.Audit, &u.Account.ID, args)
}

func listEntries(ctx context.Context, log *audit.Log, accountID *id.ID, args PageArgs) (*Connection[*AuditEntry], error) {
	entries, err := log.List(ctx, accountID, args.Request())
	if err != nil {
		return nil, err
	}
	nodes := make([]*AuditEntry, len(entries.Nodes))
	for i, e := range entries.Nodes {
		nodes[i] = &AuditEntry{*e}
	}
	return NewConnection(entries, nodes), nil
}

// AuditEntry resolves AuditEntry; Event resolves by itself.
type AuditEntry struct{ audit.Entry }

// ID returns the entry's id.
func (e *AuditEntry) ID() ID { return ID(e.Entry.ID.String()) }

// CreatedAt returns when it happened.
func (e *AuditEntry) CreatedAt() DateTime { return DateTime{e.Entry.CreatedAt} }

// ActorID returns who did it, nil where nobody was signed in.
func (e *AuditEntry) ActorID() *ID { return reference(e.Entry.ActorID) }

// AccountID returns whose account it concerns, nil where it concerns nobody's.
func (e *AuditEntry) AccountID() *ID { return reference(e.Entry.AccountID) }

// SessionID returns which session it concerns, nil where it concerns none in particular.
func (e *AuditEntry) SessionID() *ID { return reference(e.Entry.SessionID) }

// IPAddress returns where it was done from, nil where that is not known.
func (e *AuditEntry) IPAddress() *string { return optional(e.Entry.IPAddress) }

// UserAgent returns how the program that did it described itself, nil where it did not.
func (e *AuditEntry) UserAgent() *string { return optional(e.Entry.UserAgent) }

// RequestID returns the id of the request, nil where there was none.
func (e *AuditEntry) RequestID() *string { return optional(e.Entry.RequestID) }

// Detail returns more about the event, nil where there is no more to say.
func (e *AuditEntry) Detail() *string { return optional(e.Entry.Detail) }
