package settings

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Table returns the settings as a Markdown table, for the README.
func Table() (string, error) {
	parser, err := kong.New(new(Settings), Options(func(string) (string, bool) { return "", false })...)
	if err != nil {
		return "", fmt.Errorf("settings: %w", err)
	}
	var table strings.Builder
	table.WriteString("| variable | flag | default | what it does |\n|---|---|---|---|\n")
	for _, flag := range parser.Model.Flags {
		name := variable(flag.Value)
		if name == "" {
			continue
		}
		fallback := "none"
		if flag.HasDefault {
			fallback = "`" + flag.Default + "`"
		}
		fmt.Fprintf(&table, "| `%s` | `--%s` | %s | %s |\n", name, flag.Name, fallback, strings.ReplaceAll(flag.Help, "|", `\|`))
	}
	return table.String(), nil
}
