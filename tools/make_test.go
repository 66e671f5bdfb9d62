package tools_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// target is a target of the Makefile that a person may run.
var target = regexp.MustCompile(`(?m)^([a-z-]+):.*##`)

func TestMakeListsItsTargets(t *testing.T) {
	help := output(t.Context(), t, root, "make")
	for _, match := range target.FindAllStringSubmatch(string(read(t, "Makefile")), -1) {
		if !strings.Contains(help, "make "+match[1]) {
			t.Errorf("make does not list %s", match[1])
		}
	}
}

// TestMakeRun does what the README promises: one command, and the server answers, a browser with the playground that make has
// built; Ctrl-C, and it ends well.
func TestMakeRun(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "run")
	cmd.Dir = root
	cmd.Env = append(os.Environ(),
		"ADDR=127.0.0.1:0", "LOG_FORMAT=json", "DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "gatehouse.db"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	interrupt := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.Cancel, cmd.WaitDelay = interrupt, 20*time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	var last struct{ Msg, URL string }
	lines := bufio.NewScanner(stderr)
	for last.URL == "" && lines.Scan() {
		_ = json.Unmarshal(lines.Bytes(), &last) // other lines are the Go tool's
	}
	if last.URL == "" {
		t.Fatalf("make run ended before the server was ready: %v", cmd.Wait())
	}
	get(t, last.URL+"/readyz", "*/*")
	if page := get(t, last.URL+"/", "text/html,*/*;q=0.8"); !strings.Contains(page, "<title>Gatehouse playground</title>") {
		t.Errorf("where make finds npm a browser is shown the playground, and not\n%s", page)
	}

	if err := interrupt(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		_ = json.Unmarshal(lines.Bytes(), &last)
	}
	if last.Msg != "drained" {
		t.Errorf("the server ended with %q, and did not drain", last.Msg)
	}
	_ = cmd.Wait() // make reports the interrupt as a failure, which it is not
}
