package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"gatehouse/internal/id"
)

// migrationLock is the key of the advisory lock that a migrating process holds. It was drawn at random, once.
const migrationLock = 5_271_009_386_114_027

// defaultConns is the size of the pool where the URL has no pool_max_conns. With the connection that listens there are sixteen:
// six replicas fit into PostgreSQL's default of 100.
const defaultConns = 15

// postgres is one pool of connections, used by Bun through database/sql and by lookups directly.
type postgres struct {
	pool    *pgxpool.Pool
	timeout time.Duration
}

// openPostgres connects. Everything that a connection needs works through pgbouncer's transaction pooling too, from version
// 1.21 on (for the prepared statements of lookups; before, add default_query_exec_mode=exec to the URL).
func openPostgres(ctx context.Context, url string, timeout time.Duration) (backend, *bun.DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, nil, errors.New("store: DATABASE_URL cannot be read: it must look like " +
			"postgres://USER:PASSWORD@HOST:5432/DATABASE, with special characters in the password percent-encoded")
	}
	configurePostgres(config, timeout)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the database: %w", classify(err))
	}
	p := &postgres{pool: pool, timeout: timeout}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, nil, explainPostgres(config.ConnConfig, err)
	}
	db := bun.NewDB(open(p, timeout), pgdialect.New(), bun.WithDiscardUnknownColumns())
	return p, db, nil
}

func configurePostgres(config *pgxpool.Config, timeout time.Duration) {
	params := config.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = "gatehouse"
	}
	// Bun writes literals into statements and pgx reads times as text: both rely on these. pgbouncer passes them on.
	params["standard_conforming_strings"] = "on"
	params["client_encoding"] = "UTF8"
	params["datestyle"] = "ISO"
	params["timezone"] = "UTC"

	config.ConnConfig.ConnectTimeout = timeout
	if !strings.Contains(config.ConnString(), "pool_max_conns=") {
		config.MaxConns = defaultConns
	}
	config.MaxConnLifetimeJitter = config.MaxConnLifetime / 10 // or a fleet of replicas reconnects at once
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		useUTC(conn)
		// PostgreSQL gives up shortly before we do, so that the connection survives a slow statement. Start-up parameters would be
		// simpler, but pgbouncer refuses these.
		//
		// Of a machine that lost its power in a transaction, the network tells nothing for hours, and for as long the rows that it
		// had locked would wait. One that only stood still must not commit what bears the time of before.
		_, err := conn.Exec(ctx, fmt.Sprintf("SET statement_timeout = %d; SET idle_in_transaction_session_timeout = %d",
			(timeout*9/10).Milliseconds(), (2*timeout).Milliseconds()))
		return err
	}
}

// useUTC makes times come back in UTC rather than the machine's zone.
func useUTC(conn *pgx.Conn) {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
}

// explainPostgres says what to do about a connection that could not be made.
func explainPostgres(config *pgx.ConnConfig, err error) error {
	at := fmt.Sprintf("%s:%d", config.Host, config.Port)
	e := &Error{Kind: ErrUnavailable}
	refused, _ := errors.AsType[*pgconn.PgError](err)
	switch {
	case refused == nil:
		e.text = fmt.Sprintf("store: PostgreSQL does not answer at %s: start it, or correct DATABASE_URL", at)
		return e
	case refused.Code == "28P01" || refused.Code == "28000": // invalid_password, invalid_authorization_specification
		e.text = fmt.Sprintf("store: PostgreSQL at %s does not let user %q in: correct user and password in DATABASE_URL",
			at, config.User)
	case refused.Code == "3D000": // invalid_catalog_name
		e.text = fmt.Sprintf("store: PostgreSQL at %s has no database %q: create it, or correct DATABASE_URL",
			at, config.Database)
	default:
		e.text = fmt.Sprintf("store: PostgreSQL at %s refuses the connection: look into its log", at)
	}
	e.Code = "SQLSTATE " + refused.Code
	return e
}

func (p *postgres) queryRow(ctx context.Context, query string, args []any) Row {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	return pgxRow{p.pool.QueryRow(ctx, query, nativeArgs(args)...), cancel}
}

func (p *postgres) queryRows(ctx context.Context, each func(scan Scan) error, query string, args []any) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	rows, err := p.pool.Query(ctx, query, nativeArgs(args)...)
	if err != nil {
		return classify(err)
	}
	defer rows.Close()
	if err := eachRow(rows, each); err != nil {
		return err
	}
	return classify(rows.Err())
}

// nativeArgs returns args with what pgx writes fastest in the place of ids. As a driver.Valuer an id would be tried in vain, then
// written as text and parsed: a third of a lookup's allocations.
func nativeArgs(args []any) []any {
	args = slices.Clone(args) // the caller's are not ours to change
	for i, arg := range args {
		if key, ok := arg.(id.ID); ok {
			args[i] = pgtype.UUID{Bytes: key, Valid: true}
		}
	}
	return args
}

func (p *postgres) ping(ctx context.Context) error { return p.pool.Ping(ctx) }

func (p *postgres) close() { p.pool.Close() }

func (p *postgres) dialect() string { return "postgres" }

// take implements [source].
func (p *postgres) take(ctx context.Context) (rawConn, error) {
	return connectSimply(ctx, stdlib.GetPoolConnector(p.pool))
}

// give implements [source]. The pool looks by itself whether the connection is idle, and closes it otherwise.
func (p *postgres) give(conn rawConn, _ bool) error { return conn.Close() }

func (p *postgres) dedicated(ctx context.Context) (rawConn, error) {
	config := p.pool.Config().ConnConfig
	return connectSimply(ctx, stdlib.GetConnector(*config, stdlib.OptionAfterConnect(
		func(_ context.Context, conn *pgx.Conn) error {
			useUTC(conn)
			return nil
		})))
}

// lockSchema takes an advisory lock that ends with the transaction, however that ends, and that pgbouncer cannot separate
// from it. The bound on locks stays in force, so that a migration does not queue up behind a long transaction with
// everybody else behind it.
func (p *postgres) lockSchema(ctx context.Context, session *bun.DB, wait time.Duration) error {
	_, err := session.ExecContext(ctx, fmt.Sprintf(
		"BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = %d; SELECT pg_advisory_xact_lock(%d)",
		wait.Milliseconds(), migrationLock))
	return err
}

func (p *postgres) hasTable(ctx context.Context, session bun.IDB, name string) (bool, error) {
	var has bool
	err := session.NewSelect().ColumnExpr("to_regclass(?) IS NOT NULL", name).Scan(ctx, &has)
	return has, err
}

// simpleConn sends statements without parameters, which are Bun's, by the simple protocol: each is different, so that
// preparing one costs a round trip and a place in the cache for nothing.
type simpleConn struct{ rawConn }

func connectSimply(ctx context.Context, connector driver.Connector) (rawConn, error) {
	raw, err := connect(ctx, connector)
	if err != nil {
		return nil, err
	}
	return simpleConn{raw}, nil
}

// QueryContext implements [driver.QueryerContext].
func (c simpleConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) == 0 {
		args = []driver.NamedValue{{Value: pgx.QueryExecModeSimpleProtocol}}
	}
	return c.rawConn.QueryContext(ctx, query, args)
}
