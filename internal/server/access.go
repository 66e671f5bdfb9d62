package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/policy"
	"gatehouse/internal/role"
	"gatehouse/internal/settings"
)

// accessCommand prints the access rules, and what they come to for somebody.
type accessCommand struct {
	Lock bool `xor:"form" help:"Print the content of access.lock instead of a table."`
	JSON bool `name:"json" xor:"form" help:"Print JSON."`

	Role   string   `placeholder:"ROLE" help:"Show how far somebody with this role gets."`
	Scopes []string `placeholder:"SCOPE" help:"Show how far somebody with these scopes gets."`

	Explain   string        `placeholder:"QUERY" help:"Say of each field of an operation which rules decide, and how."`
	Variables string        `placeholder:"JSON" help:"Variables of the operation."`
	Operation string        `placeholder:"NAME" help:"Which operation of the document; needed where there are several."`
	Anonymous bool          `help:"Explain for somebody who is not signed in."`
	Account   string        `placeholder:"ID" help:"Explain for the account of this id; without it, no id is the caller's own."`
	Age       time.Duration `placeholder:"DURATION" help:"Explain for somebody who signed in so long ago; by default, just now."`
	ACR       string        `name:"acr" enum:"pwd,mfa" default:"pwd" help:"Explain for somebody who signed in at this level."`

	Mode settings.Mode `env:"MODE" default:"development" enum:"development,production" help:"Explain for a server in this mode."`
}

// Help teaches by example.
func (*accessCommand) Help() string {
	return `The rules of every field, those of its type and its interfaces included:

    gatehouse access

How far a role gets: to everybody's, to their own, or not at all. Warnings about the rules go to stderr.

    gatehouse access --role=ADMIN

Why an operation is denied, or permitted. The caller is signed in, with no scopes unless some are given:

    gatehouse access --explain='{ users { nodes { email } } }' --scopes=users:read
    gatehouse access --explain='query ($id: ID!) { user(id: $id) { email } }' --variables='{"id": "ID"}' --account=ID
    gatehouse access --explain='{ me { email } }' --anonymous
    gatehouse access --explain='{ __schema { types { name } } }' --anonymous --mode=production

After a change of the rules in the schema, so that a review shows it:

    gatehouse access --lock > access.lock`
}

func (c *accessCommand) run(_ context.Context, p process) error {
	if err := c.check(); err != nil {
		return err
	}
	registry, err := p.program.registry()
	if err != nil {
		return err
	}
	schema, rules, err := p.program.compile(registry, p.Now)
	if err != nil {
		return err
	}
	for _, warning := range rules.Warnings() {
		if _, err := fmt.Fprintln(p.Stderr, "warning: "+warning); err != nil {
			return err
		}
	}
	scopes, err := c.holds(registry)
	if err != nil {
		return err
	}
	switch {
	case c.Lock:
		_, err = p.Stdout.Write(rules.Lock())
		return err
	case c.Explain != "":
		caller, err := c.caller(registry, scopes, p.Now())
		if err != nil {
			return err
		}
		return c.explain(p, schema, rules, caller)
	case c.Role != "" || len(c.Scopes) > 0:
		return c.reach(p.Stdout, rules, roots(schema), scopes)
	case c.JSON:
		return writeJSON(p.Stdout, rules.Rules())
	default:
		return writeRules(p.Stdout, rules.Rules(), roots(schema))
	}
}

// check refuses what would be ignored: whoever asks for something and silently gets another draws the wrong conclusion.
func (c *accessCommand) check() error {
	who := c.Role != "" || len(c.Scopes) > 0
	explains := c.Variables != "" || c.Operation != "" || c.Anonymous || c.Account != "" || c.Age != 0 || c.ACR != "pwd"
	switch {
	case c.Lock && (who || explains || c.Explain != ""):
		return errors.New("--lock goes with no other flag: the lock is about everybody")
	case c.Explain == "" && explains:
		return errors.New("--variables, --operation, --anonymous, --account, --age and --acr are about an operation: " +
			"give it with --explain")
	case c.Anonymous && (who || c.Account != "" || c.Age != 0 || c.ACR != "pwd"):
		return errors.New("--anonymous is nobody: leave out --role, --scopes, --account, --age and --acr")
	case c.Age < 0:
		return errors.New("--age is how long ago the caller signed in, such as 10m")
	}
	return nil
}

