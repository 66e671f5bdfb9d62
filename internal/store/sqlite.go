package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// embedded is a database file: one connection that writes and several that read.
type embedded struct {
	path    string
	writers *connPool
	readers *connPool
	reading *sql.DB
	writing *sql.DB
}

func openSQLite(ctx context.Context, path string, timeout time.Duration) (backend, *bun.DB, error) {
	if path == "" || path == ":memory:" || strings.Contains(path, "?") {
		return nil, nil, errors.New("store: DATABASE_URL must name a file, as in sqlite://gatehouse.db, and nothing after it")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := createFile(path); err != nil {
		return nil, nil, explainSQLite(path, err)
	}
	// SQLite gives up on a lock shortly before we do.
	busy := timeout * 9 / 10
	writer, err := newConnPool(writerDSN(path, busy), 1)
	if err != nil {
		return nil, nil, explainSQLite(path, err)
	}
	reader, err := newConnPool(dsn(path, busy, url.Values{"_query_only": {"1"}}), max(4, runtime.GOMAXPROCS(0)))
	if err != nil {
		return nil, nil, explainSQLite(path, err)
	}
	e := &embedded{
		path: path, writers: writer, readers: reader, writing: open(writer, timeout), reading: open(reader, timeout),
	}
	// The writer comes first: it turns on the write-ahead log, which readers then find.
	if err := e.start(ctx); err != nil {
		err = errors.Join(err, e.writing.Close(), e.reading.Close())
		e.close()
		return nil, nil, explainSQLite(path, err)
	}
	db := bun.NewDB(e.writing, sqlitedialect.New(), bun.WithDiscardUnknownColumns(), bun.WithConnResolver(e))
	return e, db, nil
}

// createFile makes an empty file that only its owner can read. It gets its name when it is closed already: closing a database
// file drops the locks that SQLite, in the same process, holds on it.
func createFile(path string) (err error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil // another process was faster
}

// dsn names a file and the settings of a connection to it, in the driver's spelling.
func dsn(path string, busy time.Duration, settings url.Values) string {
	settings.Set("_busy_timeout", strconv.FormatInt(busy.Milliseconds(), 10)) // the driver applies it first
	settings.Set("_defensive", "1")
	settings.Set("_dqs", "0") // "a" is a column, never a text
	settings.Set("_time_format", "sqlite")
	return path + "?" + settings.Encode()
}

// writerDSN asks for durability (a revocation must survive a power failure) and for transactions that lock when they begin: one
// that locks at its first write instead fails when another has written since it read.
func writerDSN(path string, busy time.Duration) string {
	return dsn(path, busy, url.Values{
		"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"1"}, "_txlock": {"immediate"},
	})
}

// start makes the first connection of each kind. Two processes that start at once can meet in turning on the log.
func (e *embedded) start(ctx context.Context) error {
	for {
		err := e.writing.PingContext(ctx)
		if err == nil {
			return e.ping(ctx)
		}
		if !retryable(err) || !pause(ctx, firstBackoff) {
			return err
		}
	}
}

// explainSQLite says what to do about a file that could not be opened.
func explainSQLite(path string, err error) error {
	e := &Error{Kind: ErrUnavailable}
	known, _ := errors.AsType[*Error](err)
	var code int
	if known != nil {
		e.Code = known.Code
		code = known.primary
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.text = fmt.Sprintf("store: the folder of %s does not exist: create it, or correct DATABASE_URL", path)
	case code == sqlite3.SQLITE_NOTADB:
		e.text = fmt.Sprintf("store: %s is not a SQLite database: name another file in DATABASE_URL", path)
	case code == sqlite3.SQLITE_BUSY:
		e.text = fmt.Sprintf("store: %s is locked by another program: end that one first", path)
	default:
		e.text = fmt.Sprintf("store: %s cannot be opened for reading and writing: "+
			"correct the permissions of the file and its folder, or name another file in DATABASE_URL", path)
	}
	return e
}

// ResolveConn implements [bun.ConnResolver]: what NewSelect built goes to the readers.
func (e *embedded) ResolveConn(_ context.Context, query bun.Query) bun.IConn {
	if _, reads := query.(*bun.SelectQuery); reads {
		return e.reading
	}
	return e.writing
}

// Close implements [bun.ConnResolver].
func (e *embedded) Close() error { return e.reading.Close() }

func (e *embedded) queryRow(ctx context.Context, query string, args []any) Row {
	if verb, _, _ := strings.Cut(strings.TrimSpace(query), " "); strings.EqualFold(verb, "SELECT") {
		return sqlRow{e.reading.QueryRowContext(ctx, query, args...)}
	}
	return sqlRow{e.writing.QueryRowContext(ctx, query, args...)}
}

func (e *embedded) queryRows(ctx context.Context, each func(scan Scan) error, query string, args []any) error {
	return queryRows(ctx, e.reading, each, query, args)
}

func (e *embedded) ping(ctx context.Context) error {
	var tables int
	return e.reading.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables)
}

