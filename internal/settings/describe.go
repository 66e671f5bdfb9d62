package settings

import (
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Origin is where the value of a setting came from.
type Origin string

// The origins that [Settings.InForce] reports.
const (
	FromFlag        Origin = "flag"
	FromEnvironment Origin = "environment"
	FromDefault     Origin = "default"
)

// Row is one setting as it is in force.
type Row struct {
	Name   string `json:"name"`  // of the environment variable
	Value  string `json:"value"` // as text; secrets masked
	Origin Origin `json:"origin"`
}

// InForce returns every setting in its order of definition, with secrets masked. It is empty before kong has filled s.
func (s *Settings) InForce() []Row { return s.rows }

// Origin returns where the setting that the environment variable names came from.
func (s *Settings) Origin(variable string) Origin {
	for _, row := range s.rows {
		if row.Name == variable {
			return row.Origin
		}
	}
	return FromDefault
}

// AfterApply is called by kong once s is filled. It notes what is in force, since only kong knows what came from where.
func (s *Settings) AfterApply(ctx *kong.Context) error {
	origins := make(map[*kong.Value]Origin)
	for _, step := range ctx.Path {
		switch {
		case step.Flag == nil:
		case step.Resolved:
			origins[step.Flag.Value] = FromEnvironment
		default:
			origins[step.Flag.Value] = FromFlag
		}
	}
	s.rows = nil
	for _, flag := range ctx.Flags() {
		if name := variable(flag.Value); name != "" {
			s.rows = append(s.rows, Row{Name: name, Value: shown(flag), Origin: cmp.Or(origins[flag.Value], FromDefault)})
		}
	}
	return nil
}

// Masked stands for a secret wherever one would be shown; it is what net/url writes for a password.
const Masked = "xxxxx"

// shown returns the text of a flag's value as anybody may see it: its mask tag says what must not be.
func shown(flag *kong.Flag) string {
	text := fmt.Sprint(flag.Target.Interface())
	if flag.Target.Kind() == reflect.Slice {
		text = strings.Join(strings.Fields(strings.Trim(text, "[]")), ",")
	}
	switch flag.Tag.Get("mask") {
	case "all":
		if text != "" {
			return Masked
		}
	case "url":
		return maskPassword(text)
	}
	return text
}

// maskPassword masks the password that a database URL holds. A text that is no URL might hold one anywhere, so all of it
// goes; and so does one in which an @ of the password itself may have been taken for the end of it.
func maskPassword(text string) string {
	if strings.HasPrefix(text, embeddedScheme) {
		return text
	}
	u, err := url.Parse(text)
	if err != nil || !strings.HasPrefix(text, u.Scheme+"://") || strings.Count(text, "@") > 1 {
		return Masked
	}
	query := u.Query()
	for name := range query {
		if strings.Contains(strings.ToLower(name), "password") {
			query.Set(name, Masked)
			u.RawQuery = query.Encode()
		}
	}
	return u.Redacted()
}
