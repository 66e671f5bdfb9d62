// Package soak owns the long proofs: what must hold over thousands of rounds, with the built binary in several processes, real
// databases, and crashes at instants that nobody chose. Every proof has a short form, which runs with the other tests, and its
// full numbers, which "make soak" runs and writes to docs/reliability.md.
//
// It must never look inside: it knows the command line and the API, as an operator and a client do.
package soak

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var full = flag.Bool("soak.full", false, "run the full numbers")

// gatehouse is the path of the binary under test, which TestMain builds.
var gatehouse string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// run builds the binary, runs the tests and writes the report.
func run(m *testing.M) (code int, err error) {
	folder, err := os.MkdirTemp("", "gatehouse-soak-")
	if err != nil {
		return 1, err
	}
	defer func() {
		if removed := os.RemoveAll(folder); err == nil {
			err = removed
		}
	}()
	gatehouse = filepath.Join(folder, "gatehouse")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", gatehouse, "gatehouse")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build gatehouse: %w\n%s", err, out)
	}
	code = m.Run()
	if code != 0 {
		return code, nil
	}
	return 0, figures.write()
}

// atMost returns how long something may take that must be done within limit. That is measured in the full form, which has the
// machine for itself; the short one shares it with every other test, under the race detector, and notices only what hangs.
func atMost(limit time.Duration) time.Duration {
	if *full {
		return limit
	}
	return 15 * limit
}

// times returns how often to do something: few in the short form, many in the full one.
func times(few, many int) int {
	if *full {
		return many
	}
	return few
}
