// Package server puts Gatehouse together: it is the only place where settings, storage, features and handlers meet. This file is
// the server, from top to bottom; every other command has a file of its own, cli.go is how one is chosen, and program.go says
// what a team can add.
//
// It must never hold a rule of the API, and nothing but a main imports it.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"gatehouse/graph"
	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/gqlhttp"
	"gatehouse/internal/keyring"
	"gatehouse/internal/lease"
	"gatehouse/internal/operation"
	"gatehouse/internal/origin"
	"gatehouse/internal/password"
	"gatehouse/internal/role"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/settings"
	"gatehouse/internal/store"
	"gatehouse/internal/token"
	"gatehouse/internal/trusted"
	"gatehouse/internal/web"
)

// serveCommand runs the server.
type serveCommand struct {
	settings.Settings
}

// Help teaches by example.
func (*serveCommand) Help() string {
	return `On the embedded database, with nothing to set up:

    gatehouse

On PostgreSQL, for others to use:

    export DATABASE_URL=postgres://gatehouse:PASSWORD@localhost/gatehouse
    export SECRET=$(openssl rand -base64 32)
    gatehouse serve --mode=production --issuer=https://auth.example.com --addr=:8080

SIGTERM ends it after the requests in flight; a second one ends it at once.`
}

func (c *serveCommand) run(ctx context.Context, p process) error {
	if err := c.Check(); err != nil {
		return err
	}
	tuning := tuneRuntime(p.Lookup) // before anything is made that goes by how many processors there are
	logger := newLogger(p, c.Log)
	// The port comes first: if another server has it, nothing else must happen, least of all to the database.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return listenError(c.Addr, err)
	}
	url := reachableAt(&c.Settings, listener.Addr())
	s, err := assemble(ctx, p.program, &c.Settings, url, logger, p.Now)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s.tasks = append(s.tasks, tuning...)
	warnOfIssuer(ctx, logger, &c.Settings, url)
	return s.serve(ctx, listener)
}

// server is everything that serves, put together.
type server struct {
	url      string // where people reach it, for the front page and the log
	mode     settings.Mode
	logger   *slog.Logger
	db       *store.DB
	ring     *keyring.Ring
	sessions *session.Service
	ready    *readiness
	live     *gqlhttp.Live
	handler  http.Handler
	tasks    []task
}

// task is what runs beside the requests from the beginning of serve to its end.
type task struct {
	what string
	run  func(ctx context.Context) error // until ctx ends; then the error does not matter
}

