package main

import (
	"context"
	"errors"
	"math"

	"gatehouse/examples/notes/note"
	"gatehouse/graph"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// user resolves User: Gatehouse's fields, and those that notes.graphqls adds.
type user struct {
	graph.User

	service *note.Service
}

func (u *user) Notes(ctx context.Context, args graph.PageArgs) (*connection, error) {
	return list(ctx, u.service, u.Account.ID, args)
}

// query resolves Query: Gatehouse's fields, and those that notes.graphqls adds.
type query struct {
	*graph.Query[user]

	service *note.Service
}

func (q *query) Entry(ctx context.Context, args struct{ ID graph.ID }) (*entry, error) {
	found, err := q.service.Get(ctx, auth.FromContext(ctx).AccountID, parse(args.ID))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &entry{shown{*found}}, nil
}

func (q *query) Notes(ctx context.Context, args struct {
	AccountID graph.ID
	graph.PageArgs
},
) (*connection, error) {
	return list(ctx, q.service, parse(args.AccountID), args.PageArgs)
}

func (q *query) NoteCount(ctx context.Context) (*int32, error) {
	n, err := q.service.Count(ctx)
	if err != nil {
		return nil, err
	}
	return new(int32(min(n, math.MaxInt32))), nil // GraphQL's Int has no more
}

// mutation resolves Mutation: Gatehouse's fields, and those that notes.graphqls adds.
type mutation struct {
	*graph.Mutation[user]

	service *note.Service
}

type createNoteInput struct {
	AccountID   graph.ID
	Title, Text string
}

func (m *mutation) CreateNote(ctx context.Context, args struct{ Input createNoteInput }) (*createNotePayload, error) {
	kept, err := m.service.Create(ctx, note.Draft{
		AccountID: parse(args.Input.AccountID), Title: args.Input.Title, Text: args.Input.Text,
	})
	refused, err := fault.Split(err)
	if err != nil || refused != nil {
		return &createNotePayload{UserErrors: graph.NewUserErrors(refused)}, err
	}
	return &createNotePayload{Note: &shown{*kept}, UserErrors: []graph.UserError{}}, nil
}

type createNotePayload struct {
	Note       *shown
	UserErrors []graph.UserError
}

type deleteNoteInput struct{ AccountID, ID graph.ID }

func (m *mutation) DeleteNote(ctx context.Context, args struct{ Input deleteNoteInput }) (*deleteNotePayload, error) {
	err := m.service.Delete(ctx, parse(args.Input.AccountID), parse(args.Input.ID))
	refused, err := fault.Split(err)
	if err != nil || refused != nil {
		return &deleteNotePayload{UserErrors: graph.NewUserErrors(refused)}, err
	}
	return &deleteNotePayload{DeletedID: &args.Input.ID, UserErrors: []graph.UserError{}}, nil
}

type deleteNotePayload struct {
	DeletedID  *graph.ID
	UserErrors []graph.UserError
}

// shown resolves Note; Title and Text resolve by themselves.
type shown struct{ note.Note }

func (s *shown) ID() graph.ID { return graph.ID(s.Note.ID.String()) }

func (s *shown) AccountID() graph.ID { return graph.ID(s.Note.AccountID.String()) }

func (s *shown) CreatedAt() graph.DateTime { return graph.DateTime{Time: s.Note.CreatedAt} }

// entry resolves Entry, whose fields all its types have alike.
type entry struct{ shown }

// ToNote tells the engine that the entry is a note.
func (e *entry) ToNote() (*shown, bool) { return &e.shown, true }

// connection resolves NoteConnection.
type connection = graph.Connection[*shown]

func list(ctx context.Context, service *note.Service, accountID id.ID, args graph.PageArgs) (*connection, error) {
	found, err := service.List(ctx, accountID, args.Request())
	if err != nil {
		return nil, err
	}
	nodes := make([]*shown, len(found.Nodes))
	for i, n := range found.Nodes {
		nodes[i] = &shown{*n}
	}
	return graph.NewConnection(found, nodes), nil
}

// parse returns the id of nobody for a text that is no id.
func parse(text graph.ID) id.ID {
	parsed, err := id.Parse(string(text))
	if err != nil {
		return id.ID{}
	}
	return parsed
}
