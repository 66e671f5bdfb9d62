package secret

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFileSize is far more than any list of secrets; it keeps a wrong path from being read whole.
const maxFileSize = 64 << 10

// LoadOrCreate reads the secrets in the file at path as Load does. Where there is no file it makes one first, readable by
// its owner alone, with one new secret. Several processes doing so at once agree on one secret.
func LoadOrCreate(path string) (*Master, error) {
	master, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return master, err
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("secret: create %s: %w", path, err)
	}
	return Load(path)
}

// Load reads the secrets in the file at path: what Parse reads, and a line break at its end. It refuses a file that others
// than its owner may read or write, but for the group of a file that is root's: so Kubernetes and Docker hand a secret to
// who is not root, and PostgreSQL takes its keys by the same rule. A missing file is fs.ErrNotExist.
func Load(path string) (*Master, error) {
	text, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	master, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return master, nil
}

func read(path string) (text string, err error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	if openToOthers(info) {
		return "", fmt.Errorf("%s is open to others than its owner (mode %04o): run `chmod 600 %[1]s`", path, info.Mode().Perm())
	}
	content, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return "", err
	}
	if len(content) > maxFileSize {
		return "", fmt.Errorf("%s is larger than %d bytes: it holds something else", path, maxFileSize)
	}
	return string(content), nil
}

// create writes a new secret under a name of its own and links it to path, which fails where a file stands already. So the
// file at path is never seen half written, and of several processes one wins; the others are content with its file.
func create(path string) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(temporary.Name())) }()
	if err := write(temporary); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func write(file *os.File) error {
	_, err := file.WriteString(generate() + "\n")
	if err == nil {
		err = file.Sync() // a secret that is lost to a power cut takes every signing key with it
	}
	return errors.Join(err, file.Close())
}

// generate draws a secret. Once in ten million times chance draws one that looks made up; it is drawn again.
func generate() string {
	for {
		key := make([]byte, MinSize)
		rand.Read(key) // never fails: crypto/rand ends the process rather than return an error
		text := base64.StdEncoding.EncodeToString(key)
		if _, err := parseKey(text); err == nil {
			return text
		}
	}
}
