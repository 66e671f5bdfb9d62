package graph

import (
	"errors"
	"time"
)

// errOutputOnly is what a scalar answers that no argument of the schema has yet.
var errOutputOnly = errors.New("graph: the scalar appears in answers only")

// dateTime resolves the scalar DateTime: RFC 3339, UTC, to the microsecond.
type dateTime struct{ time.Time }

// ImplementsGraphQLType names the scalar.
func (dateTime) ImplementsGraphQLType(name string) bool { return name == "DateTime" }

// UnmarshalGraphQL is demanded by the engine of every scalar, also of one that is never an argument.
func (*dateTime) UnmarshalGraphQL(any) error { return errOutputOnly }

// MarshalJSON writes the instant.
func (t dateTime) MarshalJSON() ([]byte, error) {
	return t.UTC().Truncate(time.Microsecond).AppendFormat(nil, `"`+time.RFC3339Nano+`"`), nil
}

// emailAddress resolves the scalar EmailAddress.
type emailAddress string

// ImplementsGraphQLType names the scalar.
func (emailAddress) ImplementsGraphQLType(name string) bool { return name == "EmailAddress" }

// UnmarshalGraphQL is demanded by the engine of every scalar, also of one that is never an argument.
func (*emailAddress) UnmarshalGraphQL(any) error { return errOutputOnly }
