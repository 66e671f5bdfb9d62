package cluster_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gatehouse/internal/store/storetest/cluster"
)

func start(t *testing.T, options cluster.Options) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ask(ctx context.Context, t *testing.T, where, query string) string {
	t.Helper()
	conn, err := pgx.Connect(ctx, where)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var answer string
	if err := conn.QueryRow(ctx, query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// folderOf returns the folder that a private server lives in.
func folderOf(t *testing.T, where string) string {
	t.Helper()
	u, err := url.Parse(strings.TrimSpace(where))
	if err != nil || u.Query().Get("host") == "" {
		t.Fatalf("not the URL of a private server: %q", where)
	}
	return u.Query().Get("host")
}

// expectGone waits until neither the server nor its folder is there.
func expectGone(t *testing.T, where string) {
	t.Helper()
	folder := folderOf(t, where)
	var failed error
	for range 1200 {
		_, failed = os.Stat(folder)
		if errors.Is(failed, fs.ErrNotExist) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !errors.Is(failed, fs.ErrNotExist) {
		t.Errorf("%s is still there", folder)
	}
	if conn, err := pgx.Connect(t.Context(), where); err == nil {
		t.Errorf("the server still answers: %v", conn.Close(t.Context()))
	}
}

func TestSettingsAndStop(t *testing.T) {
	t.Parallel()
	c := start(t, cluster.Options{Settings: map[string]string{"max_connections": "17", "cluster_name": "it's mine"}})
	for query, want := range map[string]string{
		"SHOW max_connections": "17", "SHOW cluster_name": "it's mine", "SHOW fsync": "off", "SHOW server_encoding": "UTF8",
	} {
		if got := ask(t.Context(), t, c.URL(), query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	expectGone(t, c.URL())
}

func TestCrashKeepsTheData(t *testing.T) {
	t.Parallel()
	c := start(t, cluster.Options{})
	before := ask(t.Context(), t, c.URL(), "SELECT system_identifier::text FROM pg_control_system()")
	if err := c.Crash(); err != nil {
		t.Fatal(err)
	}
	if conn, err := pgx.Connect(t.Context(), c.URL()); err == nil {
		t.Errorf("the server still answers: %v", conn.Close(t.Context()))
	}
	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := ask(t.Context(), t, c.URL(), "SELECT system_identifier::text FROM pg_control_system()")
	if before != after {
		t.Errorf("another server came back: %s, then %s", before, after)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	expectGone(t, c.URL())
}

func TestServerThatDoesNotStartSaysWhy(t *testing.T) {
	t.Parallel()
	c := start(t, cluster.Options{})
	if err := c.Crash(); err != nil {
		t.Fatal(err)
	}
	settings, err := os.OpenFile(filepath.Join(folderOf(t, c.URL()), "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	reason := []byte("max_connections")
	_, err = settings.WriteString("max_connections = none\n")
	if err := errors.Join(err, settings.Close()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := filepath.Join(folderOf(t, c.URL()), "log")
	go func() { // nobody waits for it any longer than until it has said so
		for ctx.Err() == nil {
			if said, err := os.ReadFile(log); err == nil && bytes.Contains(said, reason) {
				cancel()
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	if err := c.Restart(ctx); err == nil || !strings.Contains(err.Error(), string(reason)) {
		t.Errorf("got %v", err)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	expectGone(t, c.URL())
}

func TestFindTakesTheServerItIsGiven(t *testing.T) {
	mine := start(t, cluster.Options{})
	t.Setenv(cluster.EnvironmentVariable, mine.URL())
	found, err := cluster.Find(t.Context(), cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if found.URL() != mine.URL() {
		t.Errorf("found %s, want %s", found.URL(), mine.URL())
	}
	if err := found.Stop(); err != nil {
		t.Error(err)
	}
	if got := ask(t.Context(), t, mine.URL(), "SELECT 'still here'"); got != "still here" {
		t.Error(got)
	}
	if err := mine.Stop(); err != nil {
		t.Error(err)
	}
}

// asVictim makes this test binary start a server, say where it is, and wait to be killed.
const asVictim = "CLUSTER_TEST_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(asVictim) != "" {
		victim()
	}
	os.Exit(m.Run())
}

func victim() {
	c, err := cluster.Start(context.Background(), cluster.Options{})
	if err != nil {
		os.Exit(1)
	}
	if _, err := os.Stdout.WriteString(c.URL() + "\n"); err != nil {
		os.Exit(1)
	}
	select {}
}

func TestServerDiesWithWhoStartedIt(t *testing.T) {
	t.Parallel()
	process := exec.CommandContext(t.Context(), os.Args[0])
	process.Env = append(os.Environ(), asVictim+"=1")
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	where, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	where = strings.TrimSpace(where)
	if got := ask(t.Context(), t, where, "SELECT 'here'"); got != "here" {
		t.Error(got)
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
	expectGone(t, where)
}
