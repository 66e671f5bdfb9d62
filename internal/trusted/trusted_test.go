package trusted_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/trusted"
)

const (
	me    = "query Me { me { id } }"
	users = "query Users {\n  users { nodes { id } }\n}"
)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// apollo is a manifest as Apollo's tool writes it; compiled is one as GraphQL Code Generator and the Relay compiler do.
func apollo(id, name, body string) string {
	return `{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id":` + quote(id) + `,"name":` + quote(name) +
		`,"type":"query","body":` + quote(body) + `}]}`
}

func compiled(hash, text string) string { return `{` + quote(hash) + `:` + quote(text) + `}` }

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return err.Error()
	}
	return string(quoted)
}

// folder makes a folder of files, given as names and contents in turn.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i+1 < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := folder(t,
		"web.json", apollo(hashOf(me), "Me", me), "ios.json", compiled("sha256:"+hashOf(users), users), "README.md", "# Manifests")
	if err := os.Mkdir(filepath.Join(dir, "old.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	documents, err := trusted.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []trusted.Document{
		{Manifest: "ios.json", Text: users, Hash: sha256.Sum256([]byte(users))},
		{Manifest: "web.json", Name: "Me", Text: me, Hash: sha256.Sum256([]byte(me))},
	}
	if len(documents) != 2 || documents[0] != want[0] || documents[1] != want[1] {
		t.Errorf("loaded %v, want %v", documents, want)
	}
	if got := documents[1].String(); got != "web.json: Me" {
		t.Errorf("it is called %q", got)
	}
	if got := documents[0].String(); got != "ios.json: "+hashOf(users) {
		t.Errorf("without a name it is called %q", got)
	}
}

// TestLoadReal reads what the tools wrote that make manifests: Apollo's, GraphQL Code Generator's client preset and the Relay
// compiler, the latter two told to use SHA-256.
func TestLoadReal(t *testing.T) {
	t.Parallel()
	documents, err := trusted.Load("testdata")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, d := range documents {
		found[d.Manifest]++
	}
	if found["apollo.json"] != 3 || found["codegen.json"] != 2 || found["relay.json"] != 1 {
		t.Errorf("found %v", found)
	}
}

// TestLoadRefuses: everything that is wrong is in one message, with the file it is in.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	lie, md5 := hashOf("something else"), "5eb63bbbe01eeed093cb22bb8f5acdc3"
	for name, test := range map[string]struct {
		files []string
		says  []string
	}{
		"an empty folder":          {nil, []string{"no trusted documents", "ends in .json"}},
		"no manifest":              {[]string{"a.txt", compiled(hashOf(me), me)}, []string{"no trusted documents"}},
		"an empty manifest":        {[]string{"a.json", "{}"}, []string{"no trusted documents"}},
		"no JSON":                  {[]string{"a.json", "hello"}, []string{"a.json: it is no JSON object"}},
		"a list":                   {[]string{"a.json", "[]"}, []string{"a.json: it is no JSON object"}},
		"package.json":             {[]string{"a.json", `{"name":{"a":1}}`}, []string{"a.json: it is neither"}},
		"another format":           {[]string{"a.json", `{"format":"mine","version":1}`}, []string{"a.json: only version 1"}},
		"a format that is no text": {[]string{"a.json", `{"format":1,"version":1}`}, []string{"a.json: only version 1"}},
		"another version": {
			[]string{"a.json", strings.Replace(apollo(hashOf(me), "Me", me), `"version":1`, `"version":2`, 1)},
			[]string{"a.json: only version 1"},
		},
		"no version": {
			[]string{"a.json", strings.Replace(apollo(hashOf(me), "Me", me), `"version":1,`, ``, 1)}, []string{"a.json: only version 1"},
		},
		"operations of another shape": {
			[]string{"a.json", `{"format":"apollo-persisted-query-manifest","version":1,"operations":{}}`},
			[]string{"a.json: its operations are not a list"},
		},
		"a lie in each format, and another hash": {
			[]string{"a.json", apollo(lie, "Me", me), "b.json", compiled(lie, users), "c.json", compiled(md5, me)},
			[]string{
				"a.json: Me: its id is not the SHA-256 of its text",
				"b.json: " + lie + ": its id is not the SHA-256 of its text",
				"c.json: " + md5 + ": its id is no SHA-256",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			documents, err := trusted.Load(folder(t, test.files...))
			if err == nil {
				t.Fatalf("loaded %v", documents)
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q is not in: %v", says, err)
				}
			}
		})
	}
	if _, err := trusted.Load(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a folder that does not exist was loaded")
	}
	if documents, err := trusted.Load(""); err != nil || documents != nil {
		t.Errorf("no folder: %v %v", documents, err)
	}
}

// FuzzParse holds that no document gets in under a hash that is not its own.
func FuzzParse(f *testing.F) {
	f.Add([]byte(apollo(hashOf(me), "Me", me)))
	f.Add([]byte(compiled(hashOf(users), users)))
	f.Add([]byte(apollo("", "", "")))
	f.Add([]byte(`{"format":null}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		documents, mistakes := trusted.Parse("a.json", content)
		for _, d := range documents {
			if d.Hash != sha256.Sum256([]byte(d.Text)) || d.Manifest != "a.json" {
				t.Errorf("got %+v", d)
			}
		}
		for _, mistake := range mistakes {
			if !strings.HasPrefix(mistake, "a.json: ") {
				t.Errorf("it is not said where: %s", mistake)
			}
		}
	})
}
