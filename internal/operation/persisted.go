package operation

import (
	"crypto/sha256"

	"github.com/maypok86/otter/v2"

	"gatehouse/internal/fault"
	"gatehouse/internal/policy"
)

// persistedKey is what a persisted query is known by. As with documents, the view is part of it: were there one register for all,
// a hash that is known here would tell whoever guessed a text that somebody with more rights asks exactly that.
type persistedKey struct {
	view policy.View
	hash Digest
}

// persistedOverhead is what an entry takes in memory beside its text, in bytes: key, string header, and the cache's own node.
const persistedOverhead = 256

// newPersisted returns the register of persisted queries, bounded by count and bytes as the document cache is, and with the same
// policy: what nobody asks for again displaces nothing that somebody does.
func newPersisted(limits Limits) (*otter.Cache[persistedKey, string], error) {
	least := max(1, limits.PersistedBytes/limits.PersistedEntries)
	return otter.New(&otter.Options[persistedKey, string]{
		MaximumWeight: uint64(max(0, limits.PersistedBytes)),
		Weigher:       func(_ persistedKey, text string) uint32 { return uint32(max(least, len(text)+persistedOverhead)) },
		Executor:      func(task func()) { task() }, // no goroutines of its own
	})
}

// persisted returns the document of a request that says by a hash which one it means: the protocol that Apollo calls automatic
// persisted queries. A hash that is not known is refused with a code that makes the client send the text beside it, once. A
// document is registered after it proved valid, so whoever sends garbage fills no memory with it.
func (x *Executor) persisted(view policy.View, req Request) (*document, []problem) {
	key := persistedKey{view, req.Hash}
	if req.Query == "" {
		text, known := x.trusted.text(req.Hash)
		if !known {
			text, known = x.registered.GetIfPresent(key)
		}
		if !known {
			return nil, []problem{unknownHash()}
		}
		return x.document(view, text)
	}
	if sha256.Sum256([]byte(req.Query)) != req.Hash {
		return nil, []problem{reject(fault.BadUserInput,
			"The hash is not that of the document: send the SHA-256 of exactly what \"query\" holds, in hexadecimal.")}
	}
	doc, problems := x.document(view, req.Query)
	if problems == nil {
		x.registered.SetIfAbsent(key, doc.text)
	}
	return doc, problems
}

// unknownHash has the message that Apollo Client's and urql's links wait for: they compare it, letter by letter.
func unknownHash() problem { return reject(fault.PersistedQueryNotFound, "PersistedQueryNotFound") }
