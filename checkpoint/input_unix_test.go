//go:build unix

package checkpoint

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipes: one that somebody writes to is read to its end, one that nobody
// writes to is an error and not a wait.
func TestPipes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip("no pipes here: ", err)
	}
	if _, err := OpenInput(path); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "nobody writes") {
		t.Errorf("%v", err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = w.Write([]byte("hello"))
		_ = w.Close()
	}()
	in, err := OpenInput(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(in, 0, in.Size))
	if err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
}
