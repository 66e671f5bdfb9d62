package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"gatehouse/internal/fault"
	"gatehouse/internal/request"
	"gatehouse/internal/settings"
)

// process is what a command runs in.
type process struct {
	Process
	program Program
}

// command is one of the commands below. An error is a sentence for the person at the terminal, saying what to do.
type command interface {
	run(ctx context.Context, p process) error
}

// commands is the command line.
type commands struct {
	Serve       serveCommand       `cmd:"" default:"withargs" help:"Run the server; what gatehouse does when told nothing else."`
	Migrate     migrateCommand     `cmd:"" help:"Bring the database's schema up to date."`
	User        userCommand        `cmd:"" help:"Create accounts, grant them roles, disable them."`
	Keys        keysCommand        `cmd:"" help:"List the signing keys, and replace the one that signs."`
	Schema      schemaCommand      `cmd:"" help:"Print the GraphQL schema."`
	Access      accessCommand      `cmd:"" help:"Print who may ask what: every field with its rule."`
	Config      configCommand      `cmd:"" help:"Print the settings in force, and where each came from."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a running server how it is."`
}

// Run runs the command that the arguments choose, and returns the exit code: 0, or 1 after one sentence on stderr.
func (p Program) Run(ctx context.Context, outside Process) int {
	within := process{outside, p}
	chosen, err := parse(within)
	if err == nil && chosen != nil {
		err = chosen.run(ctx, within)
	}
	if err != nil {
		return within.fail(err)
	}
	return 0
}

// parse returns the command that the arguments choose, filled; nil when they asked for help and got it.
func parse(p process) (command, error) {
	helped := false
	options := append(settings.Options(p.Lookup),
		kong.Name(p.program.name()),
		kong.Description("An auth server for GraphQL: accounts, logins and access tokens."),
		kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(int) { helped = true }), // kong ends the process after --help, and goes on parsing where it cannot
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.PostBuild(p.program.nameHelp),
	)
	parser, err := kong.New(new(commands), options...)
	if err != nil {
		return nil, fmt.Errorf("describe the command line: %w", err)
	}
	line, err := parser.Parse(p.Args)
	if helped {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; \"%s --help\" shows what there is", err, p.program.name())
	}
	chosen, ok := line.Selected().Target.Addr().Interface().(command)
	if !ok {
		return nil, fmt.Errorf("\"%s %s\" needs another word; --help shows which", p.program.name(), line.Command())
	}
	return chosen, nil
}

// fail writes err as one line and returns the exit code.
func (p process) fail(err error) int {
	text := err.Error()
	if users, ok := errors.AsType[fault.UserErrors](err); ok {
		text = userMessages(users)
	}
	_, _ = fmt.Fprintln(p.Stderr, p.program.name()+": "+p.program.called(strings.Join(strings.Fields(text), " ")))
	return 1
}

// ownName matches the word that stands for the program in help and in sentences about what to run, which are written as
// Gatehouse says them: gatehouse by itself, and neither a file nor a user of that name.
var ownName = regexp.MustCompile(`(?m)(^|[\s"])gatehouse($|[\s"])`)

// called returns text with the program's name in the place of Gatehouse's.
func (p Program) called(text string) string {
	return ownName.ReplaceAllString(text, "${1}"+p.name()+"${2}")
}

// nameHelp makes every help text speak of the program by its name.
func (p Program) nameHelp(k *kong.Kong) error {
	return kong.Visit(k.Model, func(visited kong.Visitable, next kong.Next) error {
		switch v := visited.(type) {
		case *kong.Node:
			v.Help, v.Detail = p.called(v.Help), p.called(v.Detail)
		case *kong.Flag:
			v.Help = p.called(v.Help)
		}
		return next(nil)
	})
}

// userMessages returns what user errors say to people.
func userMessages(users fault.UserErrors) string {
	messages := make([]string, len(users))
	for i, user := range users {
		messages[i] = user.Message
	}
	return strings.Join(messages, " ")
}

// newLogger returns the logger that the settings ask for. It writes to stderr: stdout is for what commands print.
func newLogger(p process, cfg settings.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(p.Stderr, options)
	if cfg.LogFormat == "text" || cfg.LogFormat == "auto" && isTerminal(p.Stderr) {
		handler = slog.NewTextHandler(p.Stderr, options)
	}
	return slog.New(request.LogHandler(handler))
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
