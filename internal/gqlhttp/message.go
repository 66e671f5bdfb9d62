package gqlhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse/internal/operation"
)

// The types of messages of graphql-transport-ws.
const (
	messageInit      = "connection_init"
	messageAck       = "connection_ack"
	messagePing      = "ping"
	messagePong      = "pong"
	messageSubscribe = "subscribe"
	messageNext      = "next"
	messageError     = "error"
	messageComplete  = "complete"
)

// maxID is how many bytes the id of an operation may have: a client's library makes them, of a few characters or a UUID.
const maxID = 128

// message is one of a client's.
type message struct {
	kind    string
	id      string
	payload []byte // JSON; nil: none
}

// decodeMessage reads a message, but for its payload. It reports false for what is none of the protocol's.
func (s *scratch) decodeMessage(text []byte) (message, bool) {
	s.hold(string(text))
	s.decoder.Reset(&s.in)
	b, m := body{s.decoder}, message{}
	if b.PeekKind() != jsontext.KindBeginObject {
		return message{}, false
	}
	err := b.members(func(name string) (err error) {
		switch {
		case name == "payload":
			payload, err := b.ReadValue()
			m.payload = bytes.Clone(payload)
			return err
		case name == "type" && b.PeekKind() == jsontext.KindString:
			m.kind, err = b.text()
		case name == "id" && b.PeekKind() == jsontext.KindString:
			m.id, err = b.text()
		default:
			err = errNotObject
		}
		return err
	})
	if err != nil {
		return message{}, false
	}
	_, err = b.ReadToken()
	return m, errors.Is(err, io.EOF)
}

// request reads the payload of a message that asks for an operation.
func (s *scratch) request(payload []byte) (operation.Request, *refusal) {
	s.hold(string(payload))
	return s.decode()
}

// credential returns the Authorization header among the parameters of a connection, in the payload of its first message, as if it
// had come in a request: named in any case. It reports false for a payload that is no object.
func (s *scratch) credential(payload []byte) (http.Header, bool) {
	header := http.Header{}
	if len(payload) == 0 {
		return header, true
	}
	s.hold(string(payload))
	s.decoder.Reset(&s.in)
	b := body{s.decoder}
	if kind := b.PeekKind(); kind == jsontext.KindNull {
		return header, true
	} else if kind != jsontext.KindBeginObject {
		return nil, false
	}
	err := b.members(func(name string) error {
		value, err := b.value()
		if err != nil || !strings.EqualFold(name, "Authorization") || value == nil {
			return err
		}
		text, _ := value.(string) // anything else is a credential that will not do
		header.Add("Authorization", text)
		return nil
	})
	return header, err == nil
}

// encodeMessage returns a message with a payload that is JSON, if any.
func encodeMessage(kind, operationID string, payload []byte) ([]byte, error) {
	out := make([]byte, 0, len(`{"id":"","type":"","payload":}`)+len(operationID)+len(kind)+len(payload))
	out = append(out, '{')
	if operationID != "" {
		var err error
		if out, err = jsontext.AppendQuote(append(out, `"id":`...), operationID); err != nil {
			return nil, fmt.Errorf("gqlhttp: id of an operation: %w", err)
		}
		out = append(out, ',')
	}
	out = append(out, `"type":"`+kind+`"`...)
	if payload != nil {
		out = append(append(out, `,"payload":`...), payload...)
	}
	return append(out, '}'), nil
}

// encodeErrors returns the errors of a response as the payload of a message.
func encodeErrors(errs []*operation.Error) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(errs); err != nil {
		return nil, fmt.Errorf("gqlhttp: errors of an operation: %w", err)
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}
