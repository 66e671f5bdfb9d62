package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What an error of this package can mean, for errors.Is. Whatever matches none of them is a fault of ours: a statement that
// the database does not understand, or a column that does not fit its variable.
var (
	// ErrNotFound means that there is no such row. It is sql.ErrNoRows, which Bun returns.
	ErrNotFound = sql.ErrNoRows
	// ErrConflict means that a unique constraint refused the row.
	ErrConflict = errors.New("store: the row conflicts with another")
	// ErrUnavailable means that the database could not answer in time or at all; the same call may succeed later.
	ErrUnavailable = errors.New("store: the database is unavailable")
	// ErrSchemaOlder means that migrations of this program have not been applied.
	ErrSchemaOlder = errors.New("store: the database is older than this program: run \"gatehouse migrate\"")
	// ErrSchemaNewer means that the database has migrations that this program does not know.
	ErrSchemaNewer = errors.New("store: the database is newer than this program: run the newer version of gatehouse")
)

// Error is a failure that the database or its driver reported, reduced to what may be shown: it keeps neither the driver's
// message, which can quote values, nor the statement.
type Error struct {
	// Kind is [ErrConflict], [ErrUnavailable], or nil for a fault of ours.
	Kind error
	// Code is PostgreSQL's SQLSTATE or SQLite's extended result code, such as "23505" or "SQLITE 2067"; empty when there is none.
	Code string
	// Constraint is the name of the constraint that refused a row. Only PostgreSQL tells it.
	Constraint string

	primary int    // SQLite's primary result code
	text    string // replaces the description of the kind
	retry   bool   // the transaction lost to another and did nothing
	cause   error  // a context's error, or driver.ErrBadConn: neither has values in it
}

// Error describes the failure without quoting any value.
func (e *Error) Error() string {
	text := e.text
	switch {
	case text != "":
	case e.Kind != nil:
		text = e.Kind.Error()
	default:
		text = "store: the statement failed"
	}
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	return text
}

// Unwrap gives errors.Is the kind, and the context's error where one was the cause.
func (e *Error) Unwrap() []error {
	var wrapped []error
	for _, err := range []error{e.Kind, e.cause} {
		if err != nil {
			wrapped = append(wrapped, err)
		}
	}
	return wrapped
}

func retryable(err error) bool {
	known, ok := errors.AsType[*Error](err)
	return ok && known.retry
}

// classify turns a driver's error into one of ours. What is one already passes unchanged.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if _, known := errors.AsType[*Error](err); known {
		return err
	}
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if errors.Is(err, context.Canceled) {
		return &Error{text: "store: the caller gave up", cause: context.Canceled}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{Kind: ErrUnavailable, cause: context.DeadlineExceeded}
	}
	if errors.Is(err, driver.ErrBadConn) {
		return &Error{Kind: ErrUnavailable, cause: driver.ErrBadConn} // database/sql looks for it and takes another connection
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return classifyPostgres(refused, err)
	}
	if refused, ok := errors.AsType[*sqlite.Error](err); ok {
		return classifySQLite(refused.Code())
	}
	if unreachable(err) {
		return &Error{Kind: ErrUnavailable}
	}
	// The type alone: messages about arguments and columns quote them.
	return &Error{text: fmt.Sprintf("store: the statement or its variables do not fit the database (%T)", err)}
}

// insufficientPrivilege is the code of a statement that the user may not run.
const insufficientPrivilege = "SQLSTATE 42501"

// classifyPostgres decides by SQLSTATE (PostgreSQL, appendix A). A refusal to connect is never a fault of the statement.
func classifyPostgres(refused *pgconn.PgError, err error) error {
	e := &Error{Code: "SQLSTATE " + refused.Code, Constraint: refused.ConstraintName}
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting {
		e.Kind = ErrUnavailable
		return e
	}
	switch refused.Code {
	case "23505", "23P01": // unique_violation, exclusion_violation
		e.Kind = ErrConflict
	case "40001", "40P01": // serialization_failure, deadlock_detected
		e.Kind, e.retry = ErrUnavailable, true
	case "25006", "25P03", "55P03": // read_only_sql_transaction (a standby), idle_in_transaction_session_timeout, lock_not_available
		e.Kind = ErrUnavailable
	}
	for _, class := range []string{"08", "53", "57", "58"} { // connection, resources, operator, system
		if strings.HasPrefix(refused.Code, class) {
			e.Kind = ErrUnavailable
		}
	}
	return e
}

// classifySQLite decides by extended result code (sqlite.org/rescode.html), of which the low byte is the primary one.
func classifySQLite(code int) error {
	e := &Error{Code: fmt.Sprintf("SQLITE %d", code), primary: code & 0xff}
	switch e.primary {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		e.Kind, e.retry = ErrUnavailable, true
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB:
		e.Kind = ErrUnavailable
	case sqlite3.SQLITE_CONSTRAINT:
		switch code {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
			e.Kind = ErrConflict
		}
	}
	return e
}

// unreachable reports whether err is the network's, or that of a connection or pool that is gone.
func unreachable(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, pgconn.ErrConnClosed} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return pgconn.SafeToRetry(err)
}
