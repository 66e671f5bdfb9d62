package server

import (
	"context"
	"errors"
	"fmt"

	"gatehouse/internal/settings"
	"gatehouse/internal/store"
)

// migrateCommand brings the schema up to date.
type migrateCommand struct {
	settings.Database
	settings.Log
}

// Help teaches by example.
func (*migrateCommand) Help() string {
	return `Before the servers of a new version start with --migrate=false:

    gatehouse migrate --database-url=postgres://gatehouse:PASSWORD@localhost/gatehouse

Several may run at once; a schema that is current is left alone.`
}

func (c *migrateCommand) run(ctx context.Context, p process) (err error) {
	db, err := store.Open(ctx, store.Config{
		URL: c.DatabaseURL, Logger: newLogger(p, c.Log), Now: p.Now, Beside: p.program.migrations(),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Stdout, "The schema is up to date.")
	return err
}
