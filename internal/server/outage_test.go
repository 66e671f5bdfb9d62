package server

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store/storetest"
)

// wire stands between a server and its PostgreSQL, so that a test can take the database away.
type wire struct {
	t       *testing.T
	target  func(context.Context) (net.Conn, error)
	address string // a Unix socket's, which nobody else takes while it is away

	mu       sync.Mutex
	listener net.Listener // nil while the wire is cut
	conns    []net.Conn
	silent   bool
}

// newWire returns a wire to the database at databaseURL, and the URL of its near end.
func newWire(t *testing.T, databaseURL string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	// Either part may stand in the authority or among the parameters; a host that is a folder holds a socket.
	query := u.Query()
	host, port := cmp.Or(query.Get("host"), u.Hostname()), cmp.Or(query.Get("port"), u.Port(), "5432")
	query.Del("host")
	query.Del("port")
	network, far := "tcp", net.JoinHostPort(host, port)
	if strings.HasPrefix(host, "/") {
		network, far = "unix", host+"/.s.PGSQL."+port
	}
	w := &wire{t: t, target: func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, far) }}
	folder := t.TempDir()
	w.address = filepath.Join(folder, ".s.PGSQL.5432")
	w.connect()
	t.Cleanup(w.cut)
	query.Set("host", folder)
	u.Host, u.RawQuery = "", query.Encode()
	return w, u.String()
}

// connect lets everything through, at the address of the first time.
func (w *wire) connect() {
	listener, err := new(net.ListenConfig).Listen(w.t.Context(), "unix", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener, w.silent = listener, false
	go w.accept(listener)
}

// cut ends every connection and refuses new ones.
func (w *wire) cut() {
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

// silence keeps connections open, accepts new ones and lets nothing through: a database that hangs.
func (w *wire) silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = true
}

func (w *wire) accept(listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := w.target(w.t.Context())
		if err != nil {
			_ = near.Close()
			continue
		}
		w.mu.Lock()
		if w.listener == listener {
			w.conns = append(w.conns, near, far)
			go w.carry(near, far)
			go w.carry(far, near)
		} else { // it was cut meanwhile
			_, _ = near.Close(), far.Close()
		}
		w.mu.Unlock()
	}
}

func (w *wire) carry(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.mu.Lock()
		silent := w.silent
		w.mu.Unlock()
		if !silent && n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// soonEnough is when an answer has to be there that the database does not give: the deadline of two seconds, and what hashing a
// password and a busy machine may add.
const soonEnough = 8 * time.Second

func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*wire){"gone": (*wire).cut, "hangs": (*wire).silence} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire, databaseURL := newWire(t, storetest.URL(t, storetest.Postgres))
			s := startServerOn(t, databaseURL)
			token := s.register(t, "ada@example.com")
			login := map[string]any{"input": map[string]any{"email": "ada@example.com", "password": goodPassword}}

			fail(wire)
			for operation, ask := range map[string]func() answer{
				"me":    func() answer { return s.ask(t, token, meQuery, nil) },
				"login": func() answer { return s.ask(t, "", loginMutation, login) },
				"register": func() answer {
					return s.ask(t, "", registerMutation, map[string]any{
						"input": map[string]any{"email": "eve@example.com", "password": goodPassword},
					})
				},
			} {
				got := ask()
				if got.code() != "SERVICE_UNAVAILABLE" || got.Took > soonEnough {
					t.Errorf("%s: after %s: %d %s", operation, got.Took, got.Status, got.Body)
				}
			}
			if log := s.Log.String(); strings.Count(log, "an operation could not be answered") < 3 {
				t.Errorf("the log does not say why: %s", log)
			}
			got := s.send(t, http.MethodGet, "/readyz", "")
			if got.Status != http.StatusServiceUnavailable || !strings.Contains(got.Body, `"database"`) || got.Took > soonEnough {
				t.Errorf("readyz: after %s: %d %s", got.Took, got.Status, got.Body)
			}
			if got := s.send(t, http.MethodGet, "/healthz", ""); got.Status != http.StatusOK {
				t.Errorf("healthz: %d %s", got.Status, got.Body)
			}

			wire.cut() // a hanging server is ended before it is started again
			wire.connect()
			eventually(t, 30*time.Second, "me answers again", func() bool {
				return s.ask(t, token, meQuery, nil).at("me", "email") == "ada@example.com"
			})
			eventually(t, 30*time.Second, "it is ready again", func() bool {
				return s.send(t, http.MethodGet, "/readyz", "").Status == http.StatusOK
			})
			if got := s.ask(t, "", loginMutation, login); got.at("login", "tokens", "accessToken") == nil {
				t.Errorf("login: %s", got.Body)
			}
		})
	}
}
