package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/store"
)

func TestOpenRefusesWhatItMayNotUse(t *testing.T) {
	tests := []struct {
		name         string
		file, folder os.FileMode // file 0: there is none
		want         string
	}{
		{"file not readable", 0o200, 0o755, "/x.db cannot be opened for reading and writing: correct the permissions"},
		{"file not writable", 0o444, 0o755, "/x.db cannot be opened for reading and writing: correct the permissions"},
		{"folder not writable", 0, 0o555, "/x.db cannot be opened for reading and writing: correct the permissions"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "x.db")
			if test.file != 0 {
				if err := os.WriteFile(path, nil, test.file); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(folder, test.folder); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := os.Chmod(folder, 0o755); err != nil {
					t.Error(err)
				}
			})
			refused := make(chan error)
			go func() {
				forgoRoot(t)
				db, err := store.Open(t.Context(), store.Config{URL: "sqlite://" + path})
				if err == nil {
					err = errors.Join(errors.New("it was opened"), db.Close())
				}
				refused <- err
			}()
			if err := <-refused; !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q", err)
			}
		})
	}
}

// forgoRoot subjects the goroutine to file permissions, which do not bind root. Its thread ends with it.
func forgoRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread()
	const nobody = 65534
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Error(err)
	}
}
