package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"gatehouse/internal/settings"
)

// healthTimeout is how long a server may take to say how it is.
const healthTimeout = 3 * time.Second

// healthcheckCommand asks a running server how it is.
type healthcheckCommand struct {
	settings.Listener
	Ready bool `help:"Ask whether it is ready for requests (/readyz), not only whether it lives (/healthz)."`
}

// Help teaches by example.
func (*healthcheckCommand) Help() string {
	return `In a Dockerfile, where there is no curl:

    HEALTHCHECK CMD ["gatehouse", "healthcheck", "--ready"]

It asks the server at ADDR on this machine. Exit code 0 means well, 1 means not.`
}

func (c *healthcheckCommand) run(ctx context.Context, _ process) (err error) {
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+dialable(c.Addr)+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("ADDR must be the address of a server, like 127.0.0.1:8080: %w", err)
	}
	// Of its own making, since the default one may send the question to a proxy.
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("no server answers at %s, start one with \"gatehouse serve\": %w", c.Addr, err)
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: look into the server's log", path, response.Status)
	}
	return nil
}

// dialable returns where to find, on this machine, what listens on address: every interface includes the loopback one.
func dialable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
