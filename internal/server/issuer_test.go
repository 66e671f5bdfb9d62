package server

import (
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// TestIssuerElsewhere: a server whose tokens name the default issuer says so when it starts, unless it is reached there.
func TestIssuerElsewhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		listening string
		flags     []string
		want      string // empty: nothing is said
	}{
		{"127.0.0.1:8080", nil, ""},
		{"0.0.0.0:8080", nil, ""},
		{"[::]:8080", nil, ""},
		{"127.0.0.1:9000", nil, "ISSUER=http://localhost:9000"},
		{"192.0.2.7:8080", nil, "ISSUER=http://192.0.2.7:8080"},
		{"127.0.0.1:9000", []string{"--issuer=http://localhost:8080"}, ""}, // whoever says so knows of a proxy
		{"127.0.0.1:9000", []string{"--mode=production", "--issuer=https://auth.example.com/"}, ""},
	} {
		var log logBuffer
		chosen, err := parse(process{Process{Args: append([]string{"serve"}, c.flags...), Lookup: noEnvironment}, gatehouse})
		if err != nil {
			t.Fatal(err)
		}
		serve, ok := chosen.(*serveCommand)
		if !ok {
			t.Fatalf("%v chose %T", c.flags, chosen)
		}
		url := reachableAt(&serve.Settings, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.listening)))
		warnOfIssuer(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), &serve.Settings, url)
		said := log.String()
		if c.want == "" && said != "" || c.want != "" &&
			(strings.Count(said, "\n") != 1 || !strings.Contains(said, "level=WARN") || !strings.Contains(said, `"`+c.want+`"`)) {
			t.Errorf("%s %v: want %q, got %s", c.listening, c.flags, c.want, said)
		}
	}

	_, address, log := startProcess(t)
	want := `"set":"ISSUER=http://` + address + `"`
	if said := log.String(); strings.Count(said, `"level":"WARN"`) != 1 || !strings.Contains(said, want) {
		t.Errorf("a server on another port starts with %s", said)
	}
}
