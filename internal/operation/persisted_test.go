package operation_test

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
	"gatehouse/internal/trusted"
)

func digest(document string) operation.Digest { return sha256.Sum256([]byte(document)) }

// code returns the code of the first error; empty where there is none.
func code(r *operation.Response) string {
	if len(r.Errors) == 0 {
		return ""
	}
	text, _ := r.Errors[0].Extensions["code"].(string)
	return text
}

// send is a request in a test, by text, by hash, or both, and what comes of it.
type send struct {
	ctx         context.Context
	text, hash  string // the hash is given as the document that it is of
	stage       operation.Stage
	code, named string // the name of the operation that ran
}

// play sends one request after the other.
func (h *house) play(t *testing.T, sends []send) {
	t.Helper()
	for i, s := range sends {
		req := operation.Request{Query: s.text}
		if s.hash != "" {
			req.Hash = digest(s.hash)
		}
		if r := h.Execute(s.ctx, req); r.Stage != s.stage || code(r) != s.code || r.OperationName != s.named {
			t.Errorf("step %d: %v %q %s, want %v", i, r.Stage, r.OperationName, text(t, r), s)
		}
	}
}

// A hash is known once its document has come with it and is valid, to those who see the same of the schema.
func TestPersistedQueries(t *testing.T) {
	const (
		notFound = "PERSISTED_QUERY_NOT_FOUND"
		hello    = "query Hello { hello }"
		me       = "query Me { me { id } }"
		invalid  = "query Invalid { nothing }"
	)
	h := newHouse(t)
	nobody, somebody := t.Context(), h.as(t)
	h.play(t, []send{
		{nobody, "", hello, operation.Refused, notFound, ""},
		{nobody, hello, "", operation.Executed, "", "Hello"},
		{nobody, "", hello, operation.Refused, notFound, ""},
		{nobody, hello, hello, operation.Executed, "", "Hello"},
		{nobody, "", hello, operation.Executed, "", "Hello"},
		{somebody, "", hello, operation.Executed, "", "Hello"}, // nothing is hidden here, so all see the same
		// Another's hash neither answers nor stays.
		{nobody, hello, me, operation.Refused, "BAD_USER_INPUT", ""},
		{nobody, "", me, operation.Refused, notFound, ""},
		// What they may not run is as good as any other document; what is not valid is not kept.
		{nobody, me, me, operation.Denied, "UNAUTHENTICATED", "Me"},
		{somebody, "", me, operation.Executed, "", "Me"},
		{nobody, invalid, invalid, operation.Refused, "GRAPHQL_VALIDATION_FAILED", ""},
		{nobody, "", invalid, operation.Refused, notFound, ""},
	})
}

// That somebody with more rights has asked for something hidden is told to nobody who guesses what they asked.
func TestPersistedQueriesTellNothingOfWhatIsHidden(t *testing.T) {
	const notFound = "PERSISTED_QUERY_NOT_FOUND"
	h := newHouseOf(t, veiled, []string{"audit:read"})
	seeing := h.as(t, "audit:read")
	const hidden, unknown = "query A { audit { at } }", "query A { _udit { at } }"
	h.play(t, []send{
		{seeing, hidden, hidden, operation.Executed, "", "A"},
		{seeing, "", hidden, operation.Executed, "", "A"},
	})
	for _, ctx := range h.blind(t) {
		h.play(t, []send{
			{ctx, "", hidden, operation.Refused, notFound, ""},
			{ctx, "", unknown, operation.Refused, notFound, ""},
		})
	}
}

// What comes by a way that must change nothing cannot be a mutation, under whatever name.
func TestReadOnly(t *testing.T) {
	h := newHouse(t)
	const document = `query Q { hello } mutation M { rename(name: "a") { id } }`
	for _, req := range []operation.Request{
		{Query: document, OperationName: "M"},
		{Query: document, OperationName: "M", Hash: digest(document)},
		{Hash: digest(document), OperationName: "M"},
		{Query: `mutation { rename(name: "a") { id } }`},
	} {
		req.ReadOnly = true
		if r := h.Execute(h.as(t), req); r.Stage != operation.Refused || r.OperationType != "mutation" || code(r) != "BAD_USER_INPUT" {
			t.Errorf("%+v: %v %s", req, r.Stage, text(t, r))
		}
	}
	if len(h.engine.calls) > 0 {
		t.Error("the engine was called")
	}
	query := operation.Request{Query: document, OperationName: "Q", ReadOnly: true}
	if r := h.Execute(h.as(t), query); r.Stage != operation.Executed {
		t.Error(text(t, r))
	}
}

// manifest is a list of trusted documents.
func manifest(documents ...string) []trusted.Document {
	list := make([]trusted.Document, 0, len(documents))
	for _, document := range documents {
		list = append(list, trusted.Document{Manifest: "web.json", Text: document, Hash: digest(document)})
	}
	return list
}

