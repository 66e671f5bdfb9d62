package operation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"

	"github.com/maypok86/otter/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/policy"
	"gatehouse/internal/request"
	"gatehouse/internal/trusted"
)

// Config is what an Executor needs. Schema, Policy, Engine and Logger are required.
type Config struct {
	Schema *ast.Schema // from LoadSchema
	Policy *policy.Engine
	Engine Engine
	Logger *slog.Logger
	Limits Limits // zero fields mean the defaults

	OpenIntrospection bool // anonymous callers may use __schema and __type

	// OncePerOperation lists the coordinates of root fields, such as "Mutation.login", that check a password: an operation may
	// select only one of them, and only once.
	OncePerOperation []string

	// Trusted are the documents that the team's own clients send; none means that there is no such list. With TrustedOnly nothing
	// else runs; without, the log tells what would not.
	Trusted     []trusted.Document
	TrustedOnly bool
}

// Executor answers requests. It is safe for concurrent use.
type Executor struct {
	policy            *policy.Engine
	editions          *editions
	engine            Engine
	logger            *slog.Logger
	limits            Limits
	openIntrospection bool
	hides             bool // something from somebody
	once              map[string]bool
	rules             []validationRule
	documents         *otter.Cache[documentKey, *document]
	registered        *otter.Cache[persistedKey, string]
	trusted           *trustedDocuments // nil: there is no such list
}

// documentKey is what a document is known by. Who sees another schema has another document of the same text, or none: it may be
// invalid for them.
type documentKey struct {
	view policy.View
	text string
}

