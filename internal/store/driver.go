package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"time"
)

// rawConn is what both drivers' connections can do.
type rawConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
}

func connect(ctx context.Context, connector driver.Connector) (rawConn, error) {
	c, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	raw, ok := c.(rawConn)
	if !ok {
		return nil, errors.Join(errNotOffered, c.Close())
	}
	return raw, nil
}

// source is a pool of connections beneath database/sql, so that waiting for one, too, has its deadline and its meaning.
type source interface {
	take(ctx context.Context) (rawConn, error)
	// give returns a connection; a broken one is not used again.
	give(conn rawConn, broken bool) error
}

// open puts database/sql on top of a source.
func open(from source, timeout time.Duration) *sql.DB {
	db := sql.OpenDB(&connector{source: from, timeout: timeout})
	db.SetMaxIdleConns(-1) // the source keeps them
	return db
}

// connector lends connections to database/sql. A loan ends after the timeout: it covers the wait for the connection, the
// statement or transaction on it, and the reading of rows. Every error of a lent connection is classified.
type connector struct {
	source  source
	timeout time.Duration // zero: no limit
}

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	raw, err := c.source.take(ctx)
	if err != nil {
		return nil, classify(err)
	}
	deadline, _ := ctx.Deadline()
	return &conn{raw: raw, source: c.source, deadline: deadline}, nil
}

// Driver implements [driver.Connector].
func (c *connector) Driver() driver.Driver { return noDriver{} }

// conn is a connection on loan.
type conn struct {
	raw      rawConn
	source   source
	deadline time.Time // zero: none
	broken   bool
}

// bound returns ctx with the end of the loan as its deadline.
func (c *conn) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, c.deadline)
}

// ExecContext implements [driver.ExecerContext].
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	result, err := c.raw.ExecContext(ctx, query, args)
	if err != nil {
		return nil, classify(err)
	}
	return result, nil
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	ctx, cancel := c.bound(ctx)
	result, err := c.raw.QueryContext(ctx, query, args)
	if err != nil {
		cancel()
		return nil, classify(err)
	}
	return &rows{raw: result, ctx: ctx, cancel: cancel}, nil
}

// BeginTx implements [driver.ConnBeginTx].
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	ctx, cancel := c.bound(ctx)
	begun, err := c.raw.BeginTx(ctx, opts)
	if err != nil {
		cancel()
		return nil, classify(err)
	}
	return &tx{raw: begun, conn: c, cancel: cancel}, nil
}

// CheckNamedValue implements [driver.NamedValueChecker]: times go out as UTC in microseconds, all that PostgreSQL keeps.
func (c *conn) CheckNamedValue(arg *driver.NamedValue) error {
	value, err := driver.DefaultParameterConverter.ConvertValue(arg.Value)
	if err != nil {
		return classify(err)
	}
	if t, ok := value.(time.Time); ok {
		value = t.UTC().Truncate(time.Microsecond)
	}
	arg.Value = value
	return nil
}

// Close ends the loan.
func (c *conn) Close() error { return classify(c.source.give(c.raw, c.broken)) }

var errNotOffered = errors.New("store: the driver does not offer this")

// Prepare always fails: Bun never asks for it, and QueryRow prepares by itself.
func (c *conn) Prepare(string) (driver.Stmt, error) { return nil, errNotOffered }

// Begin always fails: database/sql calls BeginTx.
func (c *conn) Begin() (driver.Tx, error) { return nil, errNotOffered }

// tx is a transaction on a lent connection.
type tx struct {
	raw    driver.Tx
	conn   *conn
	cancel context.CancelFunc // PostgreSQL's COMMIT runs under the context that BEGIN had
}

// Commit implements [driver.Tx].
func (t *tx) Commit() error { return t.end(t.raw.Commit) }

// Rollback implements [driver.Tx].
func (t *tx) Rollback() error { return t.end(t.raw.Rollback) }

func (t *tx) end(how func() error) error {
	defer t.cancel()
	err := how()
	if err != nil {
		t.conn.broken = true // it may still be inside the transaction
	}
	return classify(err)
}

// rows is a result on its way.
type rows struct {
	raw    driver.Rows
	ctx    context.Context
	cancel context.CancelFunc
}

// Columns implements [driver.Rows].
func (r *rows) Columns() []string { return r.raw.Columns() }

// Close implements [driver.Rows].
func (r *rows) Close() error {
	defer r.cancel()
	return classify(r.raw.Close())
}

// Next implements [driver.Rows]. SQLite's driver heeds a deadline only until the first row, hence the look at it here.
func (r *rows) Next(dest []driver.Value) error {
	if err := r.ctx.Err(); err != nil {
		return classify(err)
	}
	err := r.raw.Next(dest)
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return classify(err)
}

// noDriver stands in for the driver that database/sql can be asked for; connections come from a connector alone.
type noDriver struct{}

// Open implements [driver.Driver].
func (noDriver) Open(string) (driver.Conn, error) { return nil, errNotOffered }
