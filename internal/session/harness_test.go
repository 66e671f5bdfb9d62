package session_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/fault"
	"gatehouse/internal/keyring"
	"gatehouse/internal/password"
	"gatehouse/internal/role"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/token"
)

const (
	goodPassword = "correct horse battery staple"
	lifetime     = 10 * time.Minute // of an access token
	idle         = 24 * time.Hour   // of a session that is not refreshed
	absolute     = 72 * time.Hour   // of any session
	grace        = 30 * time.Second // of a refresh token
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a clock that stands still until it is set.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.set(noon)
	return c
}

func (c *clock) now() time.Time   { return time.Unix(0, c.nanoseconds.Load()) }
func (c *clock) set(to time.Time) { c.nanoseconds.Store(to.UnixNano()) }

// installation is what the replicas of one server share.
type installation struct {
	db       *store.DB
	master   *secret.Master
	registry *role.Registry
	grace    time.Duration

	secretless bool // its sessions get no master secret
}

// replica is one process of an installation.
type replica struct {
	*session.Service

	ring     *keyring.Ring
	accounts *account.Service
	roles    *role.Service
	log      *audit.Log
	clock    *clock
}

func install(t testing.TB, db *store.DB) installation {
	t.Helper()
	master, err := secret.Parse(newSecret())
	if err != nil {
		t.Fatal(err)
	}
	registry, err := role.Default()
	if err != nil {
		t.Fatal(err)
	}
	return installation{db: db, master: master, registry: registry, grace: grace}
}

func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

// start returns a replica with its own clock, which knows nothing of revoked sessions yet.
func (in installation) start(t testing.TB, logger *slog.Logger) *replica {
	t.Helper()
	c := newClock()
	ring, err := keyring.Open(t.Context(), in.db, in.master, c.now, keyring.Config{Algorithm: keyring.ES256})
	if err != nil {
		t.Fatal(err)
	}
	hasher := password.New(password.Config{
		Params: password.Params{Memory: 8, Time: 1, Threads: 1, SaltLength: 8, KeyLength: 16}, Queue: 1000,
	})
	accounts := account.New(in.db, hasher, c.now)
	log := audit.New(in.db, c.now)
	roles := role.New(in.db, in.registry, log, c.now)
	tokens := token.New(ring, in.registry.Vocabulary(), c.now, token.Config{
		Issuer: "http://localhost:8080", Audience: "gatehouse", TTL: lifetime,
	})
	cfg := session.Config{Logger: logger, Master: in.master, IdleTTL: idle, AbsoluteTTL: absolute, Grace: in.grace}
	if in.secretless {
		cfg.Master = nil
	}
	sessions, err := session.New(in.db, accounts, roles, tokens, log, c.now, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &replica{Service: sessions, ring: ring, accounts: accounts, roles: roles, log: log, clock: c}
}

func (r *replica) sync(t *testing.T) {
	t.Helper()
	if err := r.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (r *replica) register(t *testing.T, email string) (*account.Account, session.Tokens) {
	t.Helper()
	a, tokens, err := r.Register(t.Context(), account.Registration{Email: email, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	return a, tokens
}

// expect checks what Authenticate makes of a token: its reason for refusing, or its code where there is none; empty when the
// caller is let in.
func (r *replica) expect(t *testing.T, raw, want string) {
	t.Helper()
	caller, err := r.Authenticate(t.Context(), raw)
	got := ""
	if refusal, ok := errors.AsType[*fault.Error](err); ok {
		if got = string(refusal.Reason); got == "" {
			got = string(refusal.Code)
		}
	} else if err != nil {
		t.Fatalf("not a fault: %v", err)
	}
	if signedIn := caller != nil && caller.SignedIn(); got != want || signedIn != (want == "") {
		t.Errorf("got %q with caller %v, want %q", got, caller, want)
	}
}

func count(t *testing.T, db *store.DB, from string) int {
	t.Helper()
	var rows int
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM "+from).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// expectOneOfEach checks that there is one account, with one role and one session.
func expectOneOfEach(t *testing.T, db *store.DB) {
	t.Helper()
	for _, table := range []string{"accounts", "account_roles", "sessions"} {
		if rows := count(t, db, table); rows != 1 {
			t.Errorf("%d rows in %s, want 1", rows, table)
		}
	}
}

// expectMasked prints a value in every way there is.
func expectMasked(t *testing.T, secret string, value any) {
	t.Helper()
	marshalled, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("", "v", value)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "v", value)
	all := string(marshalled) + logged.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		all += fmt.Sprintf(verb, value)
	}
	if strings.Contains(all, secret) || strings.Contains(all, secret[10:40]) || strings.Contains(all, fmt.Sprintf("%x", secret)) {
		t.Errorf("%T shows its secret", value)
	}
}

func execute(t *testing.T, db *store.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Conn(t.Context()).NewRaw(statement, args...).Exec(t.Context()); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
