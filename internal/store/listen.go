package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// hintChannel is PostgreSQL's channel for all of ours, whose names are the payload: one LISTEN serves whoever comes later.
const hintChannel = "gatehouse"

const (
	// silence is how long a connection that listens may say nothing before it is asked for a sign of life: of one whose other
	// end has vanished, the network tells nothing.
	silence = 15 * time.Second

	firstReconnect = 50 * time.Millisecond
	lastReconnect  = 2 * time.Second
)

// announce implements [backend].
func (p *postgres) announce(ctx context.Context, channels []string, _ func(channel string)) error {
	var statements strings.Builder
	for _, channel := range channels { // whose names hold nothing to quote
		fmt.Fprintf(&statements, "NOTIFY %s, '%s';", hintChannel, channel)
	}
	return p.within(ctx, func(ctx context.Context) error {
		_, err := p.pool.Exec(ctx, statements.String())
		return err
	})
}

// listen implements [backend]. It connects again and again, and waits longer each time that fails.
func (p *postgres) listen(ctx context.Context, begun func(), hear func(channel string)) {
	backoff := firstReconnect
	for {
		heard := p.listenOnce(ctx, begun, hear)
		if heard {
			backoff = firstReconnect
		}
		if !pause(ctx, backoff) {
			return
		}
		backoff = min(2*backoff, lastReconnect)
	}
}

// listenOnce listens on a connection of its own until that fails or ctx ends. It reports whether it ever heard.
func (p *postgres) listenOnce(ctx context.Context, begun func(), hear func(channel string)) bool {
	conn, err := pgx.ConnectConfig(ctx, p.pool.Config().ConnConfig)
	if err != nil {
		return false
	}
	defer func() { _ = p.within(ctx, conn.Close) }() // whatever it says, nothing is lost with it
	if p.within(ctx, func(ctx context.Context) error { _, err := conn.Exec(ctx, "LISTEN "+hintChannel); return err }) != nil {
		return false
	}
	begun()
	for {
		waiting, cancel := context.WithTimeout(ctx, silence)
		news, err := conn.WaitForNotification(waiting)
		cancel()
		if err == nil {
			hear(news.Payload)
			continue
		}
		if !errors.Is(err, context.DeadlineExceeded) || p.within(ctx, conn.Ping) != nil {
			return true
		}
	}
}

// within bounds a call as any other to the database.
func (p *postgres) within(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	return call(ctx)
}

// announce implements [backend].
func (e *embedded) announce(_ context.Context, channels []string, hear func(channel string)) error {
	for _, channel := range channels {
		hear(channel)
	}
	return nil
}

// listen implements [backend]. What this DB announces is heard without it, and nothing else can be.
func (e *embedded) listen(ctx context.Context, begun func(), _ func(channel string)) {
	begun()
	<-ctx.Done()
}
