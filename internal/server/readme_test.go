package server

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// step is one command of the README's walkthrough, and what the README says it prints.
type step struct{ command, output string }

// fence is a fenced block: its language, its content.
var fence = regexp.MustCompile("(?s)\n```([a-z]+)\n(.*?\n)```\n")

// walkthrough reads the steps from the README. A block of output belongs to the command above it.
func walkthrough(t *testing.T) []step {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begins := bytes.Cut(readme, []byte("<!-- walkthrough:begin -->"))
	text, _, ends := bytes.Cut(rest, []byte("<!-- walkthrough:end -->"))
	if !begins || !ends {
		t.Fatal("README.md has lost the marks around its walkthrough")
	}
	var steps []step
	for _, block := range fence.FindAllSubmatch(text, -1) {
		switch language, content := string(block[1]), string(block[2]); {
		case language == "sh":
			steps = append(steps, step{command: content})
		case len(steps) == 0 || steps[len(steps)-1].output != "":
			t.Fatalf("no command prints this:\n%s", content)
		default:
			steps[len(steps)-1].output = content
		}
	}
	if len(steps) == 0 {
		t.Fatal("README.md has no walkthrough")
	}
	return steps
}

// prints returns what matches the output that the README shows: JSON however it is laid out, and … for anything in one line.
func prints(output string) *regexp.Regexp {
	text := strings.TrimSpace(output)
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(text)) == nil {
		text = compact.String()
	}
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(text), "…", `[^"\n]+`) + "$")
}

// TestReadmeWalkthrough runs the README's walkthrough word for word, in one shell, against a server that was started with
// nothing set up; the port alone is another. Each command must print what the README says, and nothing where it says nothing.
func TestReadmeWalkthrough(t *testing.T) {
	t.Parallel()
	server, address, _ := startProcess(t)
	binary, err := exec.LookPath(server.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(server.Dir, "gatehouse")); err != nil {
		t.Fatal(err)
	}

	const mark = "end of step"
	steps := walkthrough(t)
	var script strings.Builder
	for _, step := range steps {
		script.WriteString(strings.ReplaceAll(step.command, "http://localhost:8080", "http://"+address))
		script.WriteString("\necho '" + mark + "'\n")
	}
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script.String())
	shell.Dir, shell.Env = server.Dir, server.Env
	printed, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, printed)
	}
	outputs := strings.Split(string(printed), mark+"\n")
	for i, step := range steps {
		if got := strings.TrimSpace(outputs[i]); !prints(step.output).MatchString(got) {
			t.Errorf("%s\nprinted\n%s\nwhere README.md says\n%s", step.command, got, step.output)
		}
	}
}
