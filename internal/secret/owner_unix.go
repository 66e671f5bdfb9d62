//go:build unix

package secret

import (
	"io/fs"
	"syscall"
)

// openToOthers reports whether others than a file's owner may read or write it; of root's files the group may read.
func openToOthers(info fs.FileInfo) bool {
	forbidden := fs.FileMode(0o077)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == 0 {
		forbidden = 0o037
	}
	return info.Mode().Perm()&forbidden != 0
}
