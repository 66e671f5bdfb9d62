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
		return sqlRow{tx.Tx.QueryRowContext(ctx, query, args...)}
	}
	return db.backend.queryRow(ctx, query, args)
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
