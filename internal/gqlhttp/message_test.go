package gqlhttp

import (
	"encoding/json"
	"testing"
)

// FuzzMessage: what is taken for a message of the protocol is JSON that means the same to others, and an id is sent back as it
// came.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type":"connection_init","payload":{"Authorization":"Bearer x"}}`, `{"type":"connection_init","payload":null}`,
		`{"id":"\u00e9\"","type":"subscribe","payload":{"query":"{ a }","variables":{"b":[1,{}]}}}`, `{"type":"ping","payload":[`,
		`{"type":"complete","id":"1"} `, `{"id":"\ud800","type":"complete"}`, `{"type":"a","type":"b"}`, `[]`, ``,
		`{"type":"connection_init","payload":{"authorization":["a"],"AUTHORIZATION":"b"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := newScratch()
		m, ok := s.decodeMessage(text)
		if !ok {
			return
		}
		var want struct {
			ID, Type string
			Payload  json.RawMessage
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("taken for a message, and is no JSON: %v", err)
		}
		if m.id != want.ID || m.kind != want.Type || string(m.payload) != string(want.Payload) {
			t.Errorf("read as %+v, want %+v", m, want)
		}
		header, ok := s.credential(m.payload)
		if ok && len(header) > 1 {
			t.Errorf("credentials %v", header)
		}
		_, _ = s.request(m.payload)
		encoded, err := encodeMessage(messageNext, m.id, m.payload)
		if err != nil {
			t.Fatal(err)
		}
		if again, ok := newScratch().decodeMessage(encoded); !ok || again.id != m.id || again.kind != messageNext {
			t.Errorf("sent as %s, which reads as %+v", encoded, again)
		}
	})
}
