package server

import (
	"context"
	"io"
)

// schemaCommand prints the schema.
type schemaCommand struct{}

// Help teaches by example.
func (*schemaCommand) Help() string {
	return `For code generators and editors:

    gatehouse schema > schema.graphqls`
}

func (*schemaCommand) run(_ context.Context, p process) error {
	_, err := io.WriteString(p.Stdout, p.program.sdl())
	return err
}
