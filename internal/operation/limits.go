package operation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
	"github.com/vektah/gqlparser/v2/parser"

	"gatehouse/internal/fault"
	"gatehouse/internal/introspection"
)

// Limits bound what one document may cost, and what the document cache may hold. A zero field means the default beside it.
type Limits struct {
	Tokens int // 1,000 tokens, comments among them

	// Fragments count wherever they are spread, as if their fields were written there. What one selects on an interface or a union
	// counts for each type that it has to be printed for, see statement.
	Selections         int // 1,000 fields and fragments in the whole document
	Depth              int // 10 fields within each other
	IntrospectionDepth int // 20 fields within each other from __schema or __type on: GraphiQL's query needs 15
	IntrospectionBytes int // 4 MiB of answers about the schema in one response
	Aliases            int // 15 response names for one field of one object
	Repeats            int // 50 mentions of one response name in one object: comparing them costs the square

	CacheEntries int // 1,000 documents
	CacheBytes   int // 16 MiB, estimated

	PersistedEntries int // 1,000 hashes of documents
	PersistedBytes   int // 4 MiB of documents that are known by their hash
}

// orDefaults returns l with the defaults filled in.
func (l Limits) orDefaults() Limits {
	return Limits{
		Tokens:             cmp.Or(l.Tokens, 1000),
		Selections:         cmp.Or(l.Selections, 1000),
		Depth:              cmp.Or(l.Depth, 10),
		IntrospectionDepth: cmp.Or(l.IntrospectionDepth, 20),
		IntrospectionBytes: cmp.Or(l.IntrospectionBytes, 4<<20),
		Aliases:            cmp.Or(l.Aliases, 15),
		Repeats:            cmp.Or(l.Repeats, 50),
		CacheEntries:       cmp.Or(l.CacheEntries, 1000),
		CacheBytes:         cmp.Or(l.CacheBytes, 16<<20),
		PersistedEntries:   cmp.Or(l.PersistedEntries, 1000),
		PersistedBytes:     cmp.Or(l.PersistedBytes, 4<<20),
	}
}

// parse reads the text, having first made sure that it is affordable and free of characters that no database and no
// log should meet. It also returns the number of tokens.
func (l Limits) parse(query string) (*ast.QueryDocument, int, []problem) {
	source := &ast.Source{Input: query}
	tokens, problems := l.scan(source)
	if problems != nil {
		return nil, 0, problems
	}
	doc, err := parser.ParseQueryWithTokenLimit(source, l.Tokens+1) // it counts the end of the text, too
	if err != nil {
		return nil, 0, []problem{syntaxError(err)}
	}
	for _, fragment := range doc.Fragments {
		if len(fragment.VariableDefinition) > 0 { // gqlparser reads what was once proposed and never became GraphQL
			return nil, 0, []problem{reject(fault.ParseFailed, "A fragment cannot define variables.", fragment.Position)}
		}
	}
	if len(doc.Operations) == 0 {
		return nil, 0, []problem{reject(fault.ParseFailed, "The document has no operation.")}
	}
	return doc, tokens, nil
}

// scan counts the tokens and looks at every character, also at those that a string literal spells as escapes.
func (l Limits) scan(source *ast.Source) (int, []problem) {
	if strings.ContainsFunc(source.Input, unwanted) {
		return 0, []problem{reject(fault.BadUserInput, "The document has control characters or malformed text in it.")}
	}
	lex := lexer.New(source)
	for tokens := 1; ; tokens++ {
		token, err := lex.ReadToken()
		switch {
		case err != nil:
			return 0, []problem{syntaxError(err)}
		case token.Kind == lexer.EOF:
			return tokens, nil
		case tokens > l.Tokens:
			return 0, []problem{reject(fault.ValidationFailed, fmt.Sprintf("The document has more than %d tokens.", l.Tokens))}
		case (token.Kind == lexer.String || token.Kind == lexer.BlockString) && strings.ContainsFunc(token.Value, unwanted):
			return 0, []problem{reject(fault.BadUserInput, "A string has control characters or malformed text in it.",
				&token.Pos)}
		}
	}
}

