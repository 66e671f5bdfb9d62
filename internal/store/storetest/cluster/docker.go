package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// compose describes the server for docker compose. The port is any free one, on the loopback interface alone.
const compose = `services:
  postgres:
    image: postgres:17
    command: [%s]
    environment:
      POSTGRES_HOST_AUTH_METHOD: trust
    ports: ["127.0.0.1::5432"]
`

// dockerRuns reports whether docker compose is there and its engine answers.
func dockerRuns(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "docker", "compose", "version").Run() == nil &&
		exec.CommandContext(ctx, "docker", "info").Run() == nil
}

func startDocker(ctx context.Context, options Options) (*Cluster, error) {
	options.say("starting PostgreSQL with docker compose")
	project := "gatehouse-test-" + strings.ToLower(rand.Text()[:10])
	// The guard comes first, so that there is no moment in which a container could be left behind.
	cleaner, err := newGuard(ctx, nil, os.Stderr,
		`read -r _; exec docker compose --project-name "$1" --progress quiet down --volumes --timeout 0`, project)
	if err != nil {
		return nil, err
	}
	c := &Cluster{guard: cleaner}
	fail := func(err error) (*Cluster, error) { return nil, errors.Join(err, c.Stop()) }

	up := exec.CommandContext(ctx, "docker", "compose", "--project-name", project, "--file", "-", "up", "--detach", "--quiet-pull")
	up.Stdin = strings.NewReader(fmt.Sprintf(compose, serverArguments(options)))
	if output, err := up.CombinedOutput(); err != nil {
		return fail(fmt.Errorf("cluster: docker compose up: %w\n%s", err, output))
	}
	port := exec.CommandContext(ctx, "docker", "compose", "--project-name", project, "port", "postgres", "5432")
	address, err := port.Output()
	if err != nil {
		return fail(fmt.Errorf("cluster: docker compose port: %w", err))
	}
	c.url = fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", strings.TrimSpace(string(address)))
	if err := c.answers(ctx); err != nil {
		return fail(fmt.Errorf("cluster: the server in Docker did not start: %w", err))
	}
	return c, nil
}

// serverArguments returns the server's command line as the elements of a YAML list.
func serverArguments(options Options) string {
	list := []string{"postgres"}
	settings := options.settings()
	delete(settings, "port") // the container's own is mapped to a free one
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		list = append(list, "-c", name+"="+settings[name])
	}
	for i, argument := range list {
		list[i] = strconv.Quote(argument)
	}
	return strings.Join(list, ", ")
}

// installable reports whether this is root on Debian or its like.
func installable() bool {
	if os.Geteuid() != 0 {
		return false
	}
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		return false
	}
	_, err := exec.LookPath("apt-get")
	return err == nil
}

func install(ctx context.Context, options Options) error {
	options.say("installing PostgreSQL: apt-get install postgresql")
	for _, args := range [][]string{
		{"update", "--quiet=2"},
		{"install", "--quiet=2", "--yes", "--no-install-recommends", "postgresql"},
	} {
		command := exec.CommandContext(ctx, "apt-get", args...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("cluster: apt-get %s: %w\n%s", args[0], err, output)
		}
	}
	return nil
}
