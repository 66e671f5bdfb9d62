package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// guard is a shell that waits for its standard input to end and then cleans up. Since the kernel closes the pipe when this
// process ends, by whatever means, nothing is left behind; and since the shell has a process group of its own, the
// terminal's interrupt does not reach it first.
type guard struct {
	command *exec.Cmd
	pipe    *os.File
}

// newGuard runs a script with arguments $1, $2 …, as the given user or (nil) as this one. The script reads standard input.
func newGuard(
	ctx context.Context, as *syscall.Credential, output *os.File, script string, args ...string,
) (*guard, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	defer read.Close()
	// It must outlive whatever ends ctx: cleaning up is what it is for.
	command := exec.CommandContext(context.WithoutCancel(ctx), "sh", append([]string{"-c", script, "guard"}, args...)...)
	command.Stdin = read
	command.Stdout, command.Stderr = output, output
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("cluster: %w", errors.Join(err, write.Close()))
	}
	return &guard{command: command, pipe: write}, nil
}

// tell sends the script a line and waits for its end.
func (g *guard) tell(line string) error {
	if _, err := g.pipe.WriteString(line + "\n"); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return g.release()
}

// release lets the script clean up and waits for its end.
func (g *guard) release() error {
	if err := g.pipe.Close(); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if err := g.command.Wait(); err != nil {
		return fmt.Errorf("cluster: clean up: %w", err)
	}
	return nil
}
