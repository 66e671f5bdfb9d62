package gqlhttp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse/internal/operation"
)

// What can be wrong with how a request names a document by its hash.
var (
	errPersistedType    = malformed("The extension \"persistedQuery\" must be an object or null.")
	errPersistedVersion = malformed("Only version 1 of the extension \"persistedQuery\" is understood.")
	errHash             = malformed("A document is known by its SHA-256 alone: send 64 hexadecimal digits as \"sha256Hash\".")
	errDocumentID       = malformed("A document is known by its SHA-256 alone: send \"sha256:\" and 64 hexadecimal digits as " +
		"\"documentId\".")
	errTwoHashes = malformed("The members \"documentId\" and \"extensions\" name two documents.")
)

// extensions reads the extensions, of which one is understood. The others are read past.
func (b body) extensions(req *operation.Request) error {
	if b.PeekKind() == jsontext.KindNull {
		_, err := b.literal()
		return err
	}
	return b.members(func(name string) error {
		if name == "persistedQuery" {
			return b.persistedQuery(req)
		}
		_, err := b.value()
		return err
	})
}

// persistedQuery reads the extension by which Apollo Client, urql and others name a document. Members that one of them adds are
// read past.
func (b body) persistedQuery(req *operation.Request) error {
	value, err := b.value()
	if err != nil || value == nil {
		return err
	}
	extension, ok := value.(map[string]any)
	if !ok {
		return errPersistedType
	}
	if version, ok := extension["version"].(json.Number); !ok || version != "1" {
		return errPersistedVersion
	}
	text, _ := extension["sha256Hash"].(string)
	return know(req, text, errHash)
}

// documentID reads the member by which the appendix on persisted documents of the GraphQL-over-HTTP specification names one.
func (b body) documentID(req *operation.Request) error {
	value, err := b.value()
	if err != nil || value == nil {
		return err
	}
	text, _ := value.(string)
	return know(req, text, errDocumentID)
}

// know notes the hash of the request's document. Some of the compilers that write manifests put the prefix of a document's id
// before a plain hash, too, and some leave it out: it is the same hash.
func know(req *operation.Request, text string, refused *refusal) error {
	hash, err := hex.DecodeString(strings.TrimPrefix(text, "sha256:"))
	if err != nil || len(hash) != sha256.Size {
		return refused
	}
	known := operation.Digest(hash)
	if req.Hash != (operation.Digest{}) && req.Hash != known {
		return errTwoHashes
	}
	req.Hash = known
	return nil
}
