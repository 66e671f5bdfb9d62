package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"gatehouse/internal/web"
)

const (
	pageContent   = "<!doctype html><title>Playground</title>"
	scriptContent = "console.log('at your service')"
	scriptPath    = "/assets/index-B2VOdh7p.js"
)

// brotli stands for the Brotli coding of content: nobody here decodes it.
func brotli(content string) []byte { return []byte("brotli:" + content) }

func gzipped(t *testing.T, content string) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// built is a playground as make playground leaves it.
func built(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{".gitignore": {Data: []byte("*\n")}}
	for name, content := range map[string]string{"index.html": pageContent, scriptPath[1:]: scriptContent, "favicon.svg": "<svg/>"} {
		files[name+".br"] = &fstest.MapFile{Data: brotli(content)}
		files[name+".gz"] = &fstest.MapFile{Data: gzipped(t, content)}
	}
	return files
}

func playgroundSite(files fs.FS) *site {
	return newSite(func(cfg *web.Config) { cfg.Playground = files })
}

func TestPlaygroundFiles(t *testing.T) {
	t.Parallel()
	s := playgroundSite(built(t))
	for _, c := range []struct{ target, mediaType, cacheControl, vary string }{
		{"/", "text/html; charset=utf-8", "no-cache", "Accept, Accept-Encoding"},
		{scriptPath, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "Accept-Encoding"},
		{"/favicon.svg", "image/svg+xml", "no-cache", "Accept-Encoding"},
	} {
		response := s.ask(t, "GET", c.target, "Accept: text/html,*/*", "Accept-Encoding: gzip, deflate, br, zstd")
		h := response.Header
		if response.StatusCode != http.StatusOK || h.Get("Content-Type") != c.mediaType || h.Get("Cache-Control") != c.cacheControl ||
			strings.Join(h.Values("Vary"), ", ") != c.vary || h.Get("Content-Encoding") != "br" {
			t.Errorf("%s: %d %v", c.target, response.StatusCode, h)
		}
		for directive := range strings.SplitSeq(h.Get("Content-Security-Policy"), "; ") {
			name, sources, _ := strings.Cut(directive, " ")
			if strings.Contains(sources, "unsafe") && name != "style-src" || strings.ContainsAny(sources, "*") ||
				strings.Contains(sources, "http") {
				t.Errorf("%s: the policy allows too much: %s", c.target, directive)
			}
		}
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; ") {
			t.Errorf("%s: policy %q", c.target, h.Get("Content-Security-Policy"))
		}
		again := s.ask(t, "GET", c.target, "Accept: text/html", "Accept-Encoding: br", "If-None-Match: "+h.Get("ETag"))
		if again.StatusCode != http.StatusNotModified || body(t, again) != "" {
			t.Errorf("%s: asked again with its entity tag: %d", c.target, again.StatusCode)
		}
	}
	for _, absent := range []string{"/index.html.gz", scriptPath + ".br", "/.gitignore", "/assets/", "/assets"} {
		if response := s.ask(t, "GET", absent); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", absent, response.StatusCode)
		}
	}
	if response := s.ask(t, "POST", scriptPath); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST %s: %d", scriptPath, response.StatusCode)
	}
}

func TestPlaygroundCodings(t *testing.T) {
	t.Parallel()
	s := playgroundSite(built(t))
	tags := map[string]string{}
	for accepted, want := range map[string]string{
		"gzip, deflate, br, zstd":     "br",
		"BR":                          "br",
		"br;q=0.1, gzip;q=1":          "br",
		"gzip, br;q=0":                "gzip",
		"gzip ; q=0.5":                "gzip",
		"*":                           "br",
		"*;q=0.1, br;q=0":             "gzip",
		"gzip;q=0, br;q=0.000":        "",
		"*;q=0":                       "",
		"gzip;q=plenty":               "",
		"identity":                    "",
		"deflate, zstd":               "",
		"":                            "",
		"identity;q=0, *;q=0, gzip, ": "gzip",
	} {
		response := s.ask(t, "GET", scriptPath, "Accept-Encoding: "+accepted)
		coding := response.Header.Get("Content-Encoding")
		content := map[string]string{
			"br": string(brotli(scriptContent)), "gzip": string(gzipped(t, scriptContent)), "": scriptContent,
		}[want]
		if got := body(t, response); coding != want || got != content {
			t.Errorf("%q: answered in %q with %q, want %q", accepted, coding, got, want)
		}
		tags[coding] = response.Header.Get("ETag")
	}
	if tags["br"] == tags["gzip"] || tags["gzip"] == tags[""] {
		t.Errorf("two codings have one entity tag: %v", tags)
	}
}

