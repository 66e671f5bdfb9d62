package graphtest

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gatehouse/internal/id"
	"gatehouse/internal/operation"
	"gatehouse/internal/store/storetest"
)

// Conversations holds an API to the files that pattern matches, on both databases; update writes them anew. Each file is a
// conversation with a house of its own, in steps named by the part of a file's name before the dot:
//
//	NAME.graphql     the operation
//	NAME.operation   instead of it, the name of a file in the plan's folder of operations, without its ending
//	NAME.hash        the operation's hash, in hexadecimal; beside the operation, or alone
//	NAME.variables   its variables, as JSON; may be absent
//	NAME.token       the access token it is sent with; may be absent
//	NAME.response    how far it came, and the answer
//	NAME.do          instead of an operation, what happens on the server: see (*conversation).do
//
// What differs from run to run reads <id 1>, <token 1>, <refresh 1> or <cursor 1>, numbered as they first appear; in a request
// it stands for the value, and <long> for a very long text. Time stands still unless a step lets it pass.
func Conversations(t *testing.T, plan Plan, pattern string, update bool) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	must(t, err)
	if len(files) == 0 {
		t.Fatalf("no conversations are called %s", pattern)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			Each(t, plan, func(t *testing.T, h *House) {
				want, err := txtar.ParseFile(file)
				must(t, err)
				c := &conversation{
					House: h, operations: plan.Operations, values: map[string]string{"<long>": tooLong}, names: map[string]string{},
				}
				got := txtar.Format(c.hold(t, want))
				if update && strings.HasSuffix(t.Name(), storetest.SQLite) {
					must(t, os.WriteFile(file, got, 0o600))
					return
				}
				if diff := cmp.Diff(string(txtar.Format(want)), string(got)); diff != "" {
					t.Errorf("the conversation went otherwise (-want +got); make update accepts it:\n%s", diff)
				}
			})
		})
	}
}

// tooLong is what <long> stands for: one byte more than a password may have.
var tooLong = strings.Repeat("long", 256) + "!"

// conversation is one file being played.
type conversation struct {
	*House
	operations string            // the folder that NAME.operation names a file of
	values     map[string]string // placeholder → value
	names      map[string]string // value → placeholder

	stalled bool
}

// hold plays the archive and returns it with the responses that came.
func (c *conversation) hold(t *testing.T, archive *txtar.Archive) *txtar.Archive {
	t.Helper()
	played := &txtar.Archive{Comment: archive.Comment}
	for i, file := range archive.Files {
		step, kind, _ := strings.Cut(file.Name, ".")
		if kind == "response" {
			continue
		}
		played.Files = append(played.Files, file)
		if kind == "do" {
			must(t, c.do(t.Context(), strings.Fields(c.fill(string(file.Data)))))
			continue
		}
		if i+1 < len(archive.Files) && strings.HasPrefix(archive.Files[i+1].Name, step+".") &&
			archive.Files[i+1].Name != step+".response" {
			continue // the step has more parts
		}
		response := c.step(t, played.Files, step)
		played.Files = append(played.Files, txtar.File{Name: step + ".response", Data: response})
	}
	return played
}

// step sends the operation of a step and returns the response as the archive has it.
func (c *conversation) step(t *testing.T, files []txtar.File, step string) []byte {
	t.Helper()
	parts := map[string]string{}
	for _, file := range files {
		parts[file.Name] = c.fill(string(file.Data))
	}
	req := operation.Request{Query: parts[step+".graphql"]}
	if name, ok := parts[step+".operation"]; ok {
		document, err := os.ReadFile(filepath.Join(c.operations, strings.TrimSpace(name)+".graphql"))
		must(t, err)
		req.Query = string(document)
	}
	if text, ok := parts[step+".hash"]; ok {
		hash, err := hex.DecodeString(strings.TrimSpace(text))
		must(t, err)
		req.Hash = operation.Digest(hash)
	}
	if text, ok := parts[step+".variables"]; ok {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		must(t, decoder.Decode(&req.Variables))
	}
	ctx := t.Context()
	if c.stalled {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, time.Time{})
		defer cancel()
	}
	response := c.Ask(ctx, strings.TrimSpace(parts[step+".token"]), req)
	body, err := response.MarshalJSON()
	must(t, err)
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s\n\n", response.Stage)
	must(t, json.Indent(&text, body, "", "  "))
	text.WriteByte('\n')
	return []byte(c.name(text.String()))
}

// do changes something on the server:
//
//	wait 11m            lets time pass
//	grant ADMIN <id 1>  grants a role
//	disable <id 1>      disables an account
//	delete <id 1>       deletes an account's row
//	lose roles          takes a table away, as a fault that nobody foresaw
//	stall               lets no later request have any time
func (c *conversation) do(ctx context.Context, command []string) error {
	switch argument := func(i int) string { return command[i] }; command[0] {
	case "wait":
		d, err := time.ParseDuration(argument(1))
		if err != nil {
			return err
		}
		return c.Wait(ctx, d)
	case "grant":
		accountID, err := id.Parse(argument(2))
		if err != nil {
			return err
		}
		return c.Roles.Grant(ctx, accountID, argument(1))
	case "disable":
		accountID, err := id.Parse(argument(1))
		if err != nil {
			return err
		}
		return c.Sessions.DisableAccount(ctx, accountID)
	case "delete":
		_, err := c.DB.Conn(ctx).NewRaw("DELETE FROM accounts WHERE id = ?", argument(1)).Exec(ctx)
		return err
	case "lose":
		_, err := c.DB.Conn(ctx).NewRaw("ALTER TABLE account_roles RENAME TO lost").Exec(ctx)
		return err
	case "stall":
		c.stalled = true
		return nil
	default:
		return fmt.Errorf("unknown command %q", command[0])
	}
}

// varying matches what differs from run to run: ids, access tokens, refresh tokens, and cursors, which only their names tell.
var varying = regexp.MustCompile(
	`"[0-9a-f]{8}-[0-9a-f-]{27}"|"eyJ[\w.-]+"|"ghrt_[\w-]+"|"(?:cursor|startCursor|endCursor)": "[\w-]+"`)

// name puts placeholders in the place of what varies.
func (c *conversation) name(text string) string {
	return varying.ReplaceAllStringFunc(text, func(match string) string {
		member, kind := "", "id"
		value := strings.Trim(match, `"`)
		if key, rest, ok := strings.Cut(match, `: "`); ok {
			member, kind, value = key+": ", "cursor", strings.Trim(rest, `"`)
		} else if strings.HasPrefix(value, "eyJ") {
			kind = "token"
		} else if strings.HasPrefix(value, "ghrt_") {
			kind = "refresh"
		}
		if c.names[value] == "" {
			number := 1
			for c.values[fmt.Sprintf("<%s %d>", kind, number)] != "" {
				number++
			}
			placeholder := fmt.Sprintf("<%s %d>", kind, number)
			c.names[value], c.values[placeholder] = placeholder, value
		}
		return member + `"` + c.names[value] + `"`
	})
}

// fill puts values in the place of placeholders.
func (c *conversation) fill(text string) string {
	for placeholder, value := range c.values {
		text = strings.ReplaceAll(text, placeholder, value)
	}
	return text
}
