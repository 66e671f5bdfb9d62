package server

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCommand prints the version.
type versionCommand struct{}

// Help teaches by example.
func (*versionCommand) Help() string {
	return `What to name in a bug report:

    gatehouse version`
}

func (*versionCommand) run(_ context.Context, p process) error {
	_, err := fmt.Fprintf(p.Stdout, "%s %s (%s, %s/%s)\n",
		p.program.name(), version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// release is the version where a build knows better than the Go tool, as one outside a Git work tree does. The linker sets it:
// -ldflags "-X gatehouse/internal/server.release=1.2.0".
var release string

// version returns the version of this binary: the release, or what the Go tool stamped on it, which is a tag or made up of the
// commit and its time.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
