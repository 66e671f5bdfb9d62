package gqlhttp

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/operation"
	"gatehouse/internal/origin"
	"gatehouse/internal/request"
)

// Sessions says who a caller is, and for how long.
type Sessions interface {
	auth.Authenticator
	// Bind returns a context that ends when the caller is no longer who they were; its cause is a *fault.Error then, such as
	// UNAUTHENTICATED because their access token expired. The function ends it sooner and is called at last.
	Bind(ctx context.Context, caller *auth.Caller) (context.Context, context.CancelFunc)
}

// LiveConfig bounds what lives longer than one request. A zero field means the default beside it.
type LiveConfig struct {
	Origins origin.Policy // whose pages may open a WebSocket; default: those of the host they connect to
	Logger  *slog.Logger  // none

	Sockets    int // 5,000 WebSockets and event streams at once
	PerAccount int // 100 of them for one account
	Operations int // 50 at once on one WebSocket

	MaxMessage  int64         // 256 KiB from a client at once; before it has said who it is, 16 KiB
	InitTimeout time.Duration // 3 s for a client to say who it is
	Keepalive   time.Duration // 25 s between two signs of life
	Patience    time.Duration // 10 s for a client to take what it is sent, and to answer a ping
}

func (cfg LiveConfig) orDefaults() LiveConfig {
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	cfg.Sockets = cmp.Or(cfg.Sockets, 5000)
	cfg.PerAccount = cmp.Or(cfg.PerAccount, 100)
	cfg.Operations = cmp.Or(cfg.Operations, 50)
	cfg.MaxMessage = cmp.Or(cfg.MaxMessage, DefaultMaxBody)
	cfg.InitTimeout = cmp.Or(cfg.InitTimeout, 3*time.Second)
	cfg.Keepalive = cmp.Or(cfg.Keepalive, 25*time.Second)
	cfg.Patience = cmp.Or(cfg.Patience, 10*time.Second)
	return cfg
}

// Live answers operations whose answers take longer than a request: over WebSockets, in the protocol graphql-transport-ws, and as
// server-sent events, in the distinct connections mode of graphql-sse. Everything in it ends when its caller's access token does,
// and when the server drains. It is safe for concurrent use.
type Live struct {
	executor *operation.Executor
	sessions Sessions
	wall     func() time.Time
	cfg      LiveConfig
	scratch  sync.Pool // of *scratch

	mu       sync.Mutex
	lines    map[*line]struct{}
	accounts map[id.ID]int // how many lines they have
	draining bool
	open     sync.WaitGroup
}

// line is a connection that stays open: a WebSocket or an event stream.
type line struct {
	end     func(closure)
	account id.ID // zero: nobody's, or not known yet
}

// NewLive returns what serves x over lines that stay open. It is given to New, and drained when the server is. wall is the clock
// of this machine, by which the deadlines of its connections are.
func NewLive(x *operation.Executor, sessions Sessions, wall func() time.Time, cfg LiveConfig) *Live {
	return &Live{
		executor: x, sessions: sessions, wall: wall, cfg: cfg.orDefaults(),
		lines: make(map[*line]struct{}), accounts: make(map[id.ID]int),
	}
}

// Drain ends all lines, telling their clients to connect again, lets no new ones in, and waits until they are closed, or for ctx.
func (l *Live) Drain(ctx context.Context) error {
	l.mu.Lock()
	l.draining = true
	for open := range l.lines {
		open.end(restarting)
	}
	l.mu.Unlock()
	closed := make(chan struct{})
	go func() {
		l.open.Wait()
		close(closed)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter counts a new line, or says why there can be none.
func (l *Live) enter(end func(closure)) (*line, *refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.draining || len(l.lines) >= l.cfg.Sockets {
		return nil, errFull
	}
	entered := &line{end: end}
	l.lines[entered] = struct{}{}
	l.open.Add(1)
	return entered, nil
}

// own notes whose a line is, and reports whether they may have one more.
func (l *Live) own(open *line, accountID id.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if accountID == (id.ID{}) {
		return true
	}
	if l.accounts[accountID] >= l.cfg.PerAccount {
		return false
	}
	open.account = accountID
	l.accounts[accountID]++
	return true
}

// leave forgets a line.
func (l *Live) leave(open *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lines, open)
	if open.account != (id.ID{}) {
		l.accounts[open.account]--
		if l.accounts[open.account] == 0 {
			delete(l.accounts, open.account)
		}
	}
	l.open.Done()
}

// report logs an operation that is over, as the access log does a request.
func (l *Live) report(ctx context.Context, name, kind string, events int, began time.Time) {
	const longest = 64 // bytes of an operation's name that the log repeats
	attributes := []slog.Attr{
		slog.String("type", kind), slog.Int("responses", events), slog.Float64("ms", float64(l.wall().Sub(began).Microseconds())/1e3),
	}
	if name != "" {
		attributes = append(attributes, slog.String("operation", name[:min(len(name), longest)])) // a name is ASCII
	}
	if caller := auth.FromContext(ctx); caller.SignedIn() {
		attributes = append(attributes, slog.String("account", caller.AccountID.String()))
	}
	l.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "operation", attributes...)
}

// borrow returns a scratch, to be given back.
func (l *Live) borrow() *scratch {
	if s, ok := l.scratch.Get().(*scratch); ok {
		return s
	}
	return newScratch()
}

func (l *Live) giveBack(s *scratch) {
	if s.wipe() {
		l.scratch.Put(s)
	}
}

// The refusals of a line.
var (
	errFull = &refusal{
		status: http.StatusServiceUnavailable, message: "No more connections can stay open at the moment: try again in a while.",
		header: "Retry-After", value: "5", code: fault.Unavailable,
	}
	errCrowded = &refusal{
		status: http.StatusServiceUnavailable, message: "The account has too many connections open: close one first.",
		header: "Retry-After", value: "5", code: fault.Unavailable,
	}
	errOrigin = &refusal{
		status: http.StatusForbidden, message: "Pages of this origin may not connect: add it to CORS_ORIGINS.", code: fault.Forbidden,
	}
)

// forOperation returns the information of one operation on a line of many.
func forOperation(info request.Info, number string) request.Info {
	info.ID += "." + number
	info.Operation = nil
	return info
}