func (e *embedded) close() {
	e.readers.close()
	e.writers.close() // last, so that it finds itself alone and folds the log into the file
}

func (e *embedded) dialect() string { return "sqlite" }

func (e *embedded) dedicated(ctx context.Context) (rawConn, error) {
	connector, err := sqlite.NewConnector(writerDSN(e.path, 100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	return connectSQLite(ctx, connector)
}

// lockSchema begins a transaction that keeps other writers out. It asks again and again, because SQLite does not heed a
// context while it waits for a lock.
func (e *embedded) lockSchema(ctx context.Context, session *bun.DB, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		_, err := session.ExecContext(ctx, "BEGIN IMMEDIATE")
		if !retryable(err) || !pause(ctx, firstBackoff) {
			return err
		}
	}
}

func (e *embedded) hasTable(ctx context.Context, session bun.IDB, name string) (bool, error) {
	return session.NewSelect().Table("sqlite_master").Where("type = 'table' AND name = ?", name).Exists(ctx)
}

func connectSQLite(ctx context.Context, connector driver.Connector) (rawConn, error) {
	raw, err := connect(ctx, connector)
	if err != nil {
		return nil, err
	}
	return stampConn{raw}, nil
}

// stampConn reads the columns declared as TIMESTAMPTZ, a name that SQLite's driver does not know, as times.
type stampConn struct{ rawConn }

// QueryContext implements [driver.QueryerContext].
func (c stampConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	result, err := c.rawConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	typed, ok := result.(driver.RowsColumnTypeDatabaseTypeName)
	if !ok {
		return result, nil
	}
	return stampRows{typed}, nil
}

// IsValid implements [driver.Validator].
func (c stampConn) IsValid() bool {
	v, ok := c.rawConn.(driver.Validator)
	return !ok || v.IsValid()
}

type stampRows struct {
	driver.RowsColumnTypeDatabaseTypeName
}

// stampFormat is how Bun and the driver write a time. Trailing zeros are missing, yet texts sort as the times do, because both
// '+' and '.' sort before the digits.
const stampFormat = "2006-01-02 15:04:05.999999-07:00"

// Next implements [driver.Rows].
func (r stampRows) Next(dest []driver.Value) error {
	if err := r.RowsColumnTypeDatabaseTypeName.Next(dest); err != nil {
		return err
	}
	for i, value := range dest {
		text, ok := value.(string)
		if !ok || r.ColumnTypeDatabaseTypeName(i) != "TIMESTAMPTZ" {
			continue
		}
		t, err := time.Parse(stampFormat, text)
		if err != nil {
			return errNotATime
		}
		dest[i] = t.UTC()
	}
	return nil
}

var errNotATime = errors.New("store: a TIMESTAMPTZ column holds something else")
