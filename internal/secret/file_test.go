package secret_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/secret"
)

func write(t *testing.T, content string, mode fs.FileMode) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "gatehouse.secret")
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return path
}

func TestLoadOrCreateKeepsWhatItMade(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.secret")
	made, err := secret.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v, want -rw-------", info.Mode())
	}
	for _, load := range []func(string) (*secret.Master, error){secret.Load, secret.LoadOrCreate} {
		again, err := load(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(key(t, again, "k", 32), key(t, made, "k", 32)) {
			t.Error("another secret than the one made")
		}
	}
	other, err := secret.LoadOrCreate(filepath.Join(t.TempDir(), "gatehouse.secret"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(key(t, other, "k", 32), key(t, made, "k", 32)) {
		t.Error("the same secret elsewhere")
	}
}

// TestLoadOrCreateRace: of fifty that find no file, all end up with one secret, and nothing else is left in the folder.
func TestLoadOrCreateRace(t *testing.T) {
	t.Parallel()
	for range 5 {
		folder := t.TempDir()
		path := filepath.Join(folder, "gatehouse.secret")
		var mutex sync.Mutex
		keys := make(map[string]int)
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 50 {
			all.Go(func() {
				<-start
				master, err := secret.LoadOrCreate(path)
				if err != nil {
					t.Error(err)
					return
				}
				derived, err := master.Key("k", 32)
				if err != nil {
					t.Error(err)
				}
				mutex.Lock()
				defer mutex.Unlock()
				keys[string(derived)]++
			})
		}
		close(start)
		all.Wait()
		if len(keys) != 1 {
			t.Errorf("%d secrets, want 1", len(keys))
		}
		if files, err := os.ReadDir(folder); err != nil || len(files) != 1 {
			t.Errorf("left in the folder: %v, %v", files, err)
		}
	}
}

func TestLoadReadsSeveral(t *testing.T) {
	t.Parallel()
	master, err := secret.Load(write(t, two+", "+one+"\n", 0o400))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := parse(t, one).Seal("l", []byte("p"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := master.Open("l", sealed, nil); err != nil {
		t.Error(err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, test := range map[string]struct{ path, want string }{
		"world readable": {write(t, one, 0o604), "chmod 600"},
		"group writable": {write(t, one, 0o620), "chmod 600"},
		"a folder":       {folder, "not a regular file"},
		"empty":          {write(t, "", 0o600), "none is given"},
		"weak":           {write(t, "changeme\n", 0o600), "openssl rand -base64 32"},
		"large":          {write(t, strings.Repeat("a", 64<<10+1), 0o600), "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, load := range []func(string) (*secret.Master, error){secret.Load, secret.LoadOrCreate} {
				master, err := load(test.path)
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path) {
					t.Errorf("%v, %v; want an error with the path and %q", master, err, test.want)
				}
				if err != nil && (strings.Contains(err.Error(), one) || strings.Contains(err.Error(), "changeme")) {
					t.Errorf("%v shows the secret", err)
				}
			}
		})
	}
}

func TestTheGroupMayReadWhatIsRoots(t *testing.T) {
	t.Parallel()
	path := write(t, one, 0o440)
	_, err := secret.Load(path)
	if root := os.Geteuid() == 0; root != (err == nil) {
		t.Errorf("written as root: %t, and then %v", root, err)
	}
	const nobody = 65534
	if err := os.Chown(path, nobody, -1); err != nil {
		return // only root can give a file away
	}
	if _, err := secret.Load(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("%v, want a refusal of what is somebody else's", err)
	}
}

func TestLoadOfAMissingFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.secret")
	if _, err := secret.Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load made the file (%v)", err)
	}
}

func TestLoadOrCreateFailsWhereItCannotWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "no such folder", "gatehouse.secret")
	if _, err := secret.LoadOrCreate(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, want an error with the path", err)
	}
}
