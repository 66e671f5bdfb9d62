package gqlhttp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse/internal/operation"
)

// maxDepth is how deep objects and arrays of a body may be nested.
const maxDepth = 32

// What can be wrong with a body. Messages say what was expected and never what was found: not even a name, since a client
// can make those up too.
var (
	errBatch     = malformed("Send one operation at a time: an array of them is not understood.")
	errNotObject = malformed("The body must be a JSON object with the member \"query\".")
	errNoQuery   = malformed("The parameter \"query\" is missing: it holds the GraphQL document, such as { __typename }.")
	errTrailing  = malformed("The body must be a single JSON object: something follows it.")
	errDeep      = malformed(fmt.Sprintf("The JSON is nested deeper than %d levels.", maxDepth))
	errControl   = malformed("A string holds a control character. Tab, line feed and carriage return are the only ones allowed.")
	errDuplicate = malformed("An object holds the same name twice.")

	errQueryType         = malformed("The parameter \"query\" must be a string.")
	errOperationNameType = malformed("The parameter \"operationName\" must be a string or null.")
	errVariablesType     = malformed("The parameter \"variables\" must be an object or null.")
	errExtensionsType    = malformed("The parameter \"extensions\" must be an object or null.")
)

func malformed(message string) *refusal {
	return &refusal{status: http.StatusBadRequest, message: message}
}

// decode reads the body in s.in.
func (s *scratch) decode() (operation.Request, *refusal) {
	s.decoder.Reset(&s.in)
	req, err := body{s.decoder}.request()
	if err == nil {
		return req, nil
	}
	if refused, ok := errors.AsType[*refusal](err); ok {
		return operation.Request{}, refused
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return operation.Request{}, errDuplicate
	}
	at := s.decoder.InputOffset()
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at = syntax.ByteOffset
	}
	return operation.Request{}, malformed(fmt.Sprintf("The body is not JSON in UTF-8: it goes wrong after byte %d.", at))
}

// body is JSON being read: RFC 7493, that is UTF-8 without lone surrogates, and no name twice in an object. Its errors are a
// *refusal or the decoder's.
type body struct{ *jsontext.Decoder }

// request reads the whole body. Members that the specification does not define are read past, as it asks.
func (b body) request() (operation.Request, error) {
	var req operation.Request
	switch b.PeekKind() {
	case jsontext.KindBeginObject:
	case jsontext.KindBeginArray:
		return req, errBatch
	default:
		return req, errNotObject
	}
	if err := b.members(func(name string) error { return b.member(name, &req) }); err != nil {
		return req, err
	}
	if _, err := b.ReadToken(); !errors.Is(err, io.EOF) {
		return req, errTrailing
	}
	if req.Query == "" && req.Hash == (operation.Digest{}) {
		return req, errNoQuery
	}
	return req, nil
}

// members reads an object, and has each of its values read by whoever knows what it is.
func (b body) members(read func(name string) error) error {
	if err := b.open(); err != nil {
		return err
	}
	for b.PeekKind() != jsontext.KindEndObject {
		name, err := b.text()
		if err != nil {
			return err
		}
		if err := read(name); err != nil {
			return err
		}
	}
	_, err := b.ReadToken()
	return err
}

// member reads the value of a member of the body.
func (b body) member(name string, req *operation.Request) error {
	kind := b.PeekKind()
	switch name {
	case "query":
		if kind != jsontext.KindString && kind != jsontext.KindNull {
			return b.orSyntax(errQueryType)
		}
		value, err := b.value()
		req.Query, _ = value.(string) // null is as good as absent, here and below
		return err
	case "operationName":
		if kind != jsontext.KindString && kind != jsontext.KindNull {
			return b.orSyntax(errOperationNameType)
		}
		value, err := b.value()
		req.OperationName, _ = value.(string)
		return err
	case "variables":
		if kind != jsontext.KindBeginObject && kind != jsontext.KindNull {
			return b.orSyntax(errVariablesType)
		}
		value, err := b.value()
		req.Variables, _ = value.(map[string]any)
		return err
	case "extensions":
		if kind != jsontext.KindBeginObject && kind != jsontext.KindNull {
			return b.orSyntax(errExtensionsType)
		}
		return b.extensions(req)
	case "documentId":
		return b.documentID(req)
	}
	_, err := b.value()
	return err
}

// orSyntax returns the decoder's error if it has one, else refused.
func (b body) orSyntax(refused *refusal) error {
	if b.PeekKind() == jsontext.KindInvalid {
		if _, err := b.ReadToken(); err != nil {
			return err
		}
	}
	return refused
}

// value reads a value as encoding/json would into an any, with numbers as json.Number.
func (b body) value() (any, error) {
	switch b.PeekKind() {
	case jsontext.KindString:
		return b.text()
	case jsontext.KindBeginObject:
		return b.object()
	case jsontext.KindBeginArray:
		return b.array()
	default:
		return b.literal()
	}
}

// literal reads a number, a Boolean or null.
func (b body) literal() (any, error) {
	token, err := b.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case jsontext.KindNumber:
		return json.Number(token.String()), nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	default:
		return nil, nil
	}
}

func (b body) object() (map[string]any, error) {
	object := make(map[string]any)
	err := b.members(func(name string) (err error) {
		object[name], err = b.value()
		return err
	})
	if err != nil {
		return nil, err
	}
	return object, nil
}

func (b body) array() ([]any, error) {
	if err := b.open(); err != nil {
		return nil, err
	}
	array := []any{}
	for b.PeekKind() != jsontext.KindEndArray {
		value, err := b.value()
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := b.ReadToken()
	return array, err
}

// open reads the beginning of an object or array.
func (b body) open() error {
	if _, err := b.ReadToken(); err != nil {
		return err
	}
	if b.StackDepth() > maxDepth {
		return errDeep
	}
	return nil
}

// text reads a string.
func (b body) text() (string, error) {
	token, err := b.ReadToken()
	if err != nil {
		return "", err
	}
	text := token.String()
	if strings.ContainsFunc(text, forbidden) {
		return "", errControl
	}
	return text, nil
}

// forbidden reports whether no string may hold c: control characters besides those that lay out a text.
func forbidden(c rune) bool {
	return unicode.IsControl(c) && c != '\t' && c != '\n' && c != '\r'
}