// holds returns the scopes that the flags come to.
func (c *accessCommand) holds(registry *role.Registry) ([]string, error) {
	if c.Role != "" && !registry.Knows(c.Role) {
		return nil, fmt.Errorf("there is no such role: choose one of %s", strings.Join(registry.Names(), ", "))
	}
	for _, scope := range c.Scopes {
		if !registry.Vocabulary().Knows(scope) {
			return nil, fmt.Errorf("there is no such scope: choose among %s", strings.Join(registry.Vocabulary().Names(), ", "))
		}
	}
	carried := registry.Scopes([]string{c.Role})
	return slices.DeleteFunc(registry.Vocabulary().Names(), func(scope string) bool {
		return !slices.Contains(carried, scope) && !slices.Contains(c.Scopes, scope)
	}), nil
}

// caller returns who the flags speak of.
func (c *accessCommand) caller(registry *role.Registry, scopes []string, now time.Time) (*auth.Caller, error) {
	if c.Anonymous {
		return auth.Anonymous(fault.Anonymous(fault.Missing)), nil
	}
	caller := &auth.Caller{Scopes: registry.Vocabulary().Set(scopes...), AuthTime: now.Add(-c.Age), AMR: []string{c.ACR}}
	if c.Account != "" {
		accountID, err := id.Parse(c.Account)
		if err != nil {
			return nil, errors.New("--account must be an account's id, such as 017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
		}
		caller.AccountID = accountID
	}
	return caller, nil
}

// roots returns the names of the schema's root types, those to be read first first.
func roots(schema *ast.Schema) []string {
	var names []string
	for _, def := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		if def != nil {
			names = append(names, def.Name)
		}
	}
	return names
}

// row is one line of a table about coordinates.
type row struct{ at, text string }

// writeRules writes the rule of every field, and of the types that have one.
func writeRules(w io.Writer, rules []policy.Rule, roots []string) error {
	var rows []row
	for _, rule := range rules {
		if strings.Contains(rule.Coordinate, ".") || len(rule.Requires) > 0 {
			rows = append(rows, row{rule.Coordinate, rule.Text})
		}
	}
	return writeCoordinates(w, "RULE", rows, roots)
}

// reached is how far somebody gets with one field.
type reached struct {
	Coordinate string       `json:"coordinate"`
	Reach      policy.Reach `json:"reach"`
	Rule       string       `json:"rule"`
}

// reach writes how far somebody gets who is signed in and holds the scopes.
func (c *accessCommand) reach(w io.Writer, rules *policy.Engine, roots, scopes []string) error {
	reach := rules.Reach(scopes...)
	fields := make([]reached, 0, len(reach))
	for _, rule := range rules.Rules() {
		if how, isField := reach[rule.Coordinate]; isField {
			fields = append(fields, reached{rule.Coordinate, how, rule.Text})
		}
	}
	if c.JSON {
		return writeJSON(w, fields)
	}
	holds := "no scopes"
	if len(scopes) > 0 {
		holds = strings.Join(scopes, ", ")
	}
	_, err := fmt.Fprintf(w,
		"Signed in, with %s. They get to everybody's (all), to their own (own), or not at all (none).\n\n", holds)
	if err != nil {
		return err
	}
	rows := make([]row, len(fields))
	for i, field := range fields {
		rows[i] = row{field.Coordinate, fmt.Sprintf("%-5s  %s", field.Reach, field.Rule)}
	}
	return writeCoordinates(w, "REACH  RULE", rows, roots)
}

// writeCoordinates writes rows that are sorted by coordinate: the root types first, an empty line between types.
func writeCoordinates(w io.Writer, heading string, rows []row, roots []string) error {
	width := len("COORDINATE")
	byType := map[string][]row{}
	for _, r := range rows {
		width = max(width, len(r.at))
		typeName, _, _ := strings.Cut(r.at, ".")
		byType[typeName] = append(byType[typeName], r)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%-*s  %s\n", width, "COORDINATE", heading)
	others := slices.DeleteFunc(slices.Sorted(maps.Keys(byType)), func(name string) bool { return slices.Contains(roots, name) })
	for i, name := range slices.Concat(roots, others) {
		if i > 0 {
			text.WriteByte('\n')
		}
		for _, r := range byType[name] {
			fmt.Fprintf(&text, "%-*s  %s\n", width, r.at, r.text)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}
