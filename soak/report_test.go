package soak

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

var reportPath = flag.String("soak.report", "", "write what the full numbers came to into this file")

// figures is what the proofs came to, for the report.
var figures report

// report collects the lines of docs/reliability.md.
type report struct {
	mu    sync.Mutex
	lines []figure
}

// figure is what one proof came to.
type figure struct {
	test   string // its name, which is how it is run again
	claim  string // what was done, and how often
	result string // what came of it
}

// proved notes what a test came to, and logs it.
func proved(t *testing.T, claim, result string) {
	t.Helper()
	t.Logf("%s: %s", claim, result)
	figures.mu.Lock()
	defer figures.mu.Unlock()
	figures.lines = append(figures.lines, figure{t.Name(), claim, result})
}

const heading = `# Reliability

What was proved over long runs: the built binary in real processes, on SQLite and on PostgreSQL, over HTTP. ` +
	"`make soak`" + ` runs all of it
and writes this file; each line has the command that runs it alone. The short form of every proof is part of ` +
	"`make test`" + `.

Times are of the machine that ran it (%d cores, shared by the clients, the servers and the database); what counts is that nothing
went wrong.

| What was done | What came of it | Again, alone |
|---|---|---|
`

// write writes the report, if one was asked for.
func (r *report) write() error {
	if *reportPath == "" {
		return nil
	}
	slices.SortStableFunc(r.lines, func(a, b figure) int { return cmp.Compare(a.test, b.test) })
	var text strings.Builder
	fmt.Fprintf(&text, heading, runtime.NumCPU())
	for _, line := range r.lines {
		fmt.Fprintf(&text, "| %s | %s | `make soak PROOF=%s` |\n", line.claim, line.result, line.test)
	}
	return os.WriteFile(*reportPath, []byte(text.String()), 0o644)
}
