package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/internal/audit"
	"gatehouse/internal/keyring"
	"gatehouse/internal/secret"
	"gatehouse/internal/settings"
	"gatehouse/internal/store"
	"gatehouse/internal/web"
)

// signingKeys says how access tokens are signed, and how the keys for it change.
func signingKeys(cfg *settings.Settings, logger *slog.Logger) (keyring.Config, error) {
	signing := keyring.Config{
		Algorithm: keyring.Algorithm(cfg.SigningAlg), TokenTTL: cfg.AccessTokenTTL,
		PublishLead: cfg.KeyPublishLead, RotateEvery: cfg.KeyRotation, Logger: logger,
	}
	if cfg.SigningAlg != settings.HS256 {
		return signing, nil
	}
	key, err := secret.ParseKey(cfg.JWTSecret)
	if err != nil {
		return signing, fmt.Errorf("JWT_SECRET: %w", err)
	}
	signing.JWTSecret = key
	return signing, nil
}

// recordKeys returns how changes of the keys get into the audit log.
func recordKeys(log *audit.Log) func(context.Context, keyring.Change, string) error {
	return func(ctx context.Context, change keyring.Change, kid string) error {
		event := audit.KeyAdded
		if change == keyring.KeyRetired {
			event = audit.KeyRetired
		}
		return log.Record(ctx, audit.Entry{Event: event, Detail: kid})
	}
}

// maxKeysAge is how long others may keep the key set. A key must be published for longer before it signs, by at least keysMargin.
const (
	maxKeysAge = 5 * time.Minute
	keysMargin = time.Minute
)

// discovery says what those who verify our tokens can learn.
func discovery(cfg *settings.Settings, ring *keyring.Ring) web.Discovery {
	return web.Discovery{
		Keys: ring, Issuer: cfg.Issuer,
		MaxAge: min(maxKeysAge, max(0, cfg.KeyPublishLead-keysMargin)),
	}
}

// keysCommand holds the commands about signing keys.
type keysCommand struct {
	List   keysListCommand   `cmd:"" help:"Print the signing keys, and where each is in its life."`
	Rotate keysRotateCommand `cmd:"" help:"Replace the signing key."`
}

// keysListCommand prints the signing keys.
type keysListCommand struct {
	settings.Database
	settings.Secrets
	JSON bool `help:"Print JSON."`
}

// Help teaches by example.
func (*keysListCommand) Help() string {
	return `Beside running servers, with the SECRET that they have:

    gatehouse keys list --database-url=postgres://gatehouse:PASSWORD@localhost/gatehouse

A key is published before it signs, verifies until the last token that it signed is dead, and is retired then. SEALED says
which secret its private half is sealed under: "first" when it is the first one in SECRET; "older" when it is another of them,
which is still needed; "other" when it is none of them. That of a retired key is "erased".`
}

func (c *keysListCommand) run(ctx context.Context, p process) error {
	return onKeys(ctx, p, c.Database, c.Secrets, 0, func(table *keyring.Table) error {
		keys, err := table.List(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return writeJSON(p.Stdout, keys)
		}
		return writeKeys(p.Stdout, keys)
	})
}

func writeKeys(w io.Writer, keys []keyring.Info) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells ...string) error {
		_, err := fmt.Fprintln(table, strings.Join(cells, "\t"))
		return err
	}
	if err := line("KEY", "ALGORITHM", "PHASE", "CREATED", "SIGNS", "RETIRES", "SEALED"); err != nil {
		return err
	}
	for _, key := range keys {
		retires := "-"
		if key.RetiresAt != nil {
			retires = at(*key.RetiresAt)
		}
		err := line(key.ID, string(key.Algorithm), string(key.Phase), at(key.CreatedAt), at(key.SignsAt), retires, string(key.Sealed))
		if err != nil {
			return err
		}
	}
	return table.Flush()
}

// at writes a time for people.
func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// keysRotateCommand replaces the signing key.
type keysRotateCommand struct {
	settings.Database
	settings.Secrets
	settings.Publishing
	Revoke bool `help:"The key has leaked: sign with a new one and refuse all others, at once."`
}

// Help teaches by example.
func (*keysRotateCommand) Help() string {
	return `Beside running servers, with the SECRET that they have. Nobody is logged out:

    gatehouse keys rotate --database-url=postgres://gatehouse:PASSWORD@localhost/gatehouse

A new key is published now and signs when KEY_PUBLISH_LEAD is over. Until then, doing it again does nothing.

When the signing key has leaked:

    gatehouse keys rotate --revoke

A new key signs at once, and within a second or so no token of another is accepted. Clients refresh, and go on. Services that
verify tokens themselves may keep the old keys for five minutes more: restart those that must not.`
}

func (c *keysRotateCommand) run(ctx context.Context, p process) error {
	if err := c.CheckLead(); err != nil {
		return err
	}
	return onKeys(ctx, p, c.Database, c.Secrets, c.KeyPublishLead, func(table *keyring.Table) error {
		rotate := table.Rotate
		if c.Revoke {
			rotate = table.Revoke
		}
		done, err := rotate(ctx)
		if errors.Is(err, keyring.ErrNoKeys) {
			return errors.New("there is no signing key in this database: the first server to start makes it, " +
				"and with SIGNING_ALG=HS256 the key is JWT_SECRET, which you change yourself")
		}
		if err != nil {
			return err
		}
		_, err = io.WriteString(p.Stdout, rotated(done, c.Revoke))
		return err
	})
}

// rotated tells what was done.
func rotated(done keyring.Rotation, revoked bool) string {
	switch {
	case revoked:
		return fmt.Sprintf("The key %s signs from now on. Retired:\n  %s\n", done.Key.ID, strings.Join(done.Retired, "\n  "))
	case done.Added:
		return fmt.Sprintf("The key %s is published, and signs from %s on.\n", done.Key.ID, at(done.Key.SignsAt))
	default:
		return fmt.Sprintf("Nothing to do: the key %s is published already, and signs from %s on.\n", done.Key.ID, at(done.Key.SignsAt))
	}
}

// onKeys opens the table of the signing keys beside a server that may be running on it: the schema is left alone, one that is not
// this program's own is refused, and no secret is made.
func onKeys(
	ctx context.Context, p process, database settings.Database, secrets settings.Secrets, lead time.Duration,
	use func(*keyring.Table) error,
) (err error) {
	cfg := &settings.Settings{Database: database, Secrets: secrets}
	master, err := existingSecret(cfg)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{URL: cfg.DatabaseURL, Now: p.Now, Beside: p.program.migrations()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Check(ctx); err != nil {
		return err
	}
	clock := store.NewClock(p.Now)
	if err := clock.Measure(ctx, db); err != nil {
		return err
	}
	return use(keyring.NewTable(db, master, clock.Now, keyring.Config{
		PublishLead: lead, Record: recordKeys(audit.New(db, clock.Now)),
	}))
}

// existingSecret reads the master secret from where the settings say, and makes none.
func existingSecret(cfg *settings.Settings) (*secret.Master, error) {
	if err := cfg.CheckSecret(); err != nil {
		return nil, err
	}
	path, generated := cfg.GeneratedSecret()
	if !generated {
		return masterSecret(cfg)
	}
	master, err := secret.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s beside the database: start \"gatehouse\" on it first, or set SECRET", path)
	}
	return master, err
}
