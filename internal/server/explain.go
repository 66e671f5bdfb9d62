package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
	"gatehouse/internal/settings"
)

// explained is what an operation comes to for a caller.
type explained struct {
	Permitted bool `json:"permitted"`
	// Introspection is nil where the operation does not ask about the schema.
	Introspection *explainedIntrospection `json:"introspection,omitempty"`
	Fields        []explainedField        `json:"fields"`
}

// explainedIntrospection is whether the caller may ask about the schema.
type explainedIntrospection struct {
	Decision decision       `json:"decision"`
	Mode     settings.Mode  `json:"mode"` // of the server, which decides on it
	Error    map[string]any `json:"error,omitempty"`
}

// explainedField is one field of the operation.
type explainedField struct {
	Path       []any  `json:"path"`
	Coordinate string `json:"coordinate"`
	// Decision is "pass", "deny", or "left out" for what @skip or @include keep from being asked for.
	Decision decision       `json:"decision"`
	Public   string         `json:"public,omitempty"`
	Rules    []explainedOne `json:"rules"`
	Error    map[string]any `json:"error,omitempty"` // the extensions of the denial
}

// explainedOne is one rule of a field.
type explainedOne struct {
	Rule     string        `json:"rule"`
	Origin   policy.Origin `json:"origin"`
	At       string        `json:"at"`
	Decision decision      `json:"decision"`
	Reason   string        `json:"reason,omitempty"`
}

// decision is what was decided.
type decision string

const (
	passes  decision = "pass"
	denies  decision = "deny"
	leftOut decision = "left out"
)

func decide(passed bool) decision {
	if passed {
		return passes
	}
	return denies
}

// explain writes which rules decide over the operation, and how.
func (c *accessCommand) explain(p process, schema *ast.Schema, rules *policy.Engine, caller *auth.Caller) error {
	variables, err := readVariables(c.Variables)
	if err != nil {
		return err
	}
	executor, err := operation.New(operation.Config{
		Schema: schema, Policy: rules, Engine: unbound{}, Logger: slog.New(slog.DiscardHandler),
		OpenIntrospection: opensIntrospection(c.Mode),
		OncePerOperation:  p.program.oncePerOperation(),
	})
	if err != nil {
		return err
	}
	found, refused := executor.Explain(caller, operation.Request{
		Query: c.Explain, OperationName: c.Operation, Variables: variables,
	})
	if len(refused) > 0 {
		return refusal(refused)
	}
	e := newExplained(found, c.Mode)
	if c.JSON {
		return writeJSON(p.Stdout, e)
	}
	_, err = io.WriteString(p.Stdout, e.String())
	return err
}

// unbound is an engine for an executor that is only asked what it would do.
type unbound struct{}

// Execute implements [operation.Engine].
func (unbound) Execute(context.Context, operation.Request) operation.Result {
	return operation.Result{}
}

// Subscribe implements [operation.Engine].
func (unbound) Subscribe(context.Context, operation.Request) iter.Seq[operation.Result] {
	return func(func(operation.Result) bool) {}
}

// readVariables reads an object as clients send it.
func readVariables(text string) (map[string]any, error) {
	if text == "" {
		return nil, nil
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var variables map[string]any
	if err := decoder.Decode(&variables); err != nil || decoder.More() {
		return nil, errors.New(`--variables must be a JSON object, such as '{"id": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"}'`)
	}
	return variables, nil
}

// refusal returns what is wrong with an operation that comes to no decision.
func refusal(refused []*operation.Error) error {
	messages := make([]string, len(refused))
	for i, e := range refused {
		messages[i] = e.Message
		if len(e.Locations) > 0 {
			messages[i] = fmt.Sprintf("line %d, column %d: %s", e.Locations[0].Line, e.Locations[0].Column, e.Message)
		}
	}
	return errors.New("the operation is refused before any rule is asked: " + strings.Join(messages, " "))
}

func newExplained(found *operation.Explained, mode settings.Mode) explained {
	e := explained{Permitted: found.Closed == nil, Fields: make([]explainedField, len(found.Fields))}
	if found.Introspects {
		e.Introspection = &explainedIntrospection{Decision: decide(found.Closed == nil), Mode: mode}
	}
	if found.Closed != nil {
		e.Introspection.Error = found.Closed.Extensions()
	}
	for i, x := range found.Fields {
		f := explainedField{
			Path: x.Path, Coordinate: x.Coordinate, Decision: decide(x.Passes), Public: x.Public, Rules: []explainedOne{},
		}
		for _, r := range x.Rules {
			f.Rules = append(f.Rules, explainedOne{r.Text, r.Origin, r.At, decide(r.Passes), r.Reason})
		}
		switch {
		case !x.Reached:
			f.Decision = leftOut
		case x.Refusal != nil:
			f.Error = x.Refusal.Extensions()
			e.Permitted = false
		}
		e.Fields[i] = f
	}
	return e
}

// String returns the explanation for people: a line for each field, and below it one for each of its rules.
func (e explained) String() string {
	var text strings.Builder
	if e.Permitted {
		text.WriteString("Permitted.\n")
	} else {
		text.WriteString("Denied: nothing of the operation runs.\n")
	}
	if i := e.Introspection; i != nil {
		fmt.Fprintf(&text, "\n%s: introspection", i.Decision)
		if code, denied := i.Error["code"]; denied {
			fmt.Fprintf(&text, " %s", code)
		}
		rule := "open to everybody in development"
		if !opensIntrospection(i.Mode) {
			rule = "signed in, in production"
		}
		fmt.Fprintf(&text, "\n    %s: %s\n", i.Decision, rule)
	}
	for _, f := range e.Fields {
		path := make([]string, len(f.Path))
		for i, step := range f.Path {
			path[i] = fmt.Sprint(step)
		}
		fmt.Fprintf(&text, "\n%s: %s (%s)", f.Decision, strings.Join(path, "."), f.Coordinate)
		if code, denied := f.Error["code"]; denied {
			fmt.Fprintf(&text, " %s", code)
		}
		text.WriteByte('\n')
		switch {
		case f.Public != "":
			fmt.Fprintf(&text, "    public: %s\n", f.Public)
		case len(f.Rules) == 0:
			text.WriteString("    no rule: open to whoever reaches it\n")
		}
		for _, r := range f.Rules {
			fmt.Fprintf(&text, "    %s: %s, %s", r.Decision, r.Rule, r.from(f.Coordinate))
			if r.Reason != "" {
				fmt.Fprintf(&text, ": %s", r.Reason)
			}
			text.WriteByte('\n')
		}
	}
	return text.String()
}

// from says how the rule comes to bind the field at a coordinate.
func (r explainedOne) from(coordinate string) string {
	switch {
	case r.At == coordinate:
		return "its own rule"
	case r.Origin == policy.OnInterface:
		return "inherited from " + r.At
	case r.Origin == policy.OnReturn:
		return "the rule of " + r.At + ", which it returns"
	default:
		return "the rule of " + r.At
	}
}
