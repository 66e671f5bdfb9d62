package web

import (
	"net/http"
	"net/netip"
	"strings"

	"gatehouse/internal/id"
	"gatehouse/internal/request"
)

const (
	requestIDHeader = "X-Request-Id"
	maxRequestID    = 64  // bytes; longer ones are replaced by our own
	maxUserAgent    = 512 // bytes; the rest is cut off
)

// identify begins the exchange: it gives the request its [request.Info], in the context and on the response.
func identify(cfg Config, next step) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{ResponseWriter: w}
		x.info = request.Info{
			ID:        requestID(r.Header, cfg),
			Address:   clientAddress(r, cfg.TrustedProxies),
			UserAgent: cutText(r.UserAgent(), maxUserAgent),
			Operation: &x.operation,
		}
		w.Header()[requestIDHeader] = []string{x.info.ID}
		next(x, r.WithContext(request.NewContext(r.Context(), x.info)))
	})
}

// requestID returns the id that the request came with, where it is short and plain enough to be repeated in logs and
// headers; else a new one.
func requestID(h http.Header, cfg Config) string {
	if sent := h[requestIDHeader]; len(sent) == 1 && plainID(sent[0]) {
		return sent[0]
	}
	return id.New(cfg.Now()).String()
}

func plainID(text string) bool {
	if text == "" || len(text) > maxRequestID {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// clientAddress returns the address of whoever sent the request. Every trusted proxy appends the address it was spoken to
// from to X-Forwarded-For; so, from the right, the first address that is no trusted proxy is the client's, and what stands
// left of it is hearsay. Where an element is not an address, the proxy that passed it on is as far as we can see.
func clientAddress(r *http.Request, trusted []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	address := peer.Addr().Unmap().WithZone("")
	if !contains(trusted, address) {
		return address.String()
	}
	hops := strings.Join(r.Header["X-Forwarded-For"], ",")
	for hops != "" && contains(trusted, address) {
		last := hops
		if i := strings.LastIndexByte(hops, ','); i >= 0 {
			hops, last = hops[:i], hops[i+1:]
		} else {
			hops = ""
		}
		hop, ok := parseHop(strings.TrimSpace(last))
		if !ok {
			break
		}
		address = hop
	}
	return address.String()
}

// parseHop reads an element of X-Forwarded-For: an address, which some proxies write with a port.
func parseHop(text string) (netip.Addr, bool) {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Unmap().WithZone(""), true
	}
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

func contains(networks []netip.Prefix, address netip.Addr) bool {
	for _, network := range networks {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// cutText returns text as valid UTF-8 of at most limit bytes. What is cut off inside a character, or was never valid, goes.
func cutText(text string, limit int) string {
	return strings.ToValidUTF8(text[:min(len(text), limit)], "")
}
