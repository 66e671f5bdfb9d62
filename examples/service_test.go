package examples_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that happens by itself: CI is a slow machine.
const patience = time.Minute

// service is a running example.
type service struct {
	name string
	url  string
}

// startServices starts every resource server of this folder, each for tokens of issuer, and returns them when they listen.
// They end with the test.
func startServices(t *testing.T, issuer string) []service {
	t.Helper()
	python, err := python()
	must(t, err)
	node, err := node()
	must(t, err)
	built := build(t)
	return []service{
		startService(t, issuer, "flask", python, "-m", "flask", "--app", "app", "run", "--port", "0"),
		startService(t, issuer, "fastapi", python, "-m", "uvicorn", "app:app", "--port", "0"),
		startService(t, issuer, "node", node, "app.js"),
		startService(t, issuer, "go", built),
	}
}

// listening is what every one of them says when it does.
var listening = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// startService runs a command in the folder called name.
func startService(t *testing.T, issuer, name string, command ...string) service {
	t.Helper()
	said := new(output)
	process := exec.CommandContext(t.Context(), command[0], command[1:]...)
	process.Cancel = func() error { return process.Process.Signal(syscall.SIGTERM) }
	process.WaitDelay = patience
	process.Dir, process.Stdout, process.Stderr = name, said, said
	process.Env = []string{
		"ISSUER=" + issuer, "PORT=0", "ADDR=127.0.0.1:0", "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(),
		"PYTHONDONTWRITEBYTECODE=1",
	}
	if err := process.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = process.Wait() // which a signal ends, or what is said below
	}()
	t.Cleanup(func() {
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", name, said)
		}
	})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if url := listening.FindString(said.String()); url != "" {
			return service{name, url}
		}
		select {
		case <-ended:
			t.Fatalf("%s ended before it listened: %v\n%s", name, process.ProcessState, said)
		default:
		}
	}
	t.Fatalf("%s does not listen:\n%s", name, said)
	return service{}
}

// answer is what a service answered.
type answer struct {
	status    int
	challenge string // the WWW-Authenticate header
	retry     string // the Retry-After header
	body      string
}

// get asks a service for what is at path. The Authorization header is not sent if authorization is empty.
func (s service) get(t *testing.T, path, authorization string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, http.NoBody)
	must(t, err)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	must(t, err)
	body, err := io.ReadAll(response.Body)
	must(t, err)
	must(t, response.Body.Close())
	h := response.Header
	return answer{response.StatusCode, h.Get("WWW-Authenticate"), h.Get("Retry-After"), strings.TrimSpace(string(body))}
}

// eventually waits until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so within %v: %s", patience, what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// output is what a process writes; it may be written and read at once.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
