package cluster

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// engine stands in for Docker where there is none: it writes down what it is asked and answers with a server that runs here.
const engine = `#!/bin/sh
echo "$@" >> "$ENGINE_LOG"
case "$*" in
*" up "*) cat >> "$ENGINE_LOG" ;;
*" port "*) echo "$ENGINE_ADDRESS" ;;
esac
`

func TestDockerCompose(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	server, err := Start(t.Context(), Options{Settings: map[string]string{"listen_addresses": "127.0.0.1", "port": port}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	folder := t.TempDir()
	log := filepath.Join(folder, "log")
	if err := os.WriteFile(filepath.Join(folder, "docker"), []byte(engine), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("ENGINE_LOG", log)
	t.Setenv("ENGINE_ADDRESS", address)

	if !dockerRuns(t.Context()) {
		t.Fatal("the engine was not found")
	}
	c, err := startDocker(t.Context(), Options{Settings: map[string]string{"max_connections": "200"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "postgres://postgres@" + address + "/postgres?sslmode=disable"; c.URL() != want {
		t.Errorf("got %s, want %s", c.URL(), want)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	asked, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, want := range []string{
		"compose version", "info", " up --detach", "image: postgres:", `"-c", "max_connections=200"`, `ports: ["127.0.0.1::5432"]`,
		" port postgres 5432", " down --volumes",
	} {
		found := strings.Index(string(asked[at:]), want)
		if found < 0 {
			t.Fatalf("%q is missing, or not in this order:\n%s", want, asked)
		}
		at += found
	}
}
