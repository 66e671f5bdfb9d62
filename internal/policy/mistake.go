package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// mistake is one thing that has to be put right before the schema means something.
type mistake struct {
	coordinate    string
	source        string
	line          int
	problem, mend string
}

// mistakes is an error that lists them all: whoever mends a schema should need one start for it, not one for each.
type mistakes []mistake

func (m *mistakes) add(at string, position *ast.Position, problem, mend string) {
	found := mistake{coordinate: at, problem: problem, mend: mend}
	if position != nil {
		found.line = position.Line
		if position.Src != nil {
			found.source = position.Src.Name
		}
	}
	*m = append(*m, found)
}

// asError returns the mistakes in the order of the schema's lines, or nil when there are none.
func (m mistakes) asError() error {
	if len(m) == 0 {
		return nil
	}
	m.sort()
	return m
}

func (m mistakes) sort() {
	slices.SortFunc(m, func(a, b mistake) int {
		return cmp.Or(
			cmp.Compare(a.source, b.source),
			cmp.Compare(a.line, b.line),
			cmp.Compare(a.coordinate, b.coordinate),
			cmp.Compare(a.problem, b.problem),
		)
	})
}

// Error lists the mistakes, a line each.
func (m mistakes) Error() string {
	var text strings.Builder
	text.WriteString("policy: the schema leaves it open who may do what:")
	for _, one := range m {
		fmt.Fprintf(&text, "\n  %s:%d: %s %s. %s", one.source, one.line, one.coordinate, one.problem, one.mend)
	}
	return text.String()
}
