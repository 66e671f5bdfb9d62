package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	t.Parallel()
	got := table([]line{
		{what: "a ratio", measured: 0.6, limit: 0.60, atLeast: true},
		{what: "too low a ratio", measured: 0.594, limit: 0.60, atLeast: true},
		{what: "a time", measured: 99.6, limit: 100, unit: "ns"},
		{what: "too large", measured: 31, limit: 30, unit: "MB"},
	})
	want := `| what | measured | asked | |
|---|---:|---:|---|
| a ratio | 0.60 | ≥ 0.60 | holds |
| too low a ratio | 0.59 | ≥ 0.60 | **missed** |
| a time | 100 ns | ≤ 100 ns | holds |
| too large | 31 MB | ≤ 30 MB | **missed** |
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestRenew writes results into a copy of the page that has the real ones, twice: what stands around them stays.
func TestRenew(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(page), beginMark)
	_, after, _ := strings.Cut(string(page), endMark)
	document := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(document, page, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, results := range []string{"first\n", "| second |\n"} {
		if err := renew(document, results); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(document)
		if want := before + beginMark + "\n\n" + results + "\n" + endMark + after; err != nil || string(got) != want {
			t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
		}
	}
	if err := os.WriteFile(document, []byte("no marks"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := renew(document, "first\n"); err == nil {
		t.Error("a document without marks is written to")
	}
}
