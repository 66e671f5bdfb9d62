package graph

import (
	"errors"
	"time"

	"github.com/graph-gophers/graphql-go"

	"gatehouse/internal/id"
)

// ID is the scalar ID, of arguments and of answers.
type ID = graphql.ID

// parse returns what an argument is the id of: for a text that is no id, the id of nothing.
func parse(argument ID) id.ID {
	parsed, err := id.Parse(string(argument))
	if err != nil {
		return id.ID{}
	}
	return parsed
}

// reference returns the id of something else, nil where there is none.
func reference(to *id.ID) *ID {
	if to == nil {
		return nil
	}
	text := ID(to.String())
	return &text
}

// optional returns nil for a text that is not there.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// given returns an argument that may be left out: empty if it was.
func given(argument *string) string {
	if argument == nil {
		return ""
	}
	return *argument
}

// errOutputOnly is what a scalar answers that no argument of the schema has yet.
var errOutputOnly = errors.New("graph: the scalar appears in answers only")

// DateTime resolves the scalar DateTime: RFC 3339, UTC, to the microsecond.
type DateTime struct{ time.Time }

// ImplementsGraphQLType names the scalar.
func (DateTime) ImplementsGraphQLType(name string) bool { return name == "DateTime" }

// UnmarshalGraphQL is demanded by the engine of every scalar, also of one that is never an argument.
func (*DateTime) UnmarshalGraphQL(any) error { return errOutputOnly }

// MarshalJSON writes the instant.
func (t DateTime) MarshalJSON() ([]byte, error) {
	return t.UTC().Truncate(time.Microsecond).AppendFormat(nil, `"`+time.RFC3339Nano+`"`), nil
}

// EmailAddress resolves the scalar EmailAddress.
type EmailAddress string

// ImplementsGraphQLType names the scalar.
func (EmailAddress) ImplementsGraphQLType(name string) bool { return name == "EmailAddress" }

// UnmarshalGraphQL is demanded by the engine of every scalar, also of one that is never an argument.
func (*EmailAddress) UnmarshalGraphQL(any) error { return errOutputOnly }
