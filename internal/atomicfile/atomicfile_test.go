package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWriteReplacesWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Write(path, text("one")); err != nil {
		t.Fatal(err)
	}
	if i, err := os.Stat(path); err != nil || i.Mode().Perm()&0o111 != 0 {
		t.Errorf("a new file has permissions %v, %v", i.Mode(), err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<17)
	if err := Write(path, text(long)); err != nil {
		t.Fatal(err)
	}
	if content(t, path) != long {
		t.Error("the second content is not there")
	}
	if i, _ := os.Stat(path); i.Mode().Perm() != 0o640 {
		t.Errorf("permissions became %o", i.Mode().Perm())
	}
	only(t, dir, 1)
}

func TestFailureLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Write(path, text("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("disk is full")
	err := Write(path, func(w io.Writer) error {
		io.WriteString(w, strings.Repeat("y", 1<<17))
		return broken
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, expected the cause and the path", err)
	}
	if content(t, path) != "old" {
		t.Error("the old content is lost")
	}
	only(t, dir, 1)
	if err := Write(filepath.Join(dir, "none", "a"), text("x")); !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), ".tmp") {
		t.Errorf("a folder that is not there: %v", err)
	}
	if err := Write(dir, text("x")); err == nil {
		t.Error("a folder was replaced")
	}
}

func TestLinkKeepsPointing(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := Write(target, text("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("this system has no symbolic links: ", err)
	}
	if err := Write(link, text("new")); err != nil {
		t.Fatal(err)
	}
	if i, _ := os.Lstat(link); i.Mode()&os.ModeSymlink == 0 || content(t, target) != "new" {
		t.Error("the link was replaced, not its target")
	}
}

func TestDeviceIsWrittenNotReplaced(t *testing.T) {
	if err := Write(os.DevNull, text("gone")); err != nil {
		t.Fatal(err)
	}
	if i, err := os.Stat(os.DevNull); err != nil || i.Mode().IsRegular() {
		t.Errorf("%s is now %v, %v", os.DevNull, i, err)
	}
}

func only(t *testing.T, dir string, n int) {
	t.Helper()
	e, err := os.ReadDir(dir)
	if err != nil || len(e) != n {
		t.Errorf("the folder holds %v, expected %d file", e, n)
	}
}
