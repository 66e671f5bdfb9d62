package fault

import (
	"errors"
	"strings"
)

// UserError is a refusal that a person can act on. It is data, not failure: a payload lists it under userErrors.
type UserError struct {
	Code    Code
	Message string   // a sentence for the person: what is wrong and what would be right
	Field   []string // the input field it belongs to, such as ["input", "email"]; nil where it belongs to none
}

// UserErrors is one or more user errors on their way from a feature to the payload.
type UserErrors []UserError

// Error lists the codes; messages are for people and stay out of logs.
func (u UserErrors) Error() string {
	codes := make([]string, len(u))
	for i, e := range u {
		codes[i] = string(e.Code)
	}
	return "user errors: " + strings.Join(codes, ", ")
}

// User returns a single user error about the input field (the last element of its path), or about none when field is empty.
func User(code Code, field, message string) UserErrors {
	e := UserError{Code: code, Message: message}
	if field != "" {
		e.Field = []string{"input", field}
	}
	return UserErrors{e}
}

// Split separates the tiers: the user errors in err, and err itself when it is anything else. At most one is non-nil.
func Split(err error) (UserErrors, error) {
	if users, ok := errors.AsType[UserErrors](err); ok {
		return users, nil
	}
	return nil, err
}
