package password

import (
	"bufio"
	"compress/gzip"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write common.txt anew from its source")

// commonPasswords returns the list as its author published it.
func commonPasswords(t *testing.T) []string {
	t.Helper()
	file, err := os.Open("testdata/common-passwords-20k.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	lines := bufio.NewScanner(unzipped)
	for lines.Scan() {
		list = append(list, lines.Text())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCommonList keeps the embedded list what its source makes of it; with -update it makes it.
func TestCommonList(t *testing.T) {
	var long []string
	for _, password := range commonPasswords(t) {
		if folded := fold(password); utf8.RuneCountInString(folded) >= MinLength {
			long = append(long, folded)
		}
	}
	slices.Sort(long)
	want := strings.Join(slices.Compact(long), "\n") + "\n"
	if *update {
		if err := os.WriteFile("common.txt", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if commonList != want {
		t.Error("common.txt is not what testdata makes of it: run go generate ./internal/password")
	}
}

func TestIsCommonFindsEveryLineAndNothingElse(t *testing.T) {
	known := make(map[string]bool)
	for line := range strings.Lines(commonList) {
		known[strings.TrimSuffix(line, "\n")] = true
	}
	if len(known) < 8_000 {
		t.Fatalf("%d common passwords, want more than 8,000", len(known))
	}
	for line := range known {
		if !isCommon(line) {
			t.Errorf("%q is not found", line)
		}
		for _, other := range []string{line + "~", "~" + line, line[1:], line[:len(line)-1], line + "\n", "\n" + line} {
			if isCommon(other) != known[other] {
				t.Errorf("isCommon(%q) = %t", other, !known[other])
			}
		}
	}
	for _, other := range []string{"", "\n", "\n\n", "~", " "} {
		if isCommon(other) {
			t.Errorf("%q is found", other)
		}
	}
}

func TestIsCommonAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { isCommon("correct horse battery staple") }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
