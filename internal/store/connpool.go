package store

import (
	"context"
	"database/sql/driver"
	"sync"

	"modernc.org/sqlite"
)

// connPool keeps at most a fixed number of SQLite connections. It is a [source], as pgxpool is for PostgreSQL: the pool of
// database/sql cannot bound the wait for a connection.
type connPool struct {
	connector driver.Connector
	slots     chan struct{} // one element for each connection on loan

	mu   sync.Mutex
	idle []rawConn // the last one used is the first one lent: its cache is warm
}

func newConnPool(dsn string, size int) (*connPool, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return &connPool{connector: connector, slots: make(chan struct{}, size)}, nil
}

// take implements [source].
func (p *connPool) take(ctx context.Context) (rawConn, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	if last := len(p.idle) - 1; last >= 0 {
		conn := p.idle[last]
		p.idle = p.idle[:last]
		p.mu.Unlock()
		return conn, nil
	}
	p.mu.Unlock()
	conn, err := connectSQLite(ctx, p.connector)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return conn, nil
}

// give implements [source].
func (p *connPool) give(conn rawConn, broken bool) error {
	defer func() { <-p.slots }()
	if v, ok := conn.(driver.Validator); broken || ok && !v.IsValid() {
		return conn.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, conn)
	return nil
}

// close waits for the connections on loan and closes all. The pool lends nothing afterwards.
func (p *connPool) close() {
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.idle {
		_ = conn.Close() // committed transactions are safe, and there is nothing else to lose
	}
	p.idle = nil
}