// assemble puts the server together, from the secret up to the handler. What it returns must be given to serve, which closes
// it; an error leaves nothing open.
func assemble(
	ctx context.Context, program Program, cfg *settings.Settings, url string, logger *slog.Logger, wall func() time.Time,
) (_ *server, err error) {
	clock := store.NewClock(wall)
	now := clock.Now
	master, err := masterSecret(cfg)
	if err != nil {
		return nil, err
	}
	signing, err := signingKeys(cfg, logger)
	if err != nil {
		return nil, err
	}
	// A schema that leaves a question open must stop the server before anything happens to the database.
	registry, err := program.registry()
	if err != nil {
		return nil, err
	}
	schema, rules, err := program.compile(registry, now)
	if err != nil {
		return nil, err
	}
	for _, warning := range rules.Warnings() {
		logger.WarnContext(ctx, "an access rule may not be what it seems", "rule", warning)
	}

	documents, err := trusted.Load(cfg.TrustedDocuments)
	if err != nil {
		return nil, fmt.Errorf("TRUSTED_DOCUMENTS: %w", err)
	}

	db, err := store.Open(ctx, store.Config{
		URL: cfg.DatabaseURL, Logger: logger, Now: now, Beside: program.migrations(),
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if err := prepareSchema(ctx, db, cfg.Migrate); err != nil {
		return nil, err
	}
	if err := clock.Measure(ctx, db); err != nil {
		return nil, err
	}

	log, feed := audit.New(db, now), audit.NewFeed(db, now, logger)
	signing.Record = recordKeys(log)
	ring, err := keyring.Open(ctx, db, master, now, signing)
	if err != nil {
		return nil, err
	}
	tokens := token.New(ring, registry.Vocabulary(), now, token.Config{
		Issuer: cfg.Issuer, Audience: cfg.Audience, TTL: cfg.AccessTokenTTL,
	})
	accounts := account.New(db, password.New(password.Config{Now: now}), now)
	roles := role.New(db, registry, log, now)
	sessions, err := session.New(db, accounts, roles, tokens, log, now, session.Config{
		Logger: logger, Master: master,
		IdleTTL: cfg.RefreshIdleTTL, AbsoluteTTL: cfg.RefreshAbsoluteTTL, Grace: cfg.RefreshGrace,
	})
	if err != nil {
		return nil, err
	}
	// Without knowing which sessions were revoked, the first requests would be turned away.
	if err := sessions.Sync(ctx); err != nil {
		return nil, err
	}

	engine, err := program.bind(House{
		Features: graph.Features{
			Sessions: sessions, Accounts: accounts, Roles: roles, Audit: log, Feed: feed, Rules: rules, Logger: logger,
		},
		DB: db, Now: now,
	})
	if err != nil {
		return nil, err
	}
	executor, err := operation.New(operation.Config{
		Schema: schema, Policy: rules, Engine: engine, Logger: logger,
		OpenIntrospection: opensIntrospection(cfg.Mode),
		OncePerOperation:  program.oncePerOperation(),
		Trusted:           documents, TrustedOnly: cfg.Mode == settings.Production,
	})
	if err != nil {
		return nil, err
	}

	ready := &readiness{check: db.Check, now: now}
	origins := origin.Policy{Own: origin.Of(url), Listed: cfg.CORSOrigins, Loopback: cfg.Mode == settings.Development}
	live := gqlhttp.NewLive(executor, sessions, wall, gqlhttp.LiveConfig{
		Origins: origins, Logger: logger,
		Sockets: cfg.MaxSockets, PerAccount: cfg.MaxSocketsPerAccount, PerAddress: cfg.MaxSocketsPerAddress,
	})
	site := web.Config{
		Logger: logger, Now: now, Ready: ready.Check, URL: url, TrustedProxies: cfg.TrustedProxies,
		Origins: origins, Cookies: cfg.CookieMode,
		GraphQL: gqlhttp.New(executor, gqlhttp.Config{Logger: logger, Live: live}), Authenticator: sessions, Schema: executor.SDL,
		Discovery: discovery(cfg, ring),
	}
	if cfg.Mode == settings.Development {
		site.Version, site.Playground = version(), web.Playground()
	}
	chores := newHousekeeping(cfg, lease.New(db, now), sessions, log, now, logger)
	return &server{
		url: url, mode: cfg.Mode, logger: logger, db: db, ring: ring, sessions: sessions, ready: ready, live: live,
		handler: web.New(site),
		tasks: []task{
			{"following the database's clock", func(ctx context.Context) error { return follow(ctx, clock, db, logger) }},
			{"watching revoked sessions", sessions.Watch},
			{"watching the signing keys", ring.Watch},
			{"telling of security events", feed.Watch},
			{"housekeeping", chores.run},
		},
	}, nil
}

// opensIntrospection reports whether a server in the mode tells its schema to callers who are not signed in.
func opensIntrospection(mode settings.Mode) bool { return mode == settings.Development }

// clockEvery is how often the database's clock is read. Between two readings it goes on by itself.
const clockEvery = time.Second

// follow keeps the clock with the database's until ctx ends.
func follow(ctx context.Context, clock *store.Clock, db *store.DB, logger *slog.Logger) error {
	for rest(ctx, clockEvery) {
		if err := clock.Measure(ctx, db); err != nil && ctx.Err() == nil {
			// Others say more loudly that the database is away, and the clock does not need it for a while.
			logger.DebugContext(ctx, "the database's clock cannot be read", "error", err)
		}
	}
	return ctx.Err()
}

// masterSecret reads the master secret from where the settings say, or makes one for an embedded database.
func masterSecret(cfg *settings.Settings) (*secret.Master, error) {
	if path, ok := cfg.GeneratedSecret(); ok {
		master, err := secret.LoadOrCreate(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the folder of %s does not exist: make it, or name another in DATABASE_URL", path)
		}
		return master, err
	}
	if cfg.SecretFile != "" {
		master, err := secret.Load(cfg.SecretFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("SECRET_FILE names %s, which does not exist: make it with \"openssl rand -base64 32\"", cfg.SecretFile)
		}
		return master, err
	}
	master, err := secret.Parse(cfg.Secret)
	if err != nil {
		return nil, fmt.Errorf("SECRET: %w", err)
	}
	return master, nil
}

// prepareSchema makes sure that the database's schema is the one that this binary knows.
func prepareSchema(ctx context.Context, db *store.DB, migrate bool) error {
	if migrate {
		return db.Migrate(ctx)
	}
	return db.Check(ctx)
}

// How long a drain may take. With two more seconds for the last calls to the database, it is over within the ten after which
// orchestrators lose patience.
const (
	drainGrace = 2 * time.Second // to let load balancers see that /readyz says no; none in development
	drainLimit = 5 * time.Second // for the requests in flight
)

// serve answers requests on listener until ctx ends, then drains: readiness is off at once, after a grace no connection is
// accepted any more, and requests in flight are finished. When it returns nothing of the server runs on or is open.
func (s *server) serve(ctx context.Context, listener net.Listener) (err error) {
	defer func() { err = errors.Join(err, s.db.Close()) }()

	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for _, task := range s.tasks {
		running.Go(func() {
			if err := task.run(background); background.Err() == nil {
				s.logger.ErrorContext(background, "something that must run beside the requests has ended", "task", task.what, "error", err)
			}
		})
	}
	defer running.Wait()
	defer stop()

	httpServer := web.Server(s.handler, s.logger)
	served := make(chan error, 1)
	go func() { served <- httpServer.Serve(listener) }()
	s.logger.InfoContext(ctx, "Gatehouse is ready", "url", s.url, "address", listener.Addr().String(), "mode", s.mode)

	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.logger.InfoContext(ctx, "draining: finishing the requests in flight")
	s.ready.drain()
	httpServer.SetKeepAlivesEnabled(false)
	if s.mode == settings.Production {
		time.Sleep(drainGrace)
	}
	limited, cancel := context.WithTimeout(background, drainLimit)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.live.Drain(limited) }() // event streams are requests in flight, WebSockets are not
	if err := errors.Join(httpServer.Shutdown(limited), <-ended); err != nil {
		s.logger.WarnContext(ctx, "some requests took too long and were cut off", "error", err)
		return httpServer.Close()
	}
	s.logger.InfoContext(ctx, "drained")
	return nil
}

// listenError says what to do about an address that cannot be listened on.
func listenError(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("another program already listens on %s: stop it, or set ADDR to another port", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("this user may not listen on %s: set ADDR to a port above 1023", address)
	default:
		return fmt.Errorf("cannot listen on %s, set ADDR to an address of this machine: %w", address, err)
	}
}

// reachableAt returns the URL to tell people: the issuer where one was chosen, else where we really listen.
func reachableAt(cfg *settings.Settings, address net.Addr) string {
	if cfg.Origin("ISSUER") != settings.FromDefault {
		return strings.TrimSuffix(cfg.Issuer, "/")
	}
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return cfg.Issuer
	}
	if ip, err := netip.ParseAddr(host); err == nil && (ip.IsUnspecified() || ip.IsLoopback()) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// warnOfIssuer says so where ISSUER was left at its default, and the server is reached at another URL. Whoever looks for the keys
// where a token's iss claim says would find nothing, or another server's.
func warnOfIssuer(ctx context.Context, logger *slog.Logger, cfg *settings.Settings, url string) {
	if cfg.Origin("ISSUER") == settings.FromDefault && url != cfg.Issuer {
		logger.WarnContext(ctx, "ISSUER is not where this server is, so whoever verifies its tokens by discovery refuses them",
			"issuer", cfg.Issuer, "set", "ISSUER="+url)
	}
}
