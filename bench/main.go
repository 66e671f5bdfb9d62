// Command bench measures what Gatehouse promises about its own cost and prints it as ratios, each taken within one run:
// a protected query against a bare handler that does the same work, logins beside it, start-up, memory, the size of the binary.
// It exits with 1 when a promise is missed.
//
// It must never measure anything but servers that it started itself, on the loopback interface.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == referenceCommand {
		if err := serveReference(context.Background(), os.Stdout, os.LookupEnv); err != nil {
			fmt.Fprintln(os.Stderr, "bench: reference:", err)
			os.Exit(1)
		}
		return
	}
	rounds := flag.Int("rounds", 5, "how often each side of a comparison is measured, in turns")
	span := flag.Duration("span", 3*time.Second, "how long each measurement takes")
	update := flag.String("update", "", "a document between whose marks the results are written, such as docs/benchmarks.md")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, plan{rounds: *rounds, span: *span, connections: 32}, *update)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan says how thoroughly to measure.
type plan struct {
	rounds      int
	span        time.Duration
	connections int
}

var errMissed = errors.New("a promise was missed")

// run measures everything and writes the results to out, and into a document unless its name is empty.
func run(ctx context.Context, out io.Writer, p plan, document string) (err error) {
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	h, err := newHouse(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()

	var lines []line
	for _, measure := range []func(context.Context, *house, plan) ([]line, error){
		measureBinary, measureStart, measurePolicy, measureRevocation, measureLayer, measureMe, measureFlood, measureSessions,
		measureSize,
	} {
		found, err := measure(ctx, h, p)
		if err != nil {
			return err
		}
		lines = append(lines, found...)
	}
	results := fmt.Sprintf("%s, %s/%s, %d cores, PostgreSQL on the same machine, %d connections, medians of %d rounds of %v.\n\n%s",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), p.connections, p.rounds, p.span, table(lines))
	fmt.Fprint(out, results)
	if document != "" {
		if err := renew(document, results); err != nil {
			return err
		}
	}
	for _, l := range lines {
		if !l.holds() {
			return errMissed
		}
	}
	return nil
}
