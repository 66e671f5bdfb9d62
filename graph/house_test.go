package graph_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/graph"
	"gatehouse/internal/account"
	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
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
)

var update = flag.Bool("update", false, "write the files in testdata, and access.lock, anew")

const requestID = "the-request-id"

// house is all of Gatehouse below HTTP, on a database of its own and with a clock that stands still.
type house struct {
	db       *store.DB
	accounts *account.Service
	roles    *role.Service
	sessions *session.Service
	features graph.Features
	executor *operation.Executor
	log      *log

	mu         sync.Mutex
	now, ticks time.Time
}

// each runs test with a house on either database.
func each(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) { test(t, newHouse(t, kind)) })
	}
}

func newHouse(t testing.TB, kind string) *house {
	t.Helper()
	h := &house{now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), log: new(log)}
	logger := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	db, err := store.Open(t.Context(), store.Config{
		URL: storetest.MigratedURL(t, kind), Timeout: time.Minute, Logger: logger, Now: h.tick,
	})
	must(t, err)
	h.db = db
	t.Cleanup(func() { must(t, db.Close()) })
	master, err := secret.Parse("q0sVxYfH3mJtO2c8bWkzR5nD1gPaE7uLiKj4yTQ6vXw=")
	must(t, err)
	ring, err := keyring.Open(t.Context(), db, master, h.clock, keyring.Config{Algorithm: keyring.ES256})
	must(t, err)
	registry, err := role.Default()
	must(t, err)
	tokens := token.New(ring, registry.Vocabulary(), h.clock, token.Config{
		Issuer: "http://localhost:8080", Audience: "gatehouse", TTL: 10 * time.Minute,
	})
	cheap := password.New(password.Config{Params: password.Params{Memory: 8, Time: 1}})
	h.accounts = account.New(db, cheap, h.clock)
	h.roles = role.New(db, registry, h.clock)
	h.sessions = session.New(db, h.accounts, h.roles, tokens, h.clock, session.Config{Logger: logger})
	must(t, h.sessions.Sync(t.Context()))

	h.features = graph.Features{Sessions: h.sessions, Accounts: h.accounts, Roles: h.roles, Logger: logger}
	h.executor = newExecutor(t, h.features, logger)
	return h
}

// newExecutor returns what answers operations with the features.
func newExecutor(t testing.TB, features graph.Features, logger *slog.Logger) *operation.Executor {
	t.Helper()
	sdl := readSchema(t)
	schema, err := operation.LoadSchema("schema.graphqls", sdl)
	must(t, err)
	registry, err := role.Default()
	must(t, err)
	rules, err := policy.Compile(schema, registry.Vocabulary())
	must(t, err)
	engine, err := graph.New(sdl, features)
	must(t, err)
	executor, err := operation.New(operation.Config{
		Schema: schema, Policy: rules, Engine: engine, Logger: logger, OpenIntrospection: true,
		OncePerOperation: []string{"Mutation.register", "Mutation.login"},
	})
	must(t, err)
	return executor
}

func readSchema(t testing.TB) string {
	t.Helper()
	sdl, err := os.ReadFile(filepath.Join("..", "schema.graphqls"))
	must(t, err)
	return string(sdl)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// tick is a clock by which every statement is slow, so that the store logs them all.
func (h *house) tick() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ticks = h.ticks.Add(time.Hour)
	return h.ticks
}

// statements returns how many statements have been run on a table.
func (h *house) statements(table string) int {
	return strings.Count(h.log.String(), "table="+table)
}

// wait lets time pass, as the server would spend it: with an eye on what was revoked.
func (h *house) wait(ctx context.Context, d time.Duration) error {
	h.mu.Lock()
	h.now = h.now.Add(d)
	h.mu.Unlock()
	return h.sessions.Sync(ctx)
}

// ask executes an operation for whoever the access token belongs to; nobody when it is empty.
func (h *house) ask(ctx context.Context, accessToken string, req operation.Request) *operation.Response {
	ctx = request.NewContext(ctx, request.Info{ID: requestID, Address: "192.0.2.1", UserAgent: "test"})
	if accessToken == "" {
		return h.executor.Execute(ctx, req)
	}
	caller, err := h.sessions.Authenticate(ctx, accessToken)
	if err != nil {
		caller = auth.Anonymous(fault.From(err))
	}
	return h.executor.Execute(auth.NewContext(ctx, caller), req)
}

// log keeps what was logged.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
