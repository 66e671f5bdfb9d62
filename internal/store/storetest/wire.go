package storetest

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Wire stands between a store and its PostgreSQL, so that a test can take the database away. It is safe for concurrent use.
type Wire struct {
	t       testing.TB
	address string // a Unix socket's, which nobody else takes while it is away
	target  func(context.Context) (net.Conn, error)
	silent  sync.RWMutex

	mu       sync.Mutex
	listener net.Listener // nil while the wire is cut
	conns    []net.Conn
}

// NewWire returns a wire to the database at databaseURL, cut when the test ends, and the URL of its near end.
func NewWire(t testing.TB, databaseURL string) (w *Wire, near string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	// Either part may stand in the authority or among the parameters; a host that is a folder holds a socket.
	query := u.Query()
	host, port := cmp.Or(query.Get("host"), u.Hostname()), cmp.Or(query.Get("port"), u.Port(), "5432")
	network, far := "tcp", net.JoinHostPort(host, port)
	if strings.HasPrefix(host, "/") {
		network, far = "unix", socketIn(host, port)
	}
	folder := t.TempDir()
	w = &Wire{
		t: t, address: socketIn(folder, port),
		target: func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, far) },
	}
	w.Connect()
	t.Cleanup(w.Cut)
	query.Set("host", folder)
	query.Set("port", port)
	u.Host, u.RawQuery = "", query.Encode()
	return w, u.String()
}

// socketIn returns where PostgreSQL has its socket in a folder.
func socketIn(folder, port string) string { return filepath.Join(folder, ".s.PGSQL."+port) }

// Cut ends every connection and refuses new ones: a database that is gone.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.listener != nil {
		_ = w.listener.Close()
	}
	for _, conn := range w.conns {
		_ = conn.Close()
	}
	w.listener, w.conns = nil, nil
}

// Connect lets connections in again, after Cut.
func (w *Wire) Connect() {
	listener, err := new(net.ListenConfig).Listen(w.t.Context(), "unix", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener = listener
	go w.accept(listener)
}

// Silence keeps connections open, accepts new ones and passes nothing on: a database that hangs, which is worse than one that is
// gone, since nothing refuses the connection.
func (w *Wire) Silence() { w.silent.Lock() }

// Resume passes on what has come since Silence, and what comes.
func (w *Wire) Resume() { w.silent.Unlock() }

func (w *Wire) accept(listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return // cut
		}
		far, err := w.target(w.t.Context())
		if err != nil { // the database is down
			_ = near.Close()
			continue
		}
		w.mu.Lock()
		if w.listener == listener {
			w.conns = append(w.conns, near, far)
			go w.carry(near, far)
			go w.carry(far, near)
		} else { // cut meanwhile
			_, _ = near.Close(), far.Close()
		}
		w.mu.Unlock()
	}
}

// carry passes on what comes from one end until either is closed, and then closes both.
func (w *Wire) carry(from, to net.Conn) {
	_, _ = io.Copy(speaker{to, &w.silent}, from)
	_, _ = from.Close(), to.Close()
}

// speaker writes while nobody holds silent.
type speaker struct {
	io.Writer
	silent *sync.RWMutex
}

func (s speaker) Write(text []byte) (int, error) {
	s.silent.RLock()
	defer s.silent.RUnlock()
	return s.Writer.Write(text)
}
