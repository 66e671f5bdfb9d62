package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/term"
)

// openTerminal returns a terminal at which nobody types.
func openTerminal(t *testing.T) *os.File {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	var number, locked uint32
	for request, argument := range map[uintptr]*uint32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &locked} {
		_, _, code := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(argument)))
		if code != 0 {
			t.Fatal(code)
		}
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return terminal
}

// TestInterruptAtThePrompt: Ctrl-C at the question for a password ends the command, and the terminal shows again what is typed.
func TestInterruptAtThePrompt(t *testing.T) {
	t.Parallel()
	terminal := openTerminal(t)
	before, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	asked := new(logBuffer)
	ctx, interrupt := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		_, err := readPassword(ctx, process{Process: Process{Stdin: terminal, Stderr: asked}})
		answered <- err
	}()
	eventually(t, 10*time.Second, "what is typed is not shown", func() bool {
		now, err := term.GetState(int(terminal.Fd()))
		return err == nil && *now != *before
	})
	interrupt()
	if err := <-answered; !errors.Is(err, errInterrupted) {
		t.Errorf("got %v", err)
	}
	if after, err := term.GetState(int(terminal.Fd())); err != nil || *after != *before {
		t.Errorf("the terminal is not as it was: %v", err)
	}
	if text := asked.String(); !strings.HasPrefix(text, "Password: ") || strings.Contains(text, "Once more") {
		t.Errorf("asked %q", text)
	}
}
