// Package graphtest owns what tests of an API share: all of Gatehouse below HTTP, on a database of its own and with a clock that
// stands still, conversations with it that are kept in files, and what is proven of a schema from the schema itself: that its
// rules deny, and that its lock notices. It serves Gatehouse's own API and one that a team has added to.
package graphtest

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/graph"
	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/keyring"
	"gatehouse/internal/operation"
	"gatehouse/internal/password"
	"gatehouse/internal/policy"
	"gatehouse/internal/request"
	"gatehouse/internal/role"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/token"
	"gatehouse/internal/trusted"
)

// RequestID is the id of every request of a House.
const RequestID = "the-request-id"

// firefox is the user agent of every request of a House.
const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// Plan is what a House is built from.
type Plan struct {
	SDL      string // the whole schema
	Registry *role.Registry
	Beside   []store.Migrations // those of a team
	// OncePerOperation lists a team's root fields that check a password, beside Gatehouse's.
	OncePerOperation []string
	// Operations is the folder of documents that conversations name.
	Operations string
	// Trusted are the only documents that run; none means that all do.
	Trusted []trusted.Document
	// Bind makes what executes operations. Nil means [graph.New].
	Bind func(sdl string, features graph.Features, db *store.DB, now func() time.Time) (operation.Engine, error)
}

// House is all of Gatehouse below HTTP.
type House struct {
	DB       *store.DB
	Accounts *account.Service
	Roles    *role.Service
	Sessions *session.Service
	Features graph.Features
	Executor *operation.Executor
	Log      *Log

	mu         sync.Mutex
	now, ticks time.Time
}

// Each runs test with a house on either database.
func Each(t *testing.T, plan Plan, test func(t *testing.T, h *House)) {
	t.Helper()
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) { test(t, New(t, kind, plan)) })
	}
}

// New returns a house on a new database of the given kind. Both go when the test ends.
func New(t testing.TB, kind string, plan Plan) *House {
	t.Helper()
	h := &House{now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), Log: new(Log)}
	logger := slog.New(slog.NewTextHandler(h.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	db, err := store.Open(t.Context(), store.Config{
		URL: storetest.MigratedURL(t, kind), Timeout: time.Minute, Logger: logger, Now: h.tick, Beside: plan.Beside,
	})
	must(t, err)
	h.DB = db
	t.Cleanup(func() { must(t, db.Close()) })
	must(t, db.Migrate(t.Context()))
	master, err := secret.Parse("q0sVxYfH3mJtO2c8bWkzR5nD1gPaE7uLiKj4yTQ6vXw=")
	must(t, err)
	ring, err := keyring.Open(t.Context(), db, master, h.Clock, keyring.Config{Algorithm: keyring.ES256})
	must(t, err)
	tokens := token.New(ring, plan.Registry.Vocabulary(), h.Clock, token.Config{
		Issuer: "http://localhost:8080", Audience: "gatehouse", TTL: 10 * time.Minute,
	})
	cheap := password.New(password.Config{Params: password.Params{Memory: 8, Time: 1}})
	h.Accounts = account.New(db, cheap, h.Clock)
	log := audit.New(db, h.Clock)
	h.Roles = role.New(db, plan.Registry, log, h.Clock)
	h.Sessions, err = session.New(db, h.Accounts, h.Roles, tokens, log, h.Clock, session.Config{
		Logger: logger, Master: master, Grace: 30 * time.Second,
	})
	must(t, err)
	must(t, h.Sessions.Sync(t.Context()))

	_, rules := plan.Compile(t, h.Clock)
	h.Features = graph.Features{
		Sessions: h.Sessions, Accounts: h.Accounts, Roles: h.Roles, Audit: log, Feed: audit.NewFeed(db, h.Clock, logger), Rules: rules,
		Logger: logger,
	}
	engine, err := plan.bind(h)
	must(t, err)
	h.Executor = NewExecutor(t, plan, engine, h.Clock, logger)
	return h
}

func (p Plan) bind(h *House) (operation.Engine, error) {
	if p.Bind == nil {
		return graph.New(p.SDL, h.Features)
	}
	return p.Bind(p.SDL, h.Features, h.DB, h.Clock)
}

// Compile returns the schema and its rules.
func (p Plan) Compile(t testing.TB, now func() time.Time) (*ast.Schema, *policy.Engine) {
	t.Helper()
	schema, err := operation.LoadSchema("schema.graphqls", p.SDL)
	must(t, err)
	rules, err := policy.Compile(schema, p.Registry.Vocabulary(), now)
	must(t, err)
	return schema, rules
}

// NewExecutor returns what answers operations with the engine.
func NewExecutor(
	t testing.TB, plan Plan, engine operation.Engine, now func() time.Time, logger *slog.Logger,
) *operation.Executor {
	t.Helper()
	schema, rules := plan.Compile(t, now)
	executor, err := operation.New(operation.Config{
		Schema: schema, Policy: rules, Engine: engine, Logger: logger, OpenIntrospection: true,
		OncePerOperation: slices.Concat(graph.OncePerOperation(), plan.OncePerOperation),
		Trusted:          plan.Trusted, TrustedOnly: len(plan.Trusted) > 0,
	})
	must(t, err)
	return executor
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Clock is the time in the house.
func (h *House) Clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// tick is a clock by which every statement is slow, so that the store logs them all.
func (h *House) tick() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ticks = h.ticks.Add(time.Hour)
	return h.ticks
}

// Statements returns how many statements have been run on a table.
func (h *House) Statements(table string) int {
	return strings.Count(h.Log.String(), "table="+table)
}

// Wait lets time pass, as the server would spend it: with an eye on what was revoked.
func (h *House) Wait(ctx context.Context, d time.Duration) error {
	h.mu.Lock()
	h.now = h.now.Add(d)
	h.mu.Unlock()
	return h.Sessions.Sync(ctx)
}

// Ask executes an operation for whoever the access token belongs to; nobody when it is empty.
func (h *House) Ask(ctx context.Context, accessToken string, req operation.Request) *operation.Response {
	ctx = request.NewContext(ctx, request.Info{ID: RequestID, Address: "192.0.2.1", UserAgent: firefox})
	if accessToken == "" {
		return h.Executor.Execute(ctx, req)
	}
	caller, err := h.Sessions.Authenticate(ctx, accessToken)
	if caller == nil {
		caller = auth.Anonymous(fault.From(err))
	}
	return h.Executor.Execute(auth.NewContext(ctx, caller), req)
}

// Register opens an account and returns its id and an access token.
func (h *House) Register(t testing.TB, email string) (id.ID, string) {
	t.Helper()
	a, tokens, err := h.Sessions.Register(t.Context(), account.Registration{Email: email, Password: "a long enough secret"})
	must(t, err)
	return a.ID, tokens.Access.Token
}

// Login returns an access token.
func (h *House) Login(t testing.TB, email string) string {
	t.Helper()
	_, tokens, err := h.Sessions.Login(t.Context(), account.Credentials{Email: &email, Password: "a long enough secret"})
	must(t, err)
	return tokens.Access.Token
}

// Log keeps what was logged. The zero value is an empty log.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements [io.Writer].
func (l *Log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// String returns all that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