// New returns an Executor. It fails on a missing part, on a coordinate in OncePerOperation that is no root field, and on trusted
// documents that could not run.
func New(cfg Config) (*Executor, error) {
	if cfg.Schema == nil || cfg.Policy == nil || cfg.Engine == nil || cfg.Logger == nil {
		return nil, errors.New("operation: schema, policy, engine and logger are required")
	}
	limits := cfg.Limits.orDefaults()
	documents, err := newCache(limits)
	if err != nil {
		return nil, fmt.Errorf("operation: document cache: %w", err)
	}
	registered, err := newPersisted(limits)
	if err != nil {
		return nil, fmt.Errorf("operation: persisted queries: %w", err)
	}
	editions, err := newEditions(cfg.Schema, cfg.Policy)
	if err != nil {
		return nil, fmt.Errorf("operation: cache of schemas: %w", err)
	}
	x := &Executor{
		policy:            cfg.Policy,
		editions:          editions,
		engine:            cfg.Engine,
		logger:            cfg.Logger,
		limits:            limits,
		openIntrospection: cfg.OpenIntrospection,
		hides:             len(cfg.Policy.Hidden()) > 0,
		once:              make(map[string]bool, len(cfg.OncePerOperation)),
		rules:             validationRules(),
		documents:         documents,
		registered:        registered,
	}
	for _, at := range cfg.OncePerOperation {
		if !isRootField(cfg.Schema, at) {
			return nil, fmt.Errorf("operation: %s is no root field of the schema", at)
		}
		x.once[at] = true
	}
	if len(cfg.Trusted) > 0 {
		if err := x.trust(cfg.Trusted, cfg.TrustedOnly); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// newCache returns a cache bounded both ways: every entry weighs at least its share of the bytes. Its policy, W-TinyLFU,
// keeps what is asked for often; a flood of documents that are asked for once passes through without displacing it.
func newCache(limits Limits) (*otter.Cache[documentKey, *document], error) {
	least := max(1, limits.CacheBytes/limits.CacheEntries)
	return otter.New(&otter.Options[documentKey, *document]{
		MaximumWeight: uint64(max(0, limits.CacheBytes)),
		Weigher:       func(_ documentKey, d *document) uint32 { return uint32(max(least, d.bytes)) },
		Executor:      func(task func()) { task() }, // no goroutines of its own
	})
}

func isRootField(schema *ast.Schema, at string) bool {
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		typeName, fieldName, _ := strings.Cut(at, ".")
		if root != nil && root.Name == typeName && root.Fields.ForName(fieldName) != nil {
			return true
		}
	}
	return false
}

// Execute answers the request, for the caller and the request that ctx carries. It never returns nil; a panic anywhere
// below becomes an internal error. A subscription is refused: [Executor.Subscribe] answers those.
func (x *Executor) Execute(ctx context.Context, req Request) (response *Response) {
	a := &answer{requestID: request.FromContext(ctx).ID}
	defer func() {
		if v := recover(); v != nil {
			response = x.panicked(ctx, a, v)
		}
	}()
	permitted, refusal := x.admit(ctx, a, req, false)
	if refusal != nil {
		return refusal
	}
	return x.execute(ctx, a, permitted)
}

// permitted is an operation that may run, with its variables.
type permitted struct {
	op        *prepared
	edition   *edition
	variables map[string]any
	statement Request // for the engine
}

// admit does everything that comes before an operation runs, and notes for the log which one it is. Where it may not run, the
// response says why: among others because it is a subscription, where there is no stream to answer it with.
func (x *Executor) admit(ctx context.Context, a *answer, req Request, stream bool) (*permitted, *Response) {
	caller := auth.FromContext(ctx)
	doc, problems := x.requested(ctx, x.policy.View(caller), req)
	if problems != nil && x.sightless(caller) && mayBeHidden(problems[0].fault.Code) {
		x.logUnavailable(ctx, caller.Refusal, "")
		return nil, a.refuse(Denied, problem{fault: caller.Refusal})
	}
	if problems != nil {
		return nil, a.refuse(Refused, problems...)
	}
	op, problem := doc.choose(req.OperationName)
	if problem != nil {
		return nil, a.refuse(Refused, *problem)
	}
	a.OperationName, a.OperationType = op.definition.Name, string(op.definition.Operation)
	if asked := request.FromContext(ctx).Operation; asked != nil {
		asked.Name, asked.Type = a.OperationName, a.OperationType
	}
	if req.ReadOnly && op.definition.Operation == ast.Mutation {
		return nil, a.refuse(Refused, reject(fault.BadUserInput, "A mutation cannot be sent this way: send it with POST.",
			op.definition.Position))
	}
	if !stream && op.definition.Operation == ast.Subscription {
		return nil, a.refuse(Refused, reject(fault.BadUserInput,
			"A subscription has many answers: send it over a WebSocket, or accept text/event-stream.", op.definition.Position))
	}
	variables, problems := doc.edition.coercer.variables(op.definition, req.Variables)
	if problems != nil {
		return nil, a.refuse(Refused, problems...)
	}
	bound, problems := op.statement.bind(doc.edition.coercer, variables)
	if problems != nil {
		return nil, a.refuse(Refused, problems...)
	}
	if denied := x.decide(caller, op, variables); denied != nil {
		x.logUnavailable(ctx, denied[0].fault, denied[0].fault.Coordinate) // the others are of the same caller
		return nil, a.refuse(Denied, denied...)
	}
	return &permitted{op, doc.edition, variables, Request{Query: op.statement.text, Variables: bound}}, nil
}

// execute runs a query or mutation.
func (x *Executor) execute(ctx context.Context, a *answer, p *permitted) *Response {
	if !p.op.introspects {
		return x.report(ctx, a, p.op, x.engine.Execute(ctx, p.statement))
	}
	parts, problems := x.introspect(p.edition, p.op, p.variables)
	if problems != nil {
		return a.refuse(Refused, problems...)
	}
	return x.report(ctx, a, p.op, x.complete(ctx, parts, p.statement))
}

// sightless reports whether the caller would see more of the schema if the credential they sent were good, so that a document may
// be valid for them then. Whether this one is must not matter: it would tell of what is hidden.
func (x *Executor) sightless(caller *auth.Caller) bool {
	return !caller.SignedIn() && caller.Refusal.Reason != fault.Missing && x.hides
}

// mayBeHidden reports whether a document that is refused with the code may be one that others can send.
func mayBeHidden(code fault.Code) bool {
	return code == fault.ValidationFailed || code == fault.PersistedQueryNotInList
}

// decide returns what the caller is denied: nil when the operation may run.
func (x *Executor) decide(caller *auth.Caller, op *prepared, variables map[string]any) []problem {
	if op.introspects && x.closedTo(caller) {
		return []problem{{fault: closedIntrospection(caller)}}
	}
	denials := op.plan.Check(caller, variables)
	if denials == nil {
		return nil
	}
	problems := make([]problem, len(denials))
	for i, d := range denials {
		problems[i] = problem{fault: d.Fault, path: d.Path}
		if f := op.field(d.Path); f != nil {
			problems[i].locations = locate(f.Position)
		}
	}
	return problems
}

// closedTo reports whether the caller may not ask about the schema.
func (x *Executor) closedTo(caller *auth.Caller) bool {
	return !x.openIntrospection && !caller.SignedIn()
}

// closedIntrospection is what an anonymous caller is told who asks about the schema where that takes signing in.
func closedIntrospection(caller *auth.Caller) *fault.Error {
	f := *caller.Refusal // shared between requests
	if f.Code == fault.Unauthenticated {
		f.Message = "Introspection is closed to anonymous callers. " + f.Message
	}
	return &f
}

// report answers with what the engine made of the operation.
func (x *Executor) report(ctx context.Context, a *answer, op *prepared, result Result) *Response {
	if refusal := result.refusal(); refusal != nil {
		return a.refuse(Refused, problem{fault: refusal})
	}
	a.Stage, a.Data = Executed, result.Data
	if a.Data == nil {
		a.Data = json.RawMessage("null")
	}
	for _, e := range result.Errors {
		p, at := problem{fault: fault.From(e.Err), path: e.Path}, ""
		if f := op.field(e.Path); f != nil {
			p.locations, at = locate(f.Position), coordinate(f)
		}
		if p.fault.Code == fault.Internal {
			x.logger.ErrorContext(ctx, "a resolver failed", "error", p.fault.Cause, "coordinate", at)
			p.fault = &fault.Error{Code: fault.Internal, Message: fault.InternalMessage}
		}
		x.logUnavailable(ctx, p.fault, at)
		a.add(p)
	}
	return &a.Response
}

// logUnavailable logs why we could not answer, which the client is not told. That the client went away is no such reason.
func (x *Executor) logUnavailable(ctx context.Context, f *fault.Error, at string) {
	if f.Code == fault.Unavailable && ctx.Err() == nil {
		x.logger.WarnContext(ctx, "an operation could not be answered", "error", cmp.Or(f.Cause, error(f)), "coordinate", at)
	}
}

// panicked answers after a panic. What was panicked with may hold anything, so the log gets its type, and the text only
// of the runtime's own errors, which hold no data of ours.
func (x *Executor) panicked(ctx context.Context, a *answer, v any) *Response {
	what := fmt.Sprintf("%T", v)
	if fromRuntime, ok := v.(runtime.Error); ok {
		what = fromRuntime.Error()
	}
	x.logger.ErrorContext(ctx, "an operation panicked", "panic", what, "stack", stack())
	a.Data, a.Errors = nil, nil
	return a.refuse(Failed, problem{fault: &fault.Error{Code: fault.Internal, Message: fault.InternalMessage}})
}

// answer is a response in the making.
type answer struct {
	Response
	requestID string
}

// refuse answers with problems: nothing ran, or nothing is left of it.
func (a *answer) refuse(stage Stage, problems ...problem) *Response {
	a.Stage = stage
	for _, p := range problems[:min(len(problems), maxErrors)] {
		a.add(p)
	}
	return &a.Response
}

// add appends an error. SERVICE_UNAVAILABLE anywhere makes the whole response one that is worth asking for again.
func (a *answer) add(p problem) {
	if p.fault.Code == fault.Unavailable {
		a.Stage = Unavailable
	}
	a.Errors = append(a.Errors, p.error(a.requestID))
}

// stack returns the functions that were running, without their arguments, which runtime/debug.Stack would print.
func stack() string {
	const deepest = 64
	counters := make([]uintptr, deepest)
	frames := runtime.CallersFrames(counters[:runtime.Callers(3, counters)])
	var text strings.Builder
	for {
		frame, more := frames.Next()
		fmt.Fprintf(&text, "%s %s:%d\n", frame.Function, frame.File, frame.Line)
		if !more {
			return text.String()
		}
	}
}
