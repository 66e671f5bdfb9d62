package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// local is a private server in a temporary folder, reachable through a Unix socket in that folder alone.
type local struct {
	bin    string // the folder of initdb and postgres
	folder string
	as     *syscall.Credential // root may not run PostgreSQL
}

// script runs the server ("$2"…) until standard input ends, then ends it at once and removes the folder "$1". A line "keep"
// before the end spares the folder.
const script = `
folder=$1; shift
"$@" & server=$!
read -r keep
kill -QUIT $server 2>/dev/null
wait $server
[ "$keep" = keep ] || rm -rf "$folder"
exit 0`

// Start makes a private server with the PostgreSQL that is installed on this machine.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "gatehouse-postgres-")
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	l := &local{bin: bin, folder: folder, as: as}
	c := &Cluster{url: l.url(options.settings()["port"]), local: l}
	if err := l.create(ctx, options); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := c.Restart(ctx); err != nil {
		return nil, errors.Join(err, c.Stop(), os.RemoveAll(folder))
	}
	return c, nil
}

// Crash ends the server at once, as an immediate shutdown does, and keeps its data for [Cluster.Restart]. Only a server from
// [Start] can crash.
func (c *Cluster) Crash() error {
	err := c.guard.tell("keep")
	c.guard = nil
	return err
}

// Restart starts the server again after [Cluster.Crash].
func (c *Cluster) Restart(ctx context.Context) error {
	log, err := os.OpenFile(c.local.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	defer log.Close()
	c.guard, err = newGuard(ctx, c.local.as, log, script,
		c.local.folder, filepath.Join(c.local.bin, "postgres"), "-D", c.local.data())
	if err != nil {
		return err
	}
	if err := c.answers(ctx); err != nil {
		return fmt.Errorf("cluster: the server did not start: %w\n%s", err, c.local.tail())
	}
	return nil
}

func (l *local) data() string    { return filepath.Join(l.folder, "data") }
func (l *local) logFile() string { return filepath.Join(l.folder, "log") }

// url addresses the socket, whose name has the port in it.
func (l *local) url(port string) string {
	return "postgres://postgres@/postgres?" + url.Values{"host": {l.folder}, "port": {port}, "sslmode": {"disable"}}.Encode()
}

// tail returns the end of the server's log.
func (l *local) tail() string {
	log, err := os.ReadFile(l.logFile())
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-2000):])
}

// create makes the data folder. Trusting every connection is safe: only the folder's owner, and root, reach the socket.
func (l *local) create(ctx context.Context, options Options) error {
	if l.as != nil {
		if err := os.Chown(l.folder, int(l.as.Uid), int(l.as.Gid)); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(l.bin, "initdb"), "--pgdata", l.data(), "--username", "postgres",
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir = "/"
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: l.as}
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("cluster: initdb: %w\n%s", err, output)
	}
	settings := map[string]string{"listen_addresses": "", "unix_socket_directories": l.folder}
	maps.Copy(settings, options.settings())
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s = '%s'\n", name, strings.ReplaceAll(settings[name], "'", "''"))
	}
	file, err := os.OpenFile(filepath.Join(l.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	_, err = file.WriteString(text.String())
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return nil
}

// binaries returns the folder with the newest initdb and postgres: the one on PATH, or where Debian puts them.
func binaries() (string, error) {
	candidates, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	slices.SortFunc(candidates, func(a, b string) int { return version(b) - version(a) })
	if onPath, err := exec.LookPath("initdb"); err == nil {
		candidates = slices.Insert(candidates, 0, onPath)
	}
	for _, initdb := range candidates {
		// What is on PATH may be a link to where the programs really are.
		if target, err := filepath.EvalSymlinks(initdb); err == nil {
			if _, err := exec.LookPath(filepath.Join(filepath.Dir(target), "postgres")); err == nil {
				return filepath.Dir(target), nil
			}
		}
	}
	return "", errNone
}

// version returns the major version in a path such as /usr/lib/postgresql/17/bin/initdb.
func version(path string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return n
}

// unprivileged returns whom to run the server as: nil, which is this user, unless this is root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(account.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("cluster: user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(account.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("cluster: user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("cluster: PostgreSQL does not run as root, and there is neither a user postgres nor nobody: " +
		"run the tests as another user")
}
