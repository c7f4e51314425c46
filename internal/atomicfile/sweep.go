package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// Try reports whether Write could replace path: it makes the new file in path's
// folder and takes it away again. What is at path is not touched. The error names
// path.
func Try(path string) error {
	f, err := create(path, 0o666)
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return nil
}

// Sweep removes the new files that a killed Write of path left in its folder.
// Those of a Write that runs, in this process or another, stay: it holds a lock on
// its file, which the system takes from it when it ends. Where the system has no
// such lock nothing is removed. Write sweeps by itself.
func Sweep(path string) {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.Type().IsRegular() && isNewOf(filepath.Base(path), e.Name()) {
			removeLeft(filepath.Join(dir, e.Name()))
		}
	}
}

// newName is the name of a new file for base; isNewOf knows it again.
func newName(base string) string { return fmt.Sprintf(".%s.%08x.tmp", base, rand.Uint32()) }

func isNewOf(base, name string) bool {
	rest, ok := strings.CutPrefix(name, "."+base+".")
	mark, tmp := strings.CutSuffix(rest, ".tmp")
	return ok && tmp && len(mark) == 8 && strings.Trim(mark, "0123456789abcdef") == ""
}

// there reports whether f is still what its name leads to: a Sweep may have come
// between its creation and its lock.
func there(f *os.File) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(f.Name())
	return !errors.Is(err, fs.ErrNotExist) && err == nil && os.SameFile(a, b)
}
