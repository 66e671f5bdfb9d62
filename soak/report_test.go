package soak

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
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

// write writes the report, if one was asked for. What proofs that did not run now came to the last time stays.
func (r *report) write() error {
	if *reportPath == "" {
		return nil
	}
	written, err := os.ReadFile(*reportPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	rows := make(map[string]string)
	for row := range strings.Lines(string(written)) {
		if _, again, found := strings.Cut(row, command); found {
			rows[again] = row
		}
	}
	for _, line := range r.lines {
		again := line.test + "` |\n"
		rows[again] = fmt.Sprintf("| %s | %s | %s%s", line.claim, line.result, command, again)
	}
	var text strings.Builder
	fmt.Fprintf(&text, heading, runtime.NumCPU())
	for _, again := range slices.Sorted(maps.Keys(rows)) {
		text.WriteString(rows[again])
	}
	return os.WriteFile(*reportPath, []byte(text.String()), 0o644)
}

// command is what runs a proof again, before its name.
const command = "`make soak PROOF="
