// Package trusted owns the manifests of trusted documents: files in which a team's build lists every GraphQL document that its
// clients send, so that a server in production can refuse all others.
//
// It must never believe a manifest: whether a hash is that of its document is computed, not read. Whether a document is valid
// is not its business, for it knows no GraphQL.
package trusted

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Document is one entry of a manifest.
type Document struct {
	Manifest string // the name of the file it stands in, without its folder
	Name     string // what the manifest calls it: the name of its operation; may be empty
	Text     string
	Hash     [sha256.Size]byte // of Text; clients send it in place of the text
}

// String names the document for the person who made the manifest.
func (d Document) String() string {
	return d.Manifest + ": " + cmp.Or(d.Name, hex.EncodeToString(d.Hash[:]))
}

// Load reads every manifest in the folder: every file whose name ends in .json, in the order of their names. There are two
// formats: Apollo's persisted query manifest (https://www.apollographql.com/docs/graphos/platform/security/persisted-queries),
// and the object from hash to document that GraphQL Code Generator and the Relay compiler write. Either has to be made with
// SHA-256, which may say "sha256:" in front of its hexadecimal digits. The error lists everything that is wrong. No folder at
// all, "", has no documents.
func Load(folder string) ([]Document, error) {
	if folder == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read the folder of trusted documents: %w", err)
	}
	var documents []Document
	var mistakes []string
	for _, entry := range entries {
		if entry.IsDir() || filepath.Ext(entry.Name()) != ".json" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read a manifest of trusted documents: %w", err)
		}
		found, wrong := Parse(entry.Name(), content)
		documents, mistakes = append(documents, found...), append(mistakes, wrong...)
	}
	switch {
	case len(mistakes) > 0:
		return nil, errors.New("the manifests of trusted documents are wrong:\n\t" + strings.Join(mistakes, "\n\t"))
	case len(documents) == 0:
		return nil, fmt.Errorf("%s has no trusted documents: put a manifest there, in a file that ends in .json", folder)
	}
	return documents, nil
}

// format is what Apollo's manifest says of itself.
const format = "apollo-persisted-query-manifest"

// Parse reads a manifest of either format. It also returns what is wrong with it, a line each, beginning with name.
func Parse(name string, content []byte) (documents []Document, mistakes []string) {
	complain := func(what string) { mistakes = append(mistakes, name+": "+what) }
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(content, &members); err != nil {
		complain("it is no JSON object")
		return nil, mistakes
	}
	entries, err := listed(members)
	if err != nil {
		complain(err.Error())
		return nil, mistakes
	}
	for _, e := range entries {
		d := Document{Manifest: name, Name: e.Name, Text: e.Body, Hash: sha256.Sum256([]byte(e.Body))}
		stated, err := hex.DecodeString(strings.TrimPrefix(e.ID, "sha256:"))
		switch {
		case err != nil || len(stated) != sha256.Size:
			complain(cmp.Or(e.Name, e.ID) + ": its id is no SHA-256: set the hash algorithm of what makes the manifest")
		case !bytes.Equal(stated, d.Hash[:]):
			complain(cmp.Or(e.Name, e.ID) + ": its id is not the SHA-256 of its text")
		default:
			documents = append(documents, d)
		}
	}
	return documents, mistakes
}

// entry is a document as Apollo's manifest has it. Its type is not asked for: the text says it.
type entry struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Body string `json:"body"`
}

// listed returns the entries of a manifest.
func listed(members map[string]json.RawMessage) ([]entry, error) {
	if _, named := members["format"]; !named {
		entries := make([]entry, 0, len(members))
		for _, hash := range slices.Sorted(maps.Keys(members)) {
			e := entry{ID: hash}
			if json.Unmarshal(members[hash], &e.Body) != nil {
				return nil, errors.New("it is neither an Apollo manifest nor an object from hash to document")
			}
			entries = append(entries, e)
		}
		return entries, nil
	}
	var stated string
	var version int
	if json.Unmarshal(members["format"], &stated) != nil || json.Unmarshal(members["version"], &version) != nil ||
		stated != format || version != 1 {
		return nil, fmt.Errorf("only version 1 of the format %s is understood", format)
	}
	var entries []entry
	if json.Unmarshal(members["operations"], &entries) != nil {
		return nil, errors.New("its operations are not a list of objects with id, name and body")
	}
	return entries, nil
}
