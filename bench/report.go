package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// line is one row of the report: a figure beside what is asked of it.
type line struct {
	what     string
	measured float64
	limit    float64
	atLeast  bool // the limit is a floor, else a ceiling
	unit     string
}

func (l line) holds() bool {
	if l.atLeast {
		return l.measured >= l.limit
	}
	return l.measured <= l.limit
}

// table renders the report as Markdown.
func table(lines []line) string {
	var out strings.Builder
	out.WriteString("| what | measured | asked | |\n|---|---:|---:|---|\n")
	for _, l := range lines {
		bound, verdict := "≤", "holds"
		if l.atLeast {
			bound = "≥"
		}
		if !l.holds() {
			verdict = "**missed**"
		}
		fmt.Fprintf(&out, "| %s | %s | %s %s | %s |\n", l.what, figure(l.measured, l.unit), bound, figure(l.limit, l.unit), verdict)
	}
	return out.String()
}

// The marks around the results in a document. Each stands on a line of its own.
const (
	beginMark = "<!-- results: written by go run ./bench -update docs/benchmarks.md -->"
	endMark   = "<!-- /results -->"
)

// renew writes the results between the marks in a document, in the place of older ones.
func renew(document, results string) error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(text), beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return fmt.Errorf("%s has no lines %q and %q to write the results between", document, beginMark, endMark)
	}
	return os.WriteFile(document, []byte(before+beginMark+"\n\n"+results+"\n"+endMark+after), 0o644)
}

func figure(value float64, unit string) string {
	if unit == "" {
		return fmt.Sprintf("%.2f", value)
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
