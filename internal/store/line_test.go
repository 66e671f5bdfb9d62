package store_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
)

// line carries the connections to a PostgreSQL server, and can fall silent: what is on it then waits, and so does whoever
// connects anew. To those at its ends that is a server that hangs.
type line struct {
	net.Listener
	server string // the path of the server's socket
	silent sync.RWMutex
}

// newLine begins a line to the server at address, and returns it with the address of its near end.
func newLine(t *testing.T, address string) (l *line, near string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = &line{Listener: listener, server: filepath.Join(query.Get("host"), ".s.PGSQL."+query.Get("port"))}
	var carrying sync.WaitGroup
	carrying.Go(func() { l.accept(t.Context(), &carrying) })
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		carrying.Wait()
	})
	u.Host = listener.Addr().String()
	u.RawQuery = url.Values{"sslmode": {"disable"}}.Encode()
	return l, u.String()
}

func (l *line) accept(ctx context.Context, carrying *sync.WaitGroup) {
	for {
		near, err := l.Accept()
		if err != nil {
			return // closed
		}
		far, err := new(net.Dialer).DialContext(ctx, "unix", l.server)
		if err != nil { // the server is down
			_ = near.Close()
			continue
		}
		carrying.Go(func() { l.carry(near, far) })
		carrying.Go(func() { l.carry(far, near) })
	}
}

// carry passes on what comes from one end until either is closed, and then closes both.
func (l *line) carry(from, to net.Conn) {
	_, _ = io.Copy(speaker{to, &l.silent}, from)
	_, _ = from.Close(), to.Close()
}

// speaker is a connection that is written to while nobody holds silent.
type speaker struct {
	io.Writer
	silent *sync.RWMutex
}

func (s speaker) Write(text []byte) (int, error) {
	s.silent.RLock()
	defer s.silent.RUnlock()
	return s.Writer.Write(text)
}