// unwanted reports whether r is a control character other than white space, or stands for text that was malformed.
func unwanted(r rune) bool {
	return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' || r == utf8.RuneError
}

// syntaxError tells where the text stops being GraphQL. What gqlparser says of it quotes the text.
func syntaxError(err error) problem {
	p := reject(fault.ParseFailed, "The document is not valid GraphQL.")
	if syntax, ok := errors.AsType[*gqlerror.Error](err); ok {
		for _, at := range syntax.Locations {
			p.locations = append(p.locations, Location{Line: at.Line, Column: at.Column})
		}
	}
	return p
}

// measure holds the document against the limits that fragments can break, before validation, whose cost they multiply. It
// knows no types yet, and leaves to validation whatever is wrong with the document otherwise.
func (l Limits) measure(doc *ast.QueryDocument) []problem {
	m := &measuring{limits: l, doc: doc, spread: map[string]bool{}}
	for _, op := range doc.Operations {
		m.selections(op.SelectionSet, newObject(), 1, l.Depth)
	}
	for _, fragment := range doc.Fragments {
		if !m.spread[fragment.Name] { // invalid, but validation will look into it to say so
			m.selections(fragment.SelectionSet, newObject(), 1, l.Depth)
		}
	}
	return m.problems
}

// measuring unfolds a document until it breaks a limit.
type measuring struct {
	limits   Limits
	doc      *ast.QueryDocument
	total    int
	inside   []string // names of the fragments being unfolded
	spread   map[string]bool
	problems []problem
}

// object is one object of the response: the fields selected on it from everywhere, by response name.
type object struct {
	fields  map[string]*object
	repeats map[string]int // by response name
	aliases map[string]int // by field name
}

func newObject() *object {
	return &object{fields: map[string]*object{}, repeats: map[string]int{}, aliases: map[string]int{}}
}

// selections adds a selection set to the object into, whose fields are depth fields deep of at most limit.
func (m *measuring) selections(set ast.SelectionSet, into *object, depth, limit int) {
	for _, selection := range set {
		if m.problems != nil {
			return
		}
		m.total++
		if m.total > m.limits.Selections {
			m.refuse(selection.GetPosition(), "The document selects more than %d fields, fragments unfolded.",
				m.limits.Selections)
			return
		}
		switch s := selection.(type) {
		case *ast.Field:
			m.field(s, into, depth, limit)
		case *ast.InlineFragment:
			m.selections(s.SelectionSet, into, depth, limit)
		case *ast.FragmentSpread:
			m.spread[s.Name] = true
			fragment := m.doc.Fragments.ForName(s.Name)
			if fragment == nil || slices.Contains(m.inside, s.Name) {
				continue
			}
			m.inside = append(m.inside, s.Name)
			m.selections(fragment.SelectionSet, into, depth, limit)
			m.inside = m.inside[:len(m.inside)-1]
		}
	}
}

func (m *measuring) field(f *ast.Field, into *object, depth, limit int) {
	if introspection.Is(f.Name) {
		if depth > 1 { // the query type may also be what a field returns
			m.problems = append(m.problems, reject(fault.ValidationFailed, "Only the root of a query tells about the schema.",
				f.Position))
			return
		}
		limit = m.limits.IntrospectionDepth
	}
	sub := into.fields[f.Alias]
	if sub == nil {
		sub = newObject()
		into.fields[f.Alias] = sub
		into.aliases[f.Name]++
	}
	into.repeats[f.Alias]++
	switch {
	case depth > limit:
		m.refuse(f.Position, "The document nests more than %d fields.", limit)
	case into.aliases[f.Name] > m.limits.Aliases:
		m.refuse(f.Position, "The document selects a field under more than %d names at once.", m.limits.Aliases)
	case into.repeats[f.Alias] > m.limits.Repeats:
		m.refuse(f.Position, "The document repeats a field more than %d times.", m.limits.Repeats)
	default:
		m.selections(f.SelectionSet, sub, depth+1, limit)
	}
}

func (m *measuring) refuse(at *ast.Position, format string, limit int) {
	m.problems = append(m.problems, reject(fault.ValidationFailed, fmt.Sprintf(format, limit), at))
}
