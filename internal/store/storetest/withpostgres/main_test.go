package main

import (
	"bytes"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/store/storetest/cluster"
)

// asCommand makes this test binary behave as withpostgres.
const asCommand = "WITHPOSTGRES_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// command returns withpostgres about to run a shell script, without a server given to it.
func command(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], "sh", "-c", script)
	c.Env = append(os.Environ(), asCommand+"=1", cluster.EnvironmentVariable+"=")
	c.Stderr = os.Stderr
	return c
}

// expectStopped checks that the server which a command was given is gone.
func expectStopped(t *testing.T, where string) {
	t.Helper()
	u, err := url.Parse(strings.TrimSpace(where))
	if err != nil || u.Query().Get("host") == "" {
		t.Fatalf("not the URL of a private server: %q", where)
	}
	if _, err := os.Stat(u.Query().Get("host")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the server's folder is still there: %v", err)
	}
}

func TestPassesTheExitCodeOn(t *testing.T) {
	t.Parallel()
	for _, want := range []int{0, 7} {
		c := command(t, `echo "$TEST_DATABASE_URL"; exit `+string(rune('0'+want)))
		output, err := c.Output()
		if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
			t.Fatal(err)
		}
		if got := c.ProcessState.ExitCode(); got != want {
			t.Errorf("exit code %d, want %d", got, want)
		}
		expectStopped(t, string(output))
	}
}

func TestStopsTheServerWhenInterrupted(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			told := filepath.Join(t.TempDir(), "url")
			c := command(t, `echo "$TEST_DATABASE_URL" > "`+told+`.part"; mv "`+told+`.part" "`+told+`"; exec sleep 100`)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			var where []byte
			for range 1000 {
				where, _ = os.ReadFile(told) // it appears when the server is up
				if len(where) > 0 {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			if err := c.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(); err == nil {
				t.Error("the exit code is 0 after an interrupt")
			}
			expectStopped(t, string(where))
		})
	}
}

func TestNothingToRun(t *testing.T) {
	t.Parallel()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), asCommand+"=1")
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Run(); c.ProcessState.ExitCode() != 2 || !strings.HasPrefix(said.String(), "usage: withpostgres") {
		t.Errorf("%v: %s", err, &said)
	}
}