func TestPlaygroundIsForBrowsers(t *testing.T) {
	t.Parallel()
	s := playgroundSite(built(t))
	if got := body(t, s.ask(t, "GET", "/", "Accept: text/html", "Accept-Encoding: ")); got != pageContent {
		t.Errorf("a browser gets %q", got)
	}
	if got := body(t, s.ask(t, "GET", "/", "Accept: */*")); !strings.Contains(got, "curl -s http://localhost:8080/graphql") {
		t.Errorf("curl gets %q", got)
	}
	if got := body(t, newSite(nil).ask(t, "GET", "/", "Accept: text/html")); strings.Contains(got, "make run") ||
		!strings.Contains(got, "<h1>Gatehouse") {
		t.Errorf("without a playground a browser gets %q", got)
	}
	if response := newSite(nil).ask(t, "GET", scriptPath); response.StatusCode != http.StatusNotFound {
		t.Errorf("without a playground %s is answered with %d", scriptPath, response.StatusCode)
	}
}

func TestPlaygroundIsMissing(t *testing.T) {
	t.Parallel()
	damaged := built(t)
	delete(damaged, scriptPath[1:]+".br")
	for name, c := range map[string]struct {
		files fstest.MapFS
		said  string
	}{
		"never built": {fstest.MapFS{".gitignore": {}}, ""},
		"damaged":     {damaged, "build it again"},
	} {
		s := playgroundSite(c.files)
		text := body(t, s.ask(t, "GET", "/", "Accept: text/html"))
		if !strings.Contains(text, "The playground is not in this binary.") || !strings.Contains(text, "make run") {
			t.Errorf("%s: the page does not say how to build it: %s", name, text)
		}
		if !strings.Contains(s.log.String(), c.said) || c.said == "" && strings.Contains(s.log.String(), "ERROR") {
			t.Errorf("%s: the log says %s", name, s.log.String())
		}
	}
}

// watched is files of which it is known how many bytes were read.
type watched struct {
	fs.FS
	read *atomic.Int64
}

// Open implements [fs.FS].
func (w watched) Open(name string) (fs.File, error) {
	file, err := w.FS.Open(name)
	if content, ok := file.(io.ReadSeeker); ok {
		return watchedFile{file, content, w.read}, err
	}
	return file, err
}

type watchedFile struct {
	fs.File
	content io.ReadSeeker
	read    *atomic.Int64
}

// Read implements [io.Reader].
func (f watchedFile) Read(into []byte) (int, error) {
	n, err := f.content.Read(into)
	f.read.Add(int64(n))
	return n, err
}

// Seek implements [io.Seeker].
func (f watchedFile) Seek(offset int64, whence int) (int64, error) {
	return f.content.Seek(offset, whence)
}

// TestPlaygroundTakesNoMemory: megabytes that nobody has asked for stay where they are, and what is asked for is not kept.
func TestPlaygroundTakesNoMemory(t *testing.T) {
	t.Parallel()
	files := watched{built(t), new(atomic.Int64)}
	s := playgroundSite(files)
	if n := files.read.Load(); n != 0 {
		t.Errorf("%d bytes were read before anybody asked", n)
	}
	ask := func() int64 {
		before := files.read.Load()
		if got := body(t, s.ask(t, "GET", scriptPath, "Accept-Encoding: br")); got != string(brotli(scriptContent)) {
			t.Errorf("got %q", got)
		}
		return files.read.Load() - before
	}
	first, second := ask(), ask()
	if content := int64(len(brotli(scriptContent))); first != content+int64(len(gzipped(t, scriptContent))) || second != content {
		t.Errorf("the first read %d bytes, the second %d of a file of %d", first, second, content)
	}
}

// TestPlaygroundIsEmbedded holds make playground and the package to one folder.
func TestPlaygroundIsEmbedded(t *testing.T) {
	t.Parallel()
	if _, err := fs.Stat(web.Playground(), ".gitignore"); err != nil {
		t.Error(err)
	}
}
