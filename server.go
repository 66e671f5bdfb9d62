// Command gatehouse is an auth server for GraphQL: accounts, logins, access tokens and the rules of who may ask what.
//
// This file gives the API to package server, which wires everything else: internal/server/server.go is the server from the
// settings to the listener, and every other command has a file beside it. A team that adds to Gatehouse has a main of its own
// which gives package server that much more: see docs/extending.md.
package main

import (
	_ "embed"

	"gatehouse/internal/server"
)

// schema is embedded from the file that people edit, so that no build can serve an older one.
//
//go:embed schema.graphqls
var schema string

func main() {
	server.Program{Schema: schema}.Main()
}
