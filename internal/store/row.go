package store

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
)

// Row is the result of a lookup.
type Row interface {
	// Scan copies the columns into the variables that dest points to and ends the lookup; it must be called exactly once.
	// The error is [ErrNotFound] when there is no row. NULL needs a pointer to a pointer.
	Scan(dest ...any) error
}

// QueryRow looks up one row: the fast way for the few queries that nearly every request makes. The query has its parameters as
// $1, $2 …; on PostgreSQL it is prepared once per connection. Inside a transaction it runs in that transaction.
//
// A column that is a time must be selected as it is, not computed: SQLite knows only a column's type.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) Row {
	if tx, ok := db.transaction(ctx); ok {
		return sqlRow{tx.Tx.Tx.QueryRowContext(ctx, query, args...)}
	}
	return db.backend.queryRow(ctx, query, args)
}

// Scan copies the columns of a row into the variables that dest points to, as [Row] does.
type Scan func(dest ...any) error

// QueryRows looks up rows, like QueryRow, and calls each for every one of them; scan is good until each returns. It stops at the
// first error of each, and returns it as it is.
func (db *DB) QueryRows(ctx context.Context, each func(scan Scan) error, query string, args ...any) error {
	if tx, ok := db.transaction(ctx); ok {
		return queryRows(ctx, tx.Tx.Tx, each, query, args)
	}
	return db.backend.queryRows(ctx, each, query, args)
}

// querier is a transaction or a pool of database/sql.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// queryRows looks up rows through database/sql.
func queryRows(ctx context.Context, on querier, each func(scan Scan) error, query string, args []any) (err error) {
	rows, err := on.QueryContext(ctx, query, args...)
	if err != nil {
		return classify(err)
	}
	defer func() {
		if closed := rows.Close(); err == nil {
			err = classify(closed)
		}
	}()
	if err := eachRow(rows, each); err != nil {
		return err
	}
	return classify(rows.Err())
}

// rowSet is the result of a query, by whichever way it came.
type rowSet interface {
	Next() bool
	Scan(dest ...any) error
}

// eachRow leaves it to its caller to ask the rows how they ended.
func eachRow(rows rowSet, each func(scan Scan) error) error {
	scan := func(dest ...any) error { return classify(rows.Scan(dest...)) }
	for rows.Next() {
		if err := each(scan); err != nil {
			return err
		}
	}
	return nil
}

// sqlRow is a lookup through database/sql, whose own errors about a column quote its value.
type sqlRow struct{ row *sql.Row }

func (r sqlRow) Scan(dest ...any) error { return classify(r.row.Scan(dest...)) }

// pgxRow is a lookup straight on the pool. The deadline must last until the row has been read.
type pgxRow struct {
	row    pgx.Row
	cancel context.CancelFunc
}

func (r pgxRow) Scan(dest ...any) error {
	defer r.cancel()
	return classify(r.row.Scan(dest...))
}
