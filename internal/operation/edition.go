package operation

import (
	"sync"

	"github.com/maypok86/otter/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
	"gatehouse/internal/introspection"
	"gatehouse/internal/policy"
)

// edition is the schema as the callers who see the same of it know it. Their documents are validated against it, and it answers
// what they ask about the schema: what they cannot see is nowhere in it, so nothing can tell it from what was never there.
type edition struct {
	schema  *ast.Schema
	about   *introspection.Schema
	coercer coercer
	sdl     func() string
}

// maxEditions bounds how many editions are kept. There is one for each combination of hidden things that callers see, which is a
// handful; one that was dropped is made again in a fraction of a millisecond.
const maxEditions = 64

// editions makes and keeps the editions of a schema.
type editions struct {
	schema *ast.Schema
	policy *policy.Engine
	kept   *otter.Cache[policy.View, *edition]
}

func newEditions(schema *ast.Schema, rules *policy.Engine) (*editions, error) {
	kept, err := otter.New(&otter.Options[policy.View, *edition]{
		MaximumSize: maxEditions,
		Executor:    func(task func()) { task() }, // no goroutines of its own
	})
	if err != nil {
		return nil, err
	}
	return &editions{schema: schema, policy: rules, kept: kept}, nil
}

// of returns the edition for a view.
func (e *editions) of(view policy.View) *edition {
	known, _ := e.kept.ComputeIfAbsent(view, func() (*edition, bool) {
		return newEdition(e.schema, func(at string) bool { return e.policy.Visible(view, at) }), false
	})
	return known
}

func newEdition(schema *ast.Schema, visible func(coordinate string) bool) *edition {
	filtered := introspection.Filter(schema, visible)
	about := introspection.New(filtered)
	return &edition{schema: filtered, about: about, coercer: coercer{filtered}, sdl: sync.OnceValue(about.String)}
}

// SDL returns the schema as the caller may see it, in the schema definition language. The error is a *fault.Error: callers who
// are anonymous are not told where introspection is closed to them.
func (x *Executor) SDL(caller *auth.Caller) (string, error) {
	if x.closedTo(caller) {
		return "", closedIntrospection(caller)
	}
	return x.editions.of(x.policy.View(caller)).sdl(), nil
}
