package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"gatehouse/internal/auth"
)

// readRule reads the @auth directives at one coordinate; field is nil for a type. What is wrong in a directive counts as left
// out: what else is reported then does not depend on it, and it never becomes a rule.
func (r *reader) readRule(at string, directives ast.DirectiveList, field *ast.FieldDefinition) rule {
	var declared rule
	for _, directive := range directives.ForNames(authDirective) {
		d := &directiveReader{reader: r, at: at, directive: directive}
		q := r.intern(d.read(field).seal())
		if slices.Contains(declared, q) {
			r.repeated = append(r.repeated, at)
		}
		declared = declared.and(rule{q})
		if r.positions[at] == nil {
			r.positions[at] = directive.Position
		}
	}
	return declared
}

// intern returns the requirement that stands for all equal to q.
func (r *reader) intern(q *requirement) *requirement {
	if known, ok := r.requirements[q.key]; ok {
		return known
	}
	r.requirements[q.key] = q
	return q
}

// alternatives returns the choice that stands for all equal to it, nil for none.
func (r *reader) alternatives(scopes [][]string) *alternatives {
	if len(scopes) == 0 {
		return nil
	}
	a := &alternatives{names: canonical(scopes)}
	key := fmt.Sprintf("%q", a.names)
	if known, ok := r.choices[key]; ok {
		return known
	}
	for _, all := range a.names {
		a.sets = append(a.sets, r.vocabulary.Set(all...))
	}
	r.choices[key] = a
	return a
}

// directiveReader reads one @auth. gqlparser does not check the values against the types of the arguments.
type directiveReader struct {
	*reader
	at        string
	directive *ast.Directive
}

func (d *directiveReader) wrong(problem, mend string) {
	d.mistakes.add(d.at, d.directive.Position, problem, mend)
}

func (d *directiveReader) read(field *ast.FieldDefinition) *requirement {
	q := &requirement{}
	for _, argument := range d.directive.Arguments {
		switch value := argument.Value; argument.Name {
		case scopesArgument:
			q.scopes = d.alternatives(d.scopes(argument.Name, value))
		case orScopesArgument:
			q.orScopes = d.alternatives(d.scopes(argument.Name, value))
		case ownerArgument:
			q.owner = d.owner(value, field)
		case maxAgeArgument:
			q.maxAge = d.maxAge(value)
		case acrArgument:
			q.level = d.level(value)
		case hiddenArgument:
			if value.Kind != ast.BooleanValue {
				d.wrong("has a hidden that is neither true nor false", "Write hidden: true, or leave it out.")
			}
			q.hidden = value.Raw == "true"
		default:
			d.wrong("has an @auth with the argument "+argument.Name+", which nothing enforces", "Take the argument out.")
		}
	}
	if argumentValue(d.directive, orScopesArgument) != nil && argumentValue(d.directive, ownerArgument) == nil {
		d.wrong("has orScopes without an owner", "Call it scopes, or say in owner what would do instead.")
	}
	return q
}

// scopes reads a list of lists of scopes.
func (d *directiveReader) scopes(argument string, value *ast.Value) [][]string {
	const mend = `Write a list of lists: [["users:read"]] for one scope, [["a", "b"]] for both, [["a"], ["b"]] for either.`
	leaveOut := "Leave scopes out where being signed in is enough, or name the scopes."
	nobody := "which nobody could meet"
	if argument == orScopesArgument {
		leaveOut = "Leave orScopes out where owning is the only way, or name the scopes."
		nobody = "which opens nothing"
	}
	if value.Kind != ast.ListValue {
		d.wrong("has "+argument+" that are not a list of lists", mend)
		return nil
	}
	if len(value.Children) == 0 {
		d.wrong("has "+argument+": [], "+nobody, leaveOut)
		return nil
	}
	var scopes [][]string
	for _, alternative := range value.Children {
		if alternative.Value.Kind != ast.ListValue {
			d.wrong("has "+argument+" that are not a list of lists", mend)
			return nil
		}
		if len(alternative.Value.Children) == 0 {
			d.wrong("has an empty list in "+argument+", which everybody would meet", leaveOut)
			return nil
		}
		var all []string
		for _, child := range alternative.Value.Children {
			if !isText(child.Value) {
				d.wrong("has "+argument+" that are not strings", mend)
				return nil
			}
			scope := child.Value.Raw
			if !d.vocabulary.Knows(scope) {
				d.wrong("requires the scope "+scope+", which this server does not know",
					"Register it, or use one that is: "+strings.Join(d.vocabulary.Names(), ", ")+".")
			}
			all = append(all, scope)
		}
		scopes = append(scopes, all)
	}
	return scopes
}

