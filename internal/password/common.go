package password

import (
	_ "embed"
	"strings"
)

// commonList holds the common passwords that are long enough to be refused for being common: folded, sorted by bytes, a line
// each. It stays as it is, in the binary's read-only data: its 83 KB take no heap and are only paged in when looked at, while
// compressed they would be 31 KB in the binary and 83 KB of heap. Where it comes from stands in common.md.
//
//go:generate go test -run ^TestCommonList$ -update
//go:embed common.txt
var commonList string

// isCommon reports whether the folded password is on the list.
func isCommon(folded string) bool {
	rest := commonList
	for rest != "" {
		start := strings.LastIndexByte(rest[:len(rest)/2], '\n') + 1 // of the line in the middle
		line, after, _ := strings.Cut(rest[start:], "\n")
		switch strings.Compare(folded, line) {
		case 0:
			return true
		case -1:
			rest = rest[:start]
		default:
			rest = after
		}
	}
	return false
}
