// Package tools checks what is not Go code: the container files, the linter's rules, what the documents claim; and the binary as
// other programs meet it: the HTTP audits, npm's GraphQL clients, Bruno, Chromium. It is a module of its own so that the linters
// and parsers it needs are not among the server's dependencies.
//
// It must never hold anything that the server runs.
package tools