// owner reads whose a thing has to be. Whether anything can be the caller's own there is checked when all is read.
func (d *directiveReader) owner(value *ast.Value, field *ast.FieldDefinition) string {
	const mend = `Write owner: "parent", or the way to the argument that is the caller's own id, such as "args.id".`
	if !isText(value) || value.Raw != ownParent && !strings.HasPrefix(value.Raw, ownArguments) {
		d.wrong("has an owner that is neither parent nor an argument", mend)
		return ""
	}
	owner := value.Raw
	if owner == ownParent {
		return owner
	}
	if field == nil {
		d.wrong("has the owner "+owner+", but a type has no arguments", `Put the rule on the fields, or write owner: "parent".`)
		return ""
	}
	if _, err := d.ownerPath(field, &requirement{owner: owner}); err != nil {
		d.wrong("has the owner "+owner+", "+err.Error(), "Name an argument, or a field of one, that is an ID or a String.")
		return ""
	}
	return owner
}

// ownerPath finds the argument of field that owner names.
func (r *reader) ownerPath(field *ast.FieldDefinition, q *requirement) (ownerPath, error) {
	names := strings.Split(strings.TrimPrefix(q.owner, ownArguments), ".")
	path := ownerPath{requirement: q, argument: field.Arguments.ForName(names[0])}
	if path.argument == nil {
		return path, fmt.Errorf("but there is no argument %s", names[0])
	}
	typ := path.argument.Type
	for i, name := range names[1:] {
		so := strings.Join(names[:i+1], ".")
		def := r.schema.Types[typ.Name()]
		if typ.Elem != nil || def.Kind != ast.InputObject {
			return path, fmt.Errorf("but %s is of type %s, which has no fields", so, typ)
		}
		next := def.Fields.ForName(name)
		if next == nil {
			return path, fmt.Errorf("but there is no field %s in %s", name, def.Name)
		}
		path.fields = append(path.fields, next)
		typ = next.Type
	}
	if typ.Elem != nil || typ.NamedType != "ID" && typ.NamedType != "String" {
		return path, fmt.Errorf("but %s is of type %s, which is not one id", strings.Join(names, "."), typ)
	}
	return path, nil
}

func (d *directiveReader) maxAge(value *ast.Value) time.Duration {
	seconds, err := strconv.ParseInt(value.Raw, 10, 32)
	if value.Kind != ast.IntValue || err != nil || seconds <= 0 {
		d.wrong("has a maxAge that nobody could meet", "Write a number of seconds above 0, such as 300.")
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func (d *directiveReader) level(value *ast.Value) auth.Level {
	level, known := auth.ParseLevel(value.Raw)
	if !isText(value) || !known {
		names := make([]string, 0, len(auth.Levels()))
		for _, l := range auth.Levels() {
			names = append(names, l.String())
		}
		d.wrong("has an acr that nobody could meet", "Use a level that there is: "+strings.Join(names, ", ")+".")
		return auth.LevelNone
	}
	return level
}

func isText(value *ast.Value) bool {
	return value.Kind == ast.StringValue || value.Kind == ast.BlockValue
}
