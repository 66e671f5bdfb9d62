package soak

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"gatehouse/internal/store/storetest"
)

// patience is how long anything may take before a proof gives up on it. The machine may be busy.
const patience = 60 * time.Second

// fleet is several processes of the server on one database.
type fleet struct {
	environment []string
	replicas    []*replica
	http        *http.Client
}

// replica is one process of a fleet. Its address stays the same when it is started again.
type replica struct {
	fleet   *fleet
	address string
	logPath string
	cmd     *exec.Cmd
}

// startFleet starts n processes on a new database of the kind, with further settings as NAME=value.
func startFleet(t *testing.T, kind string, n int, settings ...string) *fleet {
	t.Helper()
	return startFleetOn(t, storetest.URL(t, kind), n, settings...)
}

// startFleetOn starts n processes on a database.
func startFleetOn(t *testing.T, databaseURL string, n int, settings ...string) *fleet {
	t.Helper()
	f := newFleet(t, databaseURL, n, settings...)
	var starting errgroup.Group
	for _, r := range f.replicas {
		starting.Go(r.start)
	}
	if err := starting.Wait(); err != nil {
		t.Fatal(err)
	}
	return f
}

// newFleet prepares n processes without starting them. They are stopped when the test ends.
func newFleet(t *testing.T, databaseURL string, n int, settings ...string) *fleet {
	t.Helper()
	secret := make([]byte, 32)
	cryptorand.Read(secret) // never fails
	f := &fleet{
		environment: append(append(os.Environ(),
			"DATABASE_URL="+databaseURL, "SECRET="+base64.StdEncoding.EncodeToString(secret), "LOG_LEVEL=warn"), settings...),
		http: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 256}},
	}
	logs := t.TempDir()
	for _, address := range freeAddresses(t, n) {
		_, port, _ := strings.Cut(address, ":")
		f.replicas = append(f.replicas, &replica{fleet: f, address: address, logPath: filepath.Join(logs, port+".log")})
	}
	t.Cleanup(func() {
		f.http.CloseIdleConnections()
		for _, r := range f.replicas {
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			r.showLog(t)
		}
	})
	return f
}

// freeAddresses returns addresses that nothing listens on. Their ports are below those that Linux gives to outgoing connections:
// one of them could be taken before the server listens, also between its end and its next start.
func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	var addresses []string
	for range 100 * n {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.N(22_000))
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(addresses, address) {
			continue
		}
		if addresses = append(addresses, address); len(addresses) == n {
			return addresses
		}
	}
	t.Fatal("no ports are free")
	return nil
}

// command returns a command of the binary with the fleet's settings.
func (f *fleet) command(arguments ...string) *exec.Cmd {
	// Servers are ended by the test's cleanup, when its context is over already.
	cmd := exec.CommandContext(context.Background(), gatehouse, arguments...)
	cmd.Env = f.environment
	return cmd
}

// start starts the process and waits until it is ready.
func (r *replica) start() error {
	log, err := os.OpenFile(r.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	r.cmd = r.fleet.command("serve", "--addr="+r.address)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		return err
	}
	return r.ready()
}

// ready waits until the process says that it is ready.
func (r *replica) ready() error {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(5 * time.Millisecond) {
		response, err := r.get(context.Background(), "/readyz")
		if err != nil {
			continue
		}
		if err := response.Body.Close(); err != nil {
			return err
		}
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
	return errors.New("a server did not become ready: its log says why")
}

// get asks for a path.
func (r *replica) get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.address+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	return r.fleet.http.Do(request)
}

// kill ends the process as a power cut would: at once, whatever it is doing.
func (r *replica) kill() error {
	if err := r.cmd.Process.Kill(); err != nil {
		return err
	}
	err := r.cmd.Wait()
	r.cmd = nil
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
			return nil
		}
	}
	return errors.Join(errors.New("the process had ended by itself"), err)
}

// stop ends the process as an operator would; one that does not run stays as it is.
func (r *replica) stop() error {
	if r.cmd == nil || r.cmd.Process == nil {
		return nil
	}
	defer func() { r.cmd = nil }()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return r.cmd.Wait()
}

// showLog adds the end of the process's log to a test that failed.
func (r *replica) showLog(t *testing.T) {
	t.Helper()
	if !t.Failed() {
		return
	}
	log, err := os.Open(r.logPath)
	if err != nil {
		t.Log(err)
		return
	}
	defer log.Close()
	const most = 16 << 10
	if size, err := log.Seek(0, io.SeekEnd); err == nil {
		_, _ = log.Seek(max(0, size-most), io.SeekStart)
	}
	text, _ := io.ReadAll(log)
	t.Logf("the log of %s ends:\n%s", r.address, text)
}
