package origin

import (
	"net/netip"
	"slices"
	"strings"
)

// Policy says the pages of which origins may talk to the server. The zero Policy allows those that the server itself serves.
type Policy struct {
	Own      Origin   // where clients reach the server; over https, no page that came over http is the server's own
	Listed   []Origin // others, such as of the app that it serves
	Loopback bool     // whether every page of the browser's own machine may, on any port
}

// Allows reports whether a page of the origin may talk to the server: origin is the whole value of the Origin header, and host
// that of the Host header, as they were sent. An empty origin is not allowed: whoever may come without one is for the caller to
// say. It allocates nothing for the origins that are Own or Listed.
func (p Policy) Allows(origin, host string) bool {
	if origin == "" {
		return false
	}
	if Origin(origin) == p.Own || slices.Contains(p.Listed, Origin(origin)) {
		return true
	}
	page, err := Parse(origin)
	if err != nil || string(page) != origin {
		return false
	}
	scheme, place, _ := strings.Cut(origin, "://")
	if scheme != "http" && scheme != "https" {
		return false
	}
	if p.Loopback && loopback(place) {
		return true
	}
	if scheme == "http" && strings.HasPrefix(string(p.Own), "https://") {
		return false
	}
	here, err := Parse(scheme + "://" + host)
	return err == nil && here == page
}

// loopback reports whether place, a host and perhaps a port, is on the browser's own machine: localhost and the names below it
// (RFC 6761 section 6.3), 127.0.0.0/8 and ::1.
func loopback(place string) bool {
	host := place
	if i := strings.LastIndexByte(place, ':'); i > strings.LastIndexByte(place, ']') {
		host = place[:i]
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.IsLoopback()
}
