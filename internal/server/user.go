package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/password"
	"gatehouse/internal/role"
	"gatehouse/internal/session"
	"gatehouse/internal/settings"
	"gatehouse/internal/store"
)

// userCommand holds the commands about accounts.
type userCommand struct {
	Create  userCreateCommand  `cmd:"" help:"Create an account; its password is asked for, or read from standard input."`
	Grant   userGrantCommand   `cmd:"" help:"Grant a role to an account."`
	Disable userDisableCommand `cmd:"" help:"Keep an account from logging in, and end its sessions."`
}

// handle names an account on the command line.
type handle struct {
	Email    string `xor:"handle" required:"" help:"The account's e-mail address."`
	Username string `xor:"handle" required:"" help:"The account's username."`
}

func (h handle) String() string { return h.Email + h.Username }

// find returns the account.
func (h handle) find(ctx context.Context, accounts *account.Service) (*account.Account, error) {
	find := accounts.ByEmail
	if h.Username != "" {
		find = accounts.ByUsername
	}
	found, err := find(ctx, h.String())
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("there is no account %s: check the spelling, or create it with \"gatehouse user create\"", h)
	}
	return found, err
}

// userCreateCommand creates an account.
type userCreateCommand struct {
	settings.Database
	Email    string   `required:"" help:"The account's e-mail address."`
	Username *string  `help:"A username to log in with, beside the address."`
	Name     *string  `help:"What to call the person."`
	Role     []string `help:"A role to grant besides USER; may be repeated."`
}

// Help teaches by example.
func (*userCreateCommand) Help() string {
	return `The first administrator; the password is asked for without showing it:

    gatehouse user create --email=ada@example.com --role=ADMIN

From a script:

    gatehouse user create --email=ada@example.com < password.txt`
}

func (c *userCreateCommand) run(ctx context.Context, p process) (err error) {
	f, err := openFeatures(ctx, p, c.Database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.db.Close()) }()
	text, err := readPassword(ctx, p)
	if err != nil {
		return err
	}
	created, err := f.accounts.Prepare(ctx, account.Registration{
		Email: c.Email, Password: text, Username: c.Username, Name: c.Name,
	})
	if err != nil {
		return err
	}
	err = f.db.Atomically(ctx, func(ctx context.Context) error {
		if err := f.accounts.Insert(ctx, created); err != nil {
			return err
		}
		if err := f.roles.Admit(ctx, created.ID); err != nil {
			return err
		}
		if err := f.log.Record(ctx, audit.Entry{Event: audit.AccountRegistered, AccountID: &created.ID}); err != nil {
			return err
		}
		for _, name := range c.Role {
			if err := f.roles.Grant(ctx, created.ID, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Stdout, created.ID)
	return err
}

// userGrantCommand grants a role.
type userGrantCommand struct {
	settings.Database
	handle
	Role string `required:"" help:"The role to grant."`
}

// Help teaches by example.
func (*userGrantCommand) Help() string {
	return `To let somebody look after the accounts of others:

    gatehouse user grant --email=ada@example.com --role=ADMIN

It counts from the next login or refresh on; granting a role twice does no harm.`
}

func (c *userGrantCommand) run(ctx context.Context, p process) (err error) {
	f, err := openFeatures(ctx, p, c.Database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.db.Close()) }()
	found, err := c.find(ctx, f.accounts)
	if err != nil {
		return err
	}
	if err := f.roles.Grant(ctx, found.ID, c.Role); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "%s has the role %s from the next login or refresh on.\n", c.handle, c.Role)
	return err
}

// userDisableCommand disables an account.
type userDisableCommand struct {
	settings.Database
	handle
}

// Help teaches by example.
func (*userDisableCommand) Help() string {
	return `When somebody has left:

    gatehouse user disable --email=ada@example.com

Running servers refuse the account's access tokens within a second or two. No command undoes this.`
}

func (c *userDisableCommand) run(ctx context.Context, p process) (err error) {
	f, err := openFeatures(ctx, p, c.Database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.db.Close()) }()
	found, err := c.find(ctx, f.accounts)
	if err != nil {
		return err
	}
	// Ending sessions needs no tokens, so neither does it need the secret that minting them would.
	sessions, err := session.New(f.db, f.accounts, f.roles, nil, f.log, f.now, session.Config{})
	if err != nil {
		return err
	}
	if err := sessions.DisableAccount(ctx, found.ID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "%s is disabled, and its sessions have ended.\n", c.handle)
	return err
}

// features is what the user commands work with.
type features struct {
	db       *store.DB
	now      func() time.Time
	log      *audit.Log
	accounts *account.Service
	roles    *role.Service
}

// openFeatures opens the database beside a server that may be running on it, so it leaves the schema alone and refuses one
// that is not this program's own. The caller closes the database.
func openFeatures(ctx context.Context, p process, cfg settings.Database) (*features, error) {
	db, err := store.Open(ctx, store.Config{URL: cfg.DatabaseURL, Now: p.Now, Beside: p.program.migrations()})
	if err != nil {
		return nil, err
	}
	if err := db.Check(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	registry, err := p.program.registry()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	clock := store.NewClock(p.Now) // servers compare what is written here with theirs
	if err := clock.Measure(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	log := audit.New(db, clock.Now)
	return &features{
		db:       db,
		now:      clock.Now,
		log:      log,
		accounts: account.New(db, password.New(password.Config{}), clock.Now),
		roles:    role.New(db, registry, log, clock.Now),
	}, nil
}

// maxPasswordInput is more than any password that is accepted, in bytes.
const maxPasswordInput = 8 << 10

// readPassword asks for a password twice without showing it; or, where standard input is no terminal, reads its first line.
func readPassword(ctx context.Context, p process) (string, error) {
	file, ok := p.Stdin.(*os.File)
	if !ok || !isTerminal(file) {
		line, err := bufio.NewReader(io.LimitReader(p.Stdin, maxPasswordInput)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password from standard input: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	first, err := prompt(ctx, p, file, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := prompt(ctx, p, file, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ: try again")
	}
	return first, nil
}

func prompt(ctx context.Context, p process, terminal *os.File, question string) (string, error) {
	if _, err := io.WriteString(p.Stderr, question); err != nil {
		return "", err
	}
	answer, err := readUnseen(ctx, int(terminal.Fd()))
	if _, newline := io.WriteString(p.Stderr, "\n"); newline != nil || err != nil {
		return "", fmt.Errorf("read the password: %w", errors.Join(err, newline))
	}
	return string(answer), nil
}

var errInterrupted = errors.New("interrupted, nothing was changed")

// readUnseen reads a line from a terminal that does not show it meanwhile. Reading heeds no context: where ctx ends first, as it
// does at Ctrl-C, the read is left behind and the terminal told to show again what is typed.
func readUnseen(ctx context.Context, terminal int) ([]byte, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, err
	}
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(terminal)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		return nil, errors.Join(errInterrupted, term.Restore(terminal, before))
	}
}
