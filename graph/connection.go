package graph

import (
	"github.com/graph-gophers/graphql-go"

	"gatehouse/internal/page"
)

// PageArgs are the arguments of a connection. First is nullable though it has a default: a client may still send null.
type PageArgs struct {
	First graphql.NullInt
	After *string
}

// Request returns the arguments as features take them.
func (a PageArgs) Request() page.Request {
	r := page.Request{First: page.DefaultSize}
	if a.First.Value != nil {
		r.First = int(*a.First.Value)
	}
	if a.After != nil {
		r.After = *a.After
	}
	return r
}

// Connection resolves a page of a list, such as UserConnection, by its fields. N is what resolves a node.
type Connection[N any] struct {
	Edges    []Edge[N]
	Nodes    []N
	PageInfo PageInfo
}

// Edge resolves a node and its place in the list, such as UserEdge, by its fields.
type Edge[N any] struct {
	Cursor string
	Node   N
}

// PageInfo resolves PageInfo by its fields.
type PageInfo struct {
	HasNextPage, HasPreviousPage bool
	StartCursor, EndCursor       *string
}

// NewConnection shows a page by its nodes, which are wrapped already and in the page's order.
func NewConnection[T, N any](p page.Page[T], nodes []N) *Connection[N] {
	c := &Connection[N]{
		Edges: make([]Edge[N], len(nodes)), Nodes: nodes,
		PageInfo: PageInfo{HasNextPage: p.HasNext, HasPreviousPage: p.HasPrevious},
	}
	for i, node := range nodes {
		c.Edges[i] = Edge[N]{Cursor: p.Cursors[i], Node: node}
	}
	if n := len(p.Cursors); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &p.Cursors[0], &p.Cursors[n-1]
	}
	return c
}
