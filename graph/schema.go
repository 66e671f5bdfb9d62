package graph

import _ "embed"

// Schema is Gatehouse's schema in SDL, for programs that cannot embed the schema.graphqls at the root because their main stands
// elsewhere. The file beside this one is a copy: "make update" makes it, and a test holds the two together.
//
//go:embed schema.graphqls
var Schema string
