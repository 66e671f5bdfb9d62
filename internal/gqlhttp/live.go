package gqlhttp

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
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

	Sockets           int // 5,000 WebSockets and event streams at once, also of those who have not said who they are
	PerAccount        int // 100 of them for one account
	PerAddress        int // 500 of them for one address; of IPv6 for a network of 64 bits, of which a client has all addresses
	Operations        int // 50 at once on one WebSocket
	AccountOperations int // 500 at once on all WebSockets of one account

	MaxMessage  int64         // 256 KiB from a client at once; before it has said who it is, 16 KiB
	InitTimeout time.Duration // 3 s for a client to say who it is
	Keepalive   time.Duration // 25 s between two signs of life
	Patience    time.Duration // 10 s for a client to take what it is sent, to answer a ping, and to finish a message
}

func (cfg LiveConfig) orDefaults() LiveConfig {
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	cfg.Sockets = cmp.Or(cfg.Sockets, 5000)
	cfg.PerAccount = cmp.Or(cfg.PerAccount, 100)
	cfg.PerAddress = cmp.Or(cfg.PerAddress, 500)
	cfg.Operations = cmp.Or(cfg.Operations, 50)
	cfg.AccountOperations = cmp.Or(cfg.AccountOperations, 500)
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

	mu        sync.Mutex
	lines     map[*line]struct{}
	accounts  map[id.ID]int        // how many lines they have
	addresses map[netip.Prefix]int // how many come from there
	busy      map[id.ID]int        // how many operations run on the WebSockets of an account
	draining  bool
	open      sync.WaitGroup
}

// line is a connection that stays open: a WebSocket or an event stream.
type line struct {
	end     func(closure)
	from    netip.Prefix // zero: not known
	account id.ID        // zero: nobody's, or not known yet
}

// NewLive returns what serves x over lines that stay open. It is given to New, and drained when the server is. wall is the clock
// of this machine, by which the deadlines of its connections are.
func NewLive(x *operation.Executor, sessions Sessions, wall func() time.Time, cfg LiveConfig) *Live {
	return &Live{
		executor: x, sessions: sessions, wall: wall, cfg: cfg.orDefaults(),
		lines: make(map[*line]struct{}), accounts: make(map[id.ID]int), addresses: make(map[netip.Prefix]int),
		busy: make(map[id.ID]int),
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

// enter counts a new line from an address, or says why there can be none.
func (l *Live) enter(address string, end func(closure)) (*line, *refusal) {
	from := networkOf(address)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.draining, len(l.lines) >= l.cfg.Sockets:
		return nil, errFull
	case from.IsValid() && l.addresses[from] >= l.cfg.PerAddress:
		return nil, errCrowdedNetwork
	}
	entered := &line{end: end, from: from}
	l.lines[entered] = struct{}{}
	if from.IsValid() {
		l.addresses[from]++
	}
	l.open.Add(1)
	return entered, nil
}

// networkOf returns the network of whose addresses one client may have all; of an address that is none, the zero one. Who is
// given IPv6 at all is given 64 bits of it (RFC 6177).
func networkOf(address string) netip.Prefix {
	parsed, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	parsed = parsed.Unmap()
	network, err := parsed.Prefix(min(parsed.BitLen(), 64))
	if err != nil {
		return netip.Prefix{}
	}
	return network
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

// start counts an operation on a WebSocket of the account, and reports whether there may be one more. Whoever is nobody has no
// more than their sockets allow.
func (l *Live) start(accountID id.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if accountID == (id.ID{}) {
		return true
	}
	if l.busy[accountID] >= l.cfg.AccountOperations {
		return false
	}
	l.busy[accountID]++
	return true
}

// finish forgets an operation.
func (l *Live) finish(accountID id.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if accountID != (id.ID{}) {
		countDown(l.busy, accountID)
	}
}

// leave forgets a line.
func (l *Live) leave(open *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lines, open)
	if open.account != (id.ID{}) {
		countDown(l.accounts, open.account)
	}
	if open.from.IsValid() {
		countDown(l.addresses, open.from)
	}
	l.open.Done()
}

func countDown[K comparable](counts map[K]int, key K) {
	counts[key]--
	if counts[key] == 0 {
		delete(counts, key)
	}
}

// report logs an operation that is over, as the access log does a request.
func (l *Live) report(ctx context.Context, responses int, began time.Time) {
	const longest = 64 // bytes of an operation's name that the log repeats
	asked := request.FromContext(ctx).Operation
	attributes := []slog.Attr{
		slog.String("type", asked.Type), slog.Int("responses", responses),
		slog.Float64("ms", float64(l.wall().Sub(began).Microseconds())/1e3),
	}
	if name := asked.Name; name != "" {
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
	errCrowdedNetwork = &refusal{
		status: http.StatusServiceUnavailable, message: "Too many connections are open from this address: close one first.",
		header: "Retry-After", value: "5", code: fault.Unavailable,
	}
	errOrigin = &refusal{
		status: http.StatusForbidden, message: "Pages of this origin may not connect: add it to CORS_ORIGINS.", code: fault.Forbidden,
	}
)

// forOperation returns the information of one operation on a line of many.
func forOperation(info request.Info, number string) request.Info {
	info.ID += "." + number
	info.Operation = new(request.Operation)
	return info
}
