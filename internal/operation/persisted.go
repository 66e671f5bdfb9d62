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

// digest returns the hash by which the document of the text is known.
func digest(text string) Digest { return sha256.Sum256([]byte(text)) }

// persisted returns the document of a request with a hash, which is that of its text where it has one: the protocol that Apollo
// calls automatic persisted queries. A hash that is not known is refused with a code that makes the client send the text beside
// it, once. A document is registered after it proved valid, so whoever sends garbage fills no memory with it.
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
	doc, problems := x.document(view, req.Query)
	if problems == nil {
		x.registered.SetIfAbsent(key, doc.text)
	}
	return doc, problems
}

// unknownHash has the message that Apollo Client's and urql's links wait for: they compare it, letter by letter.
func unknownHash() problem { return reject(fault.PersistedQueryNotFound, "PersistedQueryNotFound") }
