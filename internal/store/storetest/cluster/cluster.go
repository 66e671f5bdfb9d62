// Package cluster owns finding a PostgreSQL server for tests and benchmarks, starting one where there is none, and stopping
// what it started, whatever becomes of the process that asked.
//
// It must never touch a server or data that it did not create.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// EnvironmentVariable names the server that tests use instead of starting one. Its user must be allowed to create databases.
const EnvironmentVariable = "TEST_DATABASE_URL"

// Options says what a started server is like. The zero value is right for tests.
type Options struct {
	// Settings are added to postgresql.conf and win over the defaults: no durability, and 300 connections.
	Settings map[string]string
	// Install permits installing PostgreSQL with apt-get, as root on Debian, when nothing else is found.
	Install bool
	// Log is told, a line each, what takes long. Nil means nobody.
	Log io.Writer
}

// Cluster is a running PostgreSQL server.
type Cluster struct {
	url   string
	local *local // nil unless started here
	guard *guard // nil unless something must be cleaned up
}

var errNone = errors.New("cluster: there is no PostgreSQL to test with: install it (on Debian: apt-get install postgresql; " +
	"on macOS: brew install postgresql), or start Docker, or set " + EnvironmentVariable +
	" to the URL of a server where tests may create databases")

// Find returns the server that [EnvironmentVariable] names, or else a new one: from an initdb on this machine, from Docker, or
// (where permitted) from a package that it installs. The error says what to install.
func Find(ctx context.Context, options Options) (*Cluster, error) {
	if url := os.Getenv(EnvironmentVariable); url != "" {
		c := &Cluster{url: url}
		if err := c.answers(ctx); err != nil {
			return nil, fmt.Errorf("cluster: the server of %s does not answer: %w", EnvironmentVariable, err)
		}
		return c, nil
	}
	if _, err := binaries(); err == nil {
		return Start(ctx, options)
	}
	if dockerRuns(ctx) {
		return startDocker(ctx, options)
	}
	if options.Install && installable() {
		if err := install(ctx, options); err != nil {
			return nil, err
		}
		return Start(ctx, options)
	}
	return nil, errNone
}

// URL returns where the server is: its maintenance database, with a user who may create others.
func (c *Cluster) URL() string { return c.url }

// Stop ends the server and removes its data, if it was started here.
func (c *Cluster) Stop() error {
	if c.guard == nil {
		return nil
	}
	return c.guard.release()
}

// answers waits until the server accepts a connection.
func (c *Cluster) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// settings returns what goes into postgresql.conf.
func (o Options) settings() map[string]string {
	settings := map[string]string{
		"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
		"port": "5432", "max_connections": "300", "shared_buffers": "64MB",
	}
	maps.Copy(settings, o.Settings)
	return settings
}

func (o Options) say(format string, args ...any) {
	if o.Log != nil {
		fmt.Fprintf(o.Log, format+"\n", args...)
	}
}
