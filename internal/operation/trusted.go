package operation

import (
	"context"
	"fmt"
	"strings"

	"gatehouse/internal/fault"
	"gatehouse/internal/policy"
	"gatehouse/internal/trusted"
)

// trustedDocuments are the documents that a team's own clients send. The zero value, and nil, hold none.
type trustedDocuments struct {
	only  bool // nothing else runs
	texts map[Digest]string
}

// text returns the trusted document with the hash.
func (t *trustedDocuments) text(hash Digest) (string, bool) {
	if t == nil {
		return "", false
	}
	text, ok := t.texts[hash]
	return text, ok
}

// find returns the text of the trusted document that the request is about; false where it is none of them, to the letter.
func (t *trustedDocuments) find(req Request) (string, bool) {
	if req.Query != "" {
		return t.text(digest(req.Query))
	}
	return t.text(req.Hash)
}

// trust makes the documents the trusted ones. It fails with a list of those that could never run: they are judged by the schema
// with nothing hidden, and by the limits that hold for everybody.
func (x *Executor) trust(documents []trusted.Document, only bool) error {
	t := &trustedDocuments{only: only, texts: map[Digest]string{}}
	everything := newEdition(x.editions.schema, func(string) bool { return true })
	var mistakes []string
	for _, d := range documents {
		if _, problems := x.prepare(everything, d.Text); len(problems) > 0 {
			mistakes = append(mistakes, fmt.Sprintf("%s: %s", d, describe(problems[0])))
			continue
		}
		t.texts[d.Hash] = d.Text
	}
	if len(mistakes) > 0 {
		return fmt.Errorf("operation: %d of %d trusted documents do not fit the schema; make the manifest anew:\n\t%s",
			len(mistakes), len(documents), strings.Join(mistakes, "\n\t"))
	}
	x.trusted = t
	return nil
}

// describe returns a problem for the operator, with its first place.
func describe(p problem) string {
	if len(p.locations) == 0 {
		return p.fault.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", p.locations[0].Line, p.locations[0].Column, p.fault.Message)
}

// requested returns the document that the request is about.
func (x *Executor) requested(ctx context.Context, view policy.View, req Request) (*document, []problem) {
	if req.Query != "" && req.Hash != (Digest{}) && req.Hash != digest(req.Query) {
		return nil, []problem{reject(fault.BadUserInput,
			"The hash is not that of the document: send the SHA-256 of exactly what \"query\" holds, in hexadecimal.")}
	}
	if x.trusted == nil {
		return x.named(view, req)
	}
	text, listed := x.trusted.find(req)
	if x.trusted.only {
		if listed {
			if doc, problems := x.document(view, text); problems == nil {
				return doc, nil
			}
			// It is valid, but not for this caller, from whom something in it is hidden; so that it is listed is, too.
		}
		return nil, []problem{notTrusted()}
	}
	_, seen := x.documents.GetIfPresent(documentKey{view, req.Query})
	doc, problems := x.named(view, req)
	if problems == nil && !listed && !seen && req.Query != "" { // the first time, so that the log stays readable
		x.logger.WarnContext(ctx, "a document that is not among the trusted ones: production would refuse it")
	}
	return doc, problems
}

// named returns the document that the request names by its text, its hash, or both.
func (x *Executor) named(view policy.View, req Request) (*document, []problem) {
	if req.Hash != (Digest{}) {
		return x.persisted(view, req)
	}
	return x.document(view, req.Query)
}

func notTrusted() problem {
	return reject(fault.PersistedQueryNotInList,
		"Only the operations in this server's list of trusted documents run here, and this is none of them.")
}
