// Package page owns forward keyset pagination: what a client may ask for, what a cursor holds, and how fetched rows become
// a page. Lists are ordered by (created_at, id), so that a page costs the same wherever it begins.
//
// It must never see a query: the feature that owns the rows writes the WHERE and ORDER BY.
package page

import (
	"fmt"

	"gatehouse/internal/fault"
)

// Sizes of a page, in rows.
const (
	DefaultSize = 20  // the schema's default for first
	MaxSize     = 100 // what one page may cost at most
)

// Request is what a client asks for: the arguments first and after of a connection.
type Request struct {
	First int    // rows wanted, 1 to MaxSize; zero is refused like any other size out of range
	After string // the cursor of the row to continue behind; empty for the first page
}

// Query is a Request that has been checked. Fetch Limit+1 rows: the extra one tells whether another page follows.
type Query struct {
	Limit int     // rows on the page
	After *Cursor // rows strictly behind this one in (created_at, id); nil for the first page
}

// Parse checks the request. The error is a [fault.Error] with BAD_USER_INPUT whose message names the limit or the remedy.
func (r Request) Parse() (Query, error) {
	if r.First < 1 || r.First > MaxSize {
		return Query{}, refuse(fmt.Sprintf("Argument \"first\" must be between 1 and %d.", MaxSize))
	}
	q := Query{Limit: r.First}
	if r.After == "" {
		return q, nil
	}
	cursor, ok := parseCursor(r.After)
	if !ok {
		return Query{}, refuse("Argument \"after\" must be a cursor that an earlier page returned, unchanged.")
	}
	q.After = &cursor
	return q, nil
}

func refuse(message string) *fault.Error {
	return &fault.Error{Code: fault.BadUserInput, Message: message}
}

// Page is one page of a list.
type Page[T any] struct {
	Nodes       []T      // at most Limit rows; empty, never nil
	Cursors     []string // the cursor of each node, index by index
	HasNext     bool     // more rows follow
	HasPrevious bool     // the page continues behind a cursor, so at least that row stands before it
}

// Cut makes a page of rows that were fetched in order with a limit of q.Limit+1: it drops the extra row and remembers that
// it was there. cursor tells where a row stands in the list.
func Cut[T any](rows []T, q Query, cursor func(T) Cursor) Page[T] {
	nodes := rows[:min(len(rows), q.Limit)]
	page := Page[T]{
		Nodes:       make([]T, len(nodes)), // a copy, so that the extra row is neither reachable nor kept alive
		Cursors:     make([]string, len(nodes)),
		HasNext:     len(rows) > q.Limit,
		HasPrevious: q.After != nil,
	}
	for i, node := range nodes {
		page.Nodes[i] = node
		page.Cursors[i] = cursor(node).String()
	}
	return page
}
