package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"

	"gatehouse/internal/settings"
)

// configCommand prints the settings in force.
type configCommand struct {
	settings.Settings
	JSON bool `help:"Print JSON."`
}

// Help teaches by example.
func (*configCommand) Help() string {
	return `What a server would use that is started this way, with secrets masked:

    MODE=production gatehouse config --issuer=https://auth.example.com

Exit code 1 means that it would refuse to start; the reason is on stderr.`
}

func (c *configCommand) run(_ context.Context, p process) error {
	rows := c.InForce()
	for i, row := range rows {
		if row.Name == "SECRET" {
			rows[i] = c.secretRow(row)
		}
	}
	if err := c.write(p.Stdout, rows); err != nil {
		return err
	}
	return c.Check()
}

func (c *configCommand) write(w io.Writer, rows []settings.Row) error {
	if c.JSON {
		return writeJSON(w, rows)
	}
	return writeTable(w, rows)
}

// secretRow tells of a secret that is in no variable: it is in a file, or will be once a server has started.
func (c *configCommand) secretRow(row settings.Row) settings.Row {
	path, generated := c.GeneratedSecret()
	switch {
	case generated:
		row.Origin = settings.Origin("file " + path)
		row.Value = settings.Masked
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			row.Value = "made at the first start"
		}
	case c.Secret == "" && c.SecretFile != "":
		row.Origin = settings.Origin("file " + c.SecretFile)
		row.Value = settings.Masked
	}
	return row
}

func writeTable(w io.Writer, rows []settings.Row) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([]settings.Row{{Name: "SETTING", Value: "VALUE", Origin: "FROM"}}, rows...) {
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", row.Name, row.Value, row.Origin); err != nil {
			return err
		}
	}
	return table.Flush()
}

// writeJSON writes a value for machines, so that people can read it, too.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
