package tools_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMakeExample does what docs/frontend.md says: one command for each app, and its page is there, on a free port.
func TestMakeExample(t *testing.T) {
	address := regexp.MustCompile(`http://localhost:\d+/`)
	for _, name := range []string{"apollo", "urql"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "example-"+name)
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "NO_COLOR=1", "PORT=43117", "VITE_GATEHOUSE_URL=http://localhost:1")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			interrupt := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
			cmd.Cancel, cmd.WaitDelay = interrupt, 20*time.Second
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = interrupt()
				_ = cmd.Wait() // make reports the signal as a failure, which it is not
			})

			var said strings.Builder
			var page string
			for lines := bufio.NewScanner(stdout); page == "" && lines.Scan(); {
				said.WriteString(lines.Text() + "\n")
				if strings.Contains(lines.Text(), "Local") {
					page = address.FindString(lines.Text())
				}
			}
			if page == "" {
				t.Fatalf("make example-%s ended before the page was there:\n%s", name, said.String())
			}
			for _, hint := range []string{"expects Gatehouse at http://localhost:1.", `run "make run"`} {
				if !strings.Contains(said.String(), hint) {
					t.Errorf("make example-%s does not say %s:\n%s", name, hint, said.String())
				}
			}
			// From the page to the session, which stands outside the folder of the app.
			body := get(t, page, "text/html")
			for _, link := range []string{`/src/main\.tsx`, `/src/app\.tsx`, `/src/session\.ts`, `/@fs/[^"]+/web/session/session\.ts`} {
				next := regexp.MustCompile(link).FindString(body)
				if next == "" {
					t.Fatalf("nothing leads to %s:\n%s", link, body)
				}
				body = get(t, strings.TrimSuffix(page, "/")+next, "*/*")
			}
			if !strings.Contains(body, "class Session") {
				t.Errorf("session.ts is not what is served:\n%s", body)
			}
		})
	}
}

// get returns what is at a URL for a client that sends the header Accept.
func get(t *testing.T, url, accept string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := new(http.Client).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s", url, response.Status)
	}
	return string(body)
}
