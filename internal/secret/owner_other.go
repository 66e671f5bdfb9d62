//go:build !unix

package secret

import "io/fs"

// openToOthers knows nothing: here the mode of a file does not say who may read it.
func openToOthers(fs.FileInfo) bool { return false }
