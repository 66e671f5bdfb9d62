// Package migrations owns the SQL that builds the schema, in the order of the numbers that file names begin with.
//
// NNNN_name.up.sql is for both databases; where they need different statements, NNNN_name.postgres.up.sql and
// NNNN_name.sqlite.up.sql stand side by side. There is no way down, and a file that has been released never changes.
package migrations

import "embed"

// Files holds every migration.
//
//go:embed *.up.sql
var Files embed.FS