// In production the trusted documents run, by hash or to the letter, and nothing else does.
func TestTrustedDocumentsOnly(t *testing.T) {
	const (
		notInList = "PERSISTED_QUERY_NOT_IN_LIST"
		hello     = "query Hello { hello }"
		me        = "query Me { me { id } }"
		two       = "query First { hello } query Second { hello }"
	)
	h := newHouse(t, func(cfg *operation.Config) {
		cfg.Trusted, cfg.TrustedOnly, cfg.OpenIntrospection = manifest(hello, me, two), true, true
	})
	nobody, somebody := t.Context(), h.as(t)
	h.play(t, []send{
		{nobody, "", hello, operation.Executed, "", "Hello"},
		{nobody, hello, "", operation.Executed, "", "Hello"},
		{nobody, hello, hello, operation.Executed, "", "Hello"},
		{nobody, "", me, operation.Denied, "UNAUTHENTICATED", "Me"},
		{somebody, "", me, operation.Executed, "", "Me"},
		{somebody, "", two, operation.Refused, "BAD_USER_INPUT", ""},
		// Not to the letter, or not at all.
		{somebody, hello + " ", "", operation.Refused, notInList, ""},
		{somebody, "query Hello { hello hello }", "", operation.Refused, notInList, ""},
		{somebody, "{ __typename }", "", operation.Refused, notInList, ""},
		{somebody, "{ __schema { queryType { name } } }", "", operation.Refused, notInList, ""},
		{somebody, "{", "", operation.Refused, notInList, ""},
		{somebody, "{ hello }", "{ hello }", operation.Refused, notInList, ""},
		{somebody, "", "{ hello }", operation.Refused, notInList, ""},
		// A hash that lies is refused as it is in development, whichever of the two is in the list.
		{somebody, "{ hello }", hello, operation.Refused, "BAD_USER_INPUT", ""},
		{somebody, hello, "{ hello }", operation.Refused, "BAD_USER_INPUT", ""},
		{somebody, hello, me, operation.Refused, "BAD_USER_INPUT", ""},
	})
	for response := range h.Subscribe(somebody, operation.Request{Query: "subscription { events }"}) {
		if code(response) != notInList {
			t.Errorf("a subscription: %s", text(t, response))
		}
	}
}

// A list that has something hidden in it says so to nobody from whom it is hidden.
func TestTrustedDocumentsStayHidden(t *testing.T) {
	const hidden, unknown = "query A { audit { at } }", "query A { _udit { at } }"
	h := newHouseOf(t, veiled, []string{"audit:read"}, func(cfg *operation.Config) {
		cfg.Trusted, cfg.TrustedOnly = manifest(hidden), true
	})
	h.play(t, []send{{h.as(t, "audit:read"), "", hidden, operation.Executed, "", "A"}})
	for name, ctx := range h.blind(t) {
		for _, by := range []func(string) operation.Request{
			func(document string) operation.Request { return operation.Request{Query: document} },
			func(document string) operation.Request { return operation.Request{Hash: digest(document)} },
		} {
			got, want := h.Execute(ctx, by(hidden)), h.Execute(ctx, by(unknown))
			if text(t, got) != text(t, want) || got.Stage != want.Stage || got.OperationName != "" {
				t.Errorf("%s: %v %s, and for what nobody listed %v %s", name, got.Stage, text(t, got), want.Stage, text(t, want))
			}
		}
	}
	expired := auth.NewContext(t.Context(), auth.Anonymous(fault.Anonymous(fault.Expired)))
	h.play(t, []send{{expired, "", hidden, operation.Denied, "UNAUTHENTICATED", ""}})
}

// In development everything runs as it would without a list, and the log tells once what production would refuse.
func TestTrustedDocumentsInDevelopment(t *testing.T) {
	const hello, me, invalid = "query Hello { hello }", "query Me { me { id } }", "{ nothing }"
	h := newHouse(t, func(cfg *operation.Config) { cfg.Trusted = manifest(hello) })
	somebody := h.as(t)
	h.play(t, []send{
		{somebody, "", hello, operation.Executed, "", "Hello"},
		{somebody, hello, "", operation.Executed, "", "Hello"},
		{somebody, invalid, "", operation.Refused, "GRAPHQL_VALIDATION_FAILED", ""},
		{somebody, "", me, operation.Refused, "PERSISTED_QUERY_NOT_FOUND", ""},
	})
	if h.log.Len() > 0 {
		t.Errorf("there was nothing to tell: %s", h.log)
	}
	h.play(t, []send{
		{somebody, me, me, operation.Executed, "", "Me"},
		{somebody, me, "", operation.Executed, "", "Me"},
		{somebody, "", me, operation.Executed, "", "Me"},
	})
	if got := strings.Count(h.log.String(), "production would refuse it"); got != 1 || strings.Contains(h.log.String(), "Me") {
		t.Errorf("the log tells: %s", h.log)
	}
}

// A list with something in it that could never run keeps the server from starting, and all of it is said at once.
func TestTrustedDocumentsAreChecked(t *testing.T) {
	check := func(documents ...string) (err error) {
		newHouse(t, func(cfg *operation.Config) {
			cfg.Trusted = manifest(documents...)
			_, err = operation.New(*cfg)
			cfg.Trusted = nil // for the house itself
		})
		return err
	}
	if err := check("{ hello }", "{ me { id } }", "subscription { events }"); err != nil {
		t.Error(err)
	}
	err := check("{ hello }", "{ gone }", "{",
		`mutation { a: login(input: {password: "p"}) { id } b: login(input: {password: "q"}) { id } }`,
		"query A { "+strings.Repeat("me { friend { ", 6)+"id"+strings.Repeat(" } }", 6)+" }")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, says := range []string{
		"4 of 5 trusted documents", "\n\tweb.json: ", `line 1, column 3: Unknown field on type "Query".`, "not valid GraphQL",
		"check one password", "nests more than 10",
	} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not in: %v", says, err)
		}
	}
}
