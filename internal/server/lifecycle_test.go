package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/store/storetest"
)

// halfRequest is a request that has begun and not ended: its body is still on the way.
type halfRequest struct {
	net.Conn
	answer *bufio.Reader
	rest   string
}

// beginRequest sends a registration but for the second half of its body, and returns when the server has begun to read the
// first: it asks for that by 100 Continue.
func beginRequest(t *testing.T, address, email string) *halfRequest {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	body, err := json.Marshal(map[string]any{
		"query":     registerMutation,
		"variables": map[string]any{"input": map[string]any{"email": email, "password": goodPassword}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(body))
	if err != nil {
		t.Fatal(err)
	}
	answer := bufio.NewReader(conn)
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		if line, err := answer.ReadString('\n'); err != nil || line != want {
			t.Fatalf("instead of asking for the body the server said %q, %v", line, err)
		}
	}
	half := len(body) / 2
	if _, err := conn.Write(body[:half]); err != nil {
		t.Fatal(err)
	}
	return &halfRequest{conn, answer, string(body[half:])}
}

// finish sends the second half and returns the answer.
func (r *halfRequest) finish(t *testing.T) (status int, body string) {
	t.Helper()
	if _, err := io.WriteString(r, r.rest); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(r.answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestDrain(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind, "--mode=production", "--issuer=http://localhost:8080")
			if got := s.send(t, http.MethodGet, "/readyz", ""); got.Status != http.StatusOK {
				t.Fatalf("readyz before: %d %s", got.Status, got.Body)
			}
			address := strings.TrimPrefix(s.URL, "http://")
			request := beginRequest(t, address, "ada@example.com")

			begin := wall()
			s.stop()
			eventually(t, 10*time.Second, "readiness is off", func() bool { return s.ready.draining.Load() })
			got := s.send(t, http.MethodGet, "/readyz", "")
			if got.Status != http.StatusServiceUnavailable || !strings.Contains(got.Body, "draining") {
				t.Errorf("readyz while draining: %d %s", got.Status, got.Body)
			}
			if got := s.send(t, http.MethodGet, "/healthz", ""); got.Status != http.StatusOK {
				t.Errorf("healthz while draining: %d", got.Status)
			}
			eventually(t, 20*time.Second, "no connection is accepted", func() bool {
				conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
				if err == nil {
					_ = conn.Close()
				}
				return err != nil
			})
			status, body := request.finish(t)
			if status != http.StatusOK || !strings.Contains(body, "ada@example.com") {
				t.Errorf("the request in flight: %d %s", status, body)
			}
			if err := s.drain(t); err != nil {
				t.Errorf("serve: %v", err)
			}
			if took := wall().Sub(begin); took > 10*time.Second {
				t.Errorf("the drain took %s", took)
			}
		})
	}
}

// startProcess starts the server as a process and returns it with its address and its log, once it is ready.
func startProcess(t *testing.T) (server *exec.Cmd, address string, log *logBuffer) {
	t.Helper()
	path, environment := asProcess(t)
	server = exec.CommandContext(context.WithoutCancel(t.Context()), path, "serve", "--addr=127.0.0.1:0", "--log-format=json")
	server.Env, server.Dir = environment, t.TempDir()
	stderr, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // or it might still write to its folder, which goes now
	})
	log = new(logBuffer)
	lines := bufio.NewScanner(io.TeeReader(stderr, log))
	for lines.Scan() {
		var line struct{ Msg, URL string }
		if err := json.Unmarshal(lines.Bytes(), &line); err == nil && line.URL != "" {
			go func() { _, _ = io.Copy(log, stderr) }()
			return server, strings.TrimPrefix(line.URL, "http://"), log
		}
	}
	t.Fatalf("the server ended before it was ready: %v", server.Wait())
	return nil, "", nil
}

// draining waits until a process has said that it drains.
func draining(t *testing.T, log *logBuffer) {
	t.Helper()
	eventually(t, 10*time.Second, "the server drains", func() bool { return strings.Contains(log.String(), "draining") })
}

func TestTerminationEndsTheProcessWell(t *testing.T) {
	t.Parallel()
	server, address, log := startProcess(t)
	request := beginRequest(t, address, "ada@example.com")
	begin := wall()
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	draining(t, log)
	if status, body := request.finish(t); status != http.StatusOK || !strings.Contains(body, "ada@example.com") {
		t.Errorf("the request in flight: %d %s", status, body)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("the process: %v", err)
	}
	if took := wall().Sub(begin); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestSecondSignalEndsTheProcessAtOnce(t *testing.T) {
	t.Parallel()
	server, address, log := startProcess(t)
	beginRequest(t, address, "ada@example.com")
	if err := server.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	draining(t, log)
	go func() {
		// The moment from which a signal is nobody's to catch comes shortly after the server has said that it drains.
		for server.Process.Signal(syscall.SIGINT) == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	err := server.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatalf("the process: %v", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("the process: %v", err)
	}
}

// TestDrainGivesUp covers a request that never ends: the drain is over before orchestrators lose patience.
func TestDrainGivesUp(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.SQLite)
	address := strings.TrimPrefix(s.URL, "http://")
	beginRequest(t, address, "ada@example.com")
	begin := wall()
	if err := s.drain(t); err != nil {
		t.Errorf("serve: %v", err)
	}
	if took := wall().Sub(begin); took > 10*time.Second {
		t.Errorf("the drain took %s", took)
	}
	if !strings.Contains(s.Log.String(), "cut off") {
		t.Errorf("the log does not say that a request was cut off: %s", s.Log)
	}
}
