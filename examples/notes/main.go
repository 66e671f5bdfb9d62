// Command notes is Gatehouse with notes: the worked example of docs/extending.md. It is all of Gatehouse, every command included,
// and an API, scopes, a role and a table of its own.
//
// This file is what there is to wire: what the API is, which scopes and roles it has, which tables it keeps and who resolves it.
package main

import (
	_ "embed"

	"gatehouse/examples/notes/note"
	"gatehouse/graph"
	"gatehouse/internal/operation"
	"gatehouse/internal/role"
	"gatehouse/internal/server"
)

//go:embed notes.graphqls
var schema string

func main() {
	program().Main()
}

func program() server.Program {
	return server.Program{Schema: graph.Schema, Extension: extension()}
}

// extension is what Notes adds to Gatehouse.
func extension() server.Extension {
	return server.Extension{
		Name:   "notes",
		Schema: schema,
		Scopes: []role.Scope{
			{Name: "notes:read", Description: "Read everybody's notes, not only one's own."},
			{Name: "notes:write", Description: "Keep and delete notes for everybody, not only for oneself."},
		},
		Roles: []role.Role{
			{Name: "EDITOR", Description: "Looks after the notes of others.", Scopes: []string{"notes:read", "notes:write"}},
		},
		Migrations: note.Migrations,
		Bind:       bind,
	}
}

// bind makes the feature and puts its resolvers around Gatehouse's.
func bind(sdl string, house server.House) (operation.Engine, error) {
	notes := note.New(house.DB, house.Now)
	return graph.Extend(sdl, house.Features, graph.Resolvers[user]{
		User:     func(own graph.User) *user { return &user{own, notes} },
		Query:    func(own *graph.Query[user]) any { return &query{own, notes} },
		Mutation: func(own *graph.Mutation[user]) any { return &mutation{own, notes} },
	})
}
