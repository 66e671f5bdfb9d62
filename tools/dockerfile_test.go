package tools_test

import (
	"bytes"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// maxBinary is the size that users are promised.
const maxBinary = 35_000_000

// image parses the Dockerfile as docker build does. A finding of its linter fails the test.
func image(t *testing.T) (playground, build, final instructions.Stage) {
	t.Helper()
	tree, err := parser.Parse(bytes.NewReader(read(t, "Dockerfile")))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(tree.AST, linter.New(&linter.Config{
		Warn: func(rule, _, _, message string, _ []parser.Range) { t.Errorf("%s: %s", rule, message) },
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) != 3 || stages[0].Name != "playground" || stages[1].Name != "build" {
		t.Fatalf("got %d stages, want one named playground, one named build and the image itself", len(stages))
	}
	return stages[0], stages[1], stages[2]
}

// commands returns a stage's instructions of one kind, in order.
func commands[T instructions.Command](stage instructions.Stage) []T {
	var found []T
	for _, command := range stage.Commands {
		if wanted, ok := command.(T); ok {
			found = append(found, wanted)
		}
	}
	return found
}

// buildContext copies the named sources, as COPY sees them: what .dockerignore lists is not there.
func buildContext(t *testing.T, into string, sources []string) {
	t.Helper()
	patterns, err := ignorefile.ReadAll(bytes.NewReader(read(t, ".dockerignore")))
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		copied := 0
		err := fs.WalkDir(os.DirFS(root), path.Clean(source), func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if name == ".git" || entry.Name() == "node_modules" {
					return fs.SkipDir
				}
				return nil
			}
			skip, err := ignored.MatchesOrParentMatches(name)
			if err != nil || skip {
				return err
			}
			copied++
			target := filepath.Join(into, name)
			if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
				return err
			}
			return os.WriteFile(target, read(t, name), 0o600)
		})
		if err != nil {
			t.Fatalf("COPY %s: %v", source, err)
		}
		if copied == 0 {
			t.Errorf("COPY %s finds nothing: .dockerignore hides it", source)
		}
	}
}

// built runs a stage for real in a folder of its own and returns that folder, which stands for the stage's WORKDIR. What the
// stage copies from another is in the folder of that one, in earlier.
func built(t *testing.T, stage instructions.Stage, earlier map[string]string) (dir, workdir string) {
	t.Helper()
	dir = t.TempDir()
	environment := os.Environ()
	for _, command := range stage.Commands {
		switch command := command.(type) {
		case *instructions.WorkdirCommand:
			workdir = command.Path
		case *instructions.EnvCommand:
			for _, pair := range command.Env {
				environment = append(environment, pair.Key+"="+pair.Value)
			}
		case *instructions.ArgCommand:
			for _, arg := range command.Args {
				environment = append(environment, arg.Key+"="+arg.ValueString())
			}
		case *instructions.CopyCommand:
			if command.From == "" {
				buildContext(t, dir, command.SourcePaths)
				continue
			}
			for _, source := range command.SourcePaths {
				from := os.DirFS(filepath.Join(earlier[command.From], strings.TrimPrefix(source, workdir)))
				if err := os.CopyFS(filepath.Join(dir, command.DestPath), from); err != nil {
					t.Fatalf("%s: %v", command, err)
				}
			}
		case *instructions.RunCommand:
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", strings.Join(command.CmdLine, " "))
			cmd.Dir, cmd.Env = dir, environment
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", command, err, out)
			}
		default:
			t.Fatalf("the test does not know how to carry out %s", command.Name())
		}
	}
	return dir, workdir
}

func TestDockerfileBuilds(t *testing.T) {
	playground, build, final := image(t)
	pages, _ := built(t, playground, nil)
	dir, workdir := built(t, build, map[string]string{playground.Name: pages})

	for _, command := range commands[*instructions.CopyCommand](final) {
		if command.From != build.Name {
			t.Errorf("%s copies from a stage that does not exist", command)
		}
		for _, source := range command.SourcePaths {
			name, ours := strings.CutPrefix(source, workdir+"/")
			if _, err := os.Stat(filepath.Join(dir, name)); ours && err != nil {
				t.Errorf("%s: the build stage does not make it: %v", command, err)
			}
		}
	}

	binary := filepath.Join(dir, "gatehouse")
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxBinary {
		t.Errorf("the binary has %d bytes, at most %d are promised", info.Size(), maxBinary)
	}
	program, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, header := range program.Progs {
		if header.Type == elf.PT_INTERP {
			t.Error("the binary is linked dynamically; an empty image has no loader")
		}
	}

	// The healthcheck and the default command are what this very binary offers.
	entrypoint := commands[*instructions.EntrypointCommand](final)[0].CmdLine
	health := commands[*instructions.HealthCheckCommand](final)[0].Health.Test
	if health[0] != "CMD" || health[1] != entrypoint[0] {
		t.Fatalf("HEALTHCHECK %q does not run %q directly; there is no shell", health, entrypoint)
	}
	for _, arguments := range [][]string{health[2:], commands[*instructions.CmdCommand](final)[0].CmdLine} {
		output(t.Context(), t, dir, binary, append(arguments, "--help")...)
	}
	version := commands[*instructions.ArgCommand](build)[0].Args[0].ValueString()
	if got := output(t.Context(), t, dir, binary, "version"); !strings.Contains(got, version) {
		t.Errorf("version says %q, which is not the %q given to the build", got, version)
	}
}

func TestDockerfileIsHardened(t *testing.T) {
	_, build, final := image(t)

	users := commands[*instructions.UserCommand](final)
	if len(users) != 1 {
		t.Fatalf("got %d USER instructions, want one", len(users))
	}
	for _, number := range strings.Split(users[0].User, ":") {
		if id, err := strconv.Atoi(number); err != nil || id == 0 {
			t.Errorf("USER %s is not numeric and other than root", users[0].User)
		}
	}
	if final.BaseName != "scratch" {
		t.Errorf("the image starts from %s, which brings what the server does not need", final.BaseName)
	}
	_, tag, pinned := strings.Cut(build.BaseName, ":")
	if toolchain, _, _ := strings.Cut(tag, "-"); !pinned || toolchain != goVersion(t) {
		t.Errorf("%s is not the Go version of go.mod, %s", build.BaseName, goVersion(t))
	}
	if len(commands[*instructions.ExposeCommand](final)) != 1 {
		t.Error("no port is exposed")
	}
	labels := map[string]string{}
	for _, command := range commands[*instructions.LabelCommand](final) {
		for _, label := range command.Labels {
			labels[label.Key] = label.Value
		}
	}
	for _, name := range []string{"title", "description", "licenses", "version"} {
		if labels["org.opencontainers.image."+name] == "" {
			t.Errorf("label org.opencontainers.image.%s is missing", name)
		}
	}
}
