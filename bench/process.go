package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a running Gatehouse that was started as its users start it: the built binary, settings in the environment.
type server struct {
	address string
	startup time.Duration // from exec to the first good /readyz
	cmd     *exec.Cmd
	log     *bytes.Buffer
}

// build compiles Gatehouse as the Dockerfile does and returns the binary's path.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "gatehouse")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build gatehouse: %w\n%s", err, out)
	}
	return binary, nil
}

// start runs the binary on a free port, with further settings as NAME=value, and waits until it is ready.
func start(ctx context.Context, binary, databaseURL, secret string, settings ...string) (*server, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s := &server{address: address, log: new(bytes.Buffer)}
	s.cmd = exec.CommandContext(ctx, binary, "serve")
	s.cmd.Env = append(append(os.Environ(), "ADDR="+address, "DATABASE_URL="+databaseURL, "SECRET="+secret), settings...)
	s.cmd.Stdout, s.cmd.Stderr = nil, s.log
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 15 * time.Second

	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for time.Since(began) < 20*time.Second {
		if ready(ctx, address) {
			s.startup = time.Since(began)
			return s, nil
		}
		time.Sleep(time.Millisecond)
	}
	_ = s.stop() // it never became ready: its log says more than its exit
	return nil, fmt.Errorf("gatehouse was not ready within 20 s:\n%s", s.log)
}

// stop ends the server as an operator would and waits for it.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("gatehouse ended with %w:\n%s", err, s.log)
	}
	return nil
}

// resident returns the server's resident memory in MiB.
func (s *server) resident() (float64, error) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kib)[0], 64)
			return n / 1024, err
		}
	}
	return 0, fmt.Errorf("no VmRSS for process %d", s.cmd.Process.Pid)
}

// watchResident samples the server's resident memory until the context ends and returns the peak in MiB.
func (s *server) watchResident(ctx context.Context) (peak float64, err error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := s.resident()
		if err != nil {
			return 0, err
		}
		peak = max(peak, now)
		select {
		case <-ctx.Done():
			return peak, nil
		case <-tick.C:
		}
	}
}

func ready(ctx context.Context, address string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
