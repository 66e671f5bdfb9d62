package server

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/graph"
	"gatehouse/internal/operation"
	"gatehouse/internal/policy"
	"gatehouse/internal/role"
	"gatehouse/internal/store"
)

// Program is a server and the commands around it: Gatehouse, and what a team adds to it.
type Program struct {
	Schema    string // Gatehouse's own, in SDL: schema.graphqls, or graph.Schema for whoever cannot embed it
	Extension        // what is added; the zero value is nothing
}

// Extension is what a team adds to Gatehouse without changing it. Its part of the schema answers to the same rules: a root field
// that says nothing about who may use it keeps the server from starting.
type Extension struct {
	// Name is the program's name, and part of the names of its schema and of the table its migrations are recorded in: lower-case
	// letters, digits and underscores, beginning with a letter.
	Name string
	// Schema is SDL: types, and extensions of Query, Mutation, Subscription, User and ErrorCode.
	Schema string
	// Scopes and Roles are added to those of Gatehouse, whose own they cannot change.
	Scopes []role.Scope
	Roles  []role.Role
	// OncePerOperation lists the root fields, such as "Mutation.closeAccount", that check a password: one operation may select
	// only one of them, Gatehouse's own included, and only once, so that it cannot be used to guess many passwords at a time.
	OncePerOperation []string
	// Migrations holds files as internal/store/migrations describes them, with numbers of their own. Nil means none.
	Migrations fs.FS
	// Bind makes the features, and binds resolvers to sdl, which is Gatehouse's schema and the extension's together. Nil means
	// [graph.New].
	Bind func(sdl string, house House) (operation.Engine, error)
}

// House is what an extension's features and resolvers stand on.
type House struct {
	graph.Features

	DB  *store.DB
	Now func() time.Time
}

// Process is the world outside: what an operating system gives a program.
type Process struct {
	Args           []string // without the program's name
	Lookup         func(variable string) (string, bool)
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Now            func() time.Time
}

// Main runs the command that this process was called for, and ends the process. A signal to end is the command's to obey; a
// second one ends the process at once.
func (p Program) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// From the first signal on the next one is nobody's to catch.
	context.AfterFunc(ctx, stop)
	os.Exit(p.Run(ctx, thisProcess()))
}

// thisProcess returns the world as it really is. Nothing else looks at it directly.
func thisProcess() Process {
	return Process{
		Args: os.Args[1:], Lookup: os.LookupEnv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Now: time.Now,
	}
}

// name returns what the program is called.
func (p Program) name() string {
	if p.Name == "" {
		return "gatehouse"
	}
	return p.Name
}

// sdl returns the whole schema.
func (p Program) sdl() string {
	if p.Extension.Schema == "" {
		return p.Schema
	}
	return p.Schema + "\n" + p.Extension.Schema
}

// registry returns every scope and role that the program knows.
func (p Program) registry() (*role.Registry, error) {
	own, err := role.Default()
	if err != nil {
		return nil, err
	}
	return own.With(p.Scopes, p.Roles)
}

// oncePerOperation returns every root field that checks a password.
func (p Program) oncePerOperation() []string {
	return slices.Concat(graph.OncePerOperation(), p.OncePerOperation)
}

// compile reads the schema and its access rules.
func (p Program) compile(registry *role.Registry, now func() time.Time) (*ast.Schema, *policy.Engine, error) {
	// Two files, so that a message about line 12 means line 12 of one of them.
	files := []*ast.Source{{Name: "schema.graphqls", Input: p.Schema}}
	if p.Extension.Schema != "" {
		files = append(files, &ast.Source{Name: p.Name + ".graphqls", Input: p.Extension.Schema})
	}
	schema, err := operation.LoadSchemas(files...)
	if err != nil {
		return nil, nil, fmt.Errorf("read the schema: %w", err)
	}
	rules, err := policy.Compile(schema, registry.Vocabulary(), now)
	if err != nil {
		return nil, nil, fmt.Errorf("compile the access rules: %w", err)
	}
	return schema, rules, nil
}

// bind returns what executes operations.
func (p Program) bind(house House) (operation.Engine, error) {
	if p.Bind == nil {
		return graph.New(p.sdl(), house.Features)
	}
	return p.Bind(p.sdl(), house)
}

// migrations returns what the store has to know beside its own.
func (p Program) migrations() []store.Migrations {
	if p.Migrations == nil {
		return nil
	}
	return []store.Migrations{{Name: p.Name, Files: p.Migrations}}
}
