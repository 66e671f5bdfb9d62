package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
	"gatehouse/internal/role"
)

// accessCommand prints the access rules.
type accessCommand struct {
	Lock bool `help:"Print the content of graph/access.lock instead of a table."`
}

// Help teaches by example.
func (*accessCommand) Help() string {
	return `The rule of every field, as the server goes by it:

    gatehouse access

After a change of the schema's rules, to have it shown in review:

    gatehouse access --lock > graph/access.lock`
}

func (c *accessCommand) run(_ context.Context, p process) error {
	registry, err := role.Default()
	if err != nil {
		return err
	}
	_, rules, err := compileSchema(registry)
	if err != nil {
		return err
	}
	if c.Lock {
		_, err = p.stdout.Write(rules.Lock())
		return err
	}
	return writeRules(p.stdout, string(rules.Lock()))
}

// writeRules writes the lock as a table: each line of it is a comment, or "coordinate: rule".
func writeRules(w io.Writer, lock string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, "COORDINATE\tRULE"); err != nil {
		return err
	}
	for line := range strings.Lines(lock) {
		if coordinate, rule, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, "#") {
			if _, err := fmt.Fprintf(table, "%s\t%s", coordinate, rule); err != nil {
				return err
			}
		}
	}
	return table.Flush()
}

// compileSchema reads the embedded schema and its access rules.
func compileSchema(registry *role.Registry) (*ast.Schema, *policy.Engine, error) {
	schema, err := operation.LoadSchema(schemaName, schemaSDL)
	if err != nil {
		return nil, nil, fmt.Errorf("read the schema: %w", err)
	}
	rules, err := policy.Compile(schema, registry.Vocabulary())
	if err != nil {
		return nil, nil, fmt.Errorf("compile the access rules: %w", err)
	}
	return schema, rules, nil
}
