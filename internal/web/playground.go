package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// playgroundFiles is what make playground puts there: each file of web/playground's build twice, compressed with Brotli (.br)
// and with gzip (.gz). Before the first build it holds a placeholder alone, so that the package always compiles.
//
//go:embed all:playground
var playgroundFiles embed.FS

// playgroundPage is the file that is shown at [frontPath].
const playgroundPage = "index.html"

// missingPlayground says where the playground is when it is not in the binary.
const missingPlayground = "The playground is not in this binary. To build it, install Node.js 20.19 or newer with npm, " +
	"and start the server with: make run; for a program of your own, run make playground and build it again"

// playgroundPolicy lets the page load what is embedded here and ask this server, nothing else. There is no inline script. Monaco,
// the editor inside GraphiQL, writes style elements while it runs, for which it knows no nonce; fonts and small pictures are
// data: URLs in GraphiQL's style sheet. A worker goes by the policy that came with its script, so every file carries this one.
const playgroundPolicy = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; " +
	"style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Playground returns the playground's files as they are embedded; none where the binary was built without it.
func Playground() fs.FS {
	files, err := fs.Sub(playgroundFiles, "playground")
	if err != nil {
		return playgroundFiles // the name is a valid one: this cannot happen
	}
	return files
}

// playground returns the handlers of the playground's files by their names; none where there is no page, or no playground.
func playground(cfg Config) map[string]http.Handler {
	if cfg.Playground == nil {
		return nil
	}
	if _, err := fs.Stat(cfg.Playground, playgroundPage+".gz"); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	handlers := map[string]http.Handler{}
	err := fs.WalkDir(cfg.Playground, ".", func(file string, entry fs.DirEntry, err error) error {
		name, packed := strings.CutSuffix(file, ".gz")
		if err != nil || entry.IsDir() || !packed {
			return err
		}
		handlers[name], err = newAsset(cfg.Playground, name)
		return err
	})
	if err != nil {
		cfg.Logger.Error("the playground in this binary is damaged: build it again", "error", err)
		return nil
	}
	return handlers
}

// asset is a file of the playground. Its content stays in the binary, where it takes no heap and is paged in for whoever asks.
type asset struct {
	files        http.FileSystem
	name         string
	mediaType    string
	tag          func() (string, error) // of the content, without quotes
	cacheControl string
}

func newAsset(files fs.FS, name string) (*asset, error) {
	for _, suffix := range packedSuffixes {
		if _, err := fs.Stat(files, name+suffix); err != nil {
			return nil, err
		}
	}
	a := &asset{
		files:        http.FS(files),
		name:         name,
		mediaType:    cmp.Or(mediaTypes[path.Ext(name)], "application/octet-stream"),
		cacheControl: "no-cache",
	}
	a.tag = sync.OnceValues(a.digest)
	if strings.HasPrefix(name, "assets/") {
		// The name has the content's hash in it: another content has another name.
		a.cacheControl = "public, max-age=31536000, immutable"
	}
	return a, nil
}

// mediaTypes are those of the playground's files. What the machine has in its own list must not matter.
var mediaTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".html":  "text/html; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".json":  "application/json",
	".svg":   "image/svg+xml",
	".ttf":   "font/ttf",
	".wasm":  "application/wasm",
	".woff2": "font/woff2",
}

// ServeHTTP answers with the file in the best coding that the client takes.
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	coding := contentCoding(r.Header.Values("Accept-Encoding"))
	if err := a.serve(w, r, coding); err != nil {
		refuse(w, r, http.StatusInternalServerError, "The playground in this binary is damaged: build it again.")
	}
}

// serve answers with the file in a coding. Where it fails, nothing has been written.
func (a *asset) serve(w http.ResponseWriter, r *http.Request, coding string) error {
	tag, err := a.tag()
	if err != nil {
		return err
	}
	file, err := a.files.Open(a.name + cmp.Or(packedSuffixes[coding], packedSuffixes[codingGzip]))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	content := io.ReadSeeker(file)
	if coding == "" {
		if content, err = unpack(file); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Type", a.mediaType)
	h.Set("Content-Security-Policy", playgroundPolicy)
	h.Set("Cache-Control", a.cacheControl)
	h.Add("Vary", "Accept-Encoding")
	h.Set("ETag", strconv.Quote(tag+"-"+cmp.Or(coding, "identity")))
	if coding != "" {
		h.Set("Content-Encoding", coding)
	}
	http.ServeContent(w, r, "", time.Time{}, content)
	return nil
}

// digest returns a short hash of the content.
func (a *asset) digest() (string, error) {
	file, err := a.files.Open(a.name + packedSuffixes[codingGzip])
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // it was only read
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:12]), nil
}

// unpack returns the content of a file that gzip has packed, for the rare client that takes no packed one.
func unpack(file io.Reader) (io.ReadSeeker, error) {
	reader, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("web: unpack: %w", err)
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		return nil, fmt.Errorf("web: unpack: %w", err)
	}
	return bytes.NewReader(content), nil
}

// The content codings that files are kept in (RFC 9110 section 8.4.1, RFC 7932).
const (
	codingBrotli = "br"
	codingGzip   = "gzip"
)

// packedSuffixes are those of the files' names by the coding of their content.
var packedSuffixes = map[string]string{codingBrotli: ".br", codingGzip: ".gz"}

// contentCoding chooses from the values of Accept-Encoding (RFC 9110 section 12.5.3): Brotli before gzip, since it is smaller,
// and neither, "", where the client wants neither. How much a client likes which one is not weighed: it takes both.
func contentCoding(accepted []string) string {
	taken := map[string]bool{}
	for _, value := range accepted {
		for element := range strings.SplitSeq(value, ",") {
			coding, parameter, _ := strings.Cut(element, ";")
			name, weight, _ := strings.Cut(strings.TrimSpace(parameter), "=")
			refused := false
			if strings.EqualFold(name, "q") {
				q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
				refused = err != nil || q <= 0
			}
			taken[strings.ToLower(strings.TrimSpace(coding))] = !refused
		}
	}
	for _, coding := range []string{codingBrotli, codingGzip} {
		if wanted, named := taken[coding]; wanted || !named && taken["*"] {
			return coding
		}
	}
	return ""
}
