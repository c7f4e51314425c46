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
		err = f.Close()
		if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) { // a Sweep took it
			err = errors.Join(err, gone)
		}
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return nil
}

// Sweep removes the new files that killed Writes left in path's folder, whatever
// paths they were of. Those of a Write that runs, in this process or another, stay: it
// holds a lock on its file, which the system takes from it when it ends. Where the
// system has no such lock nothing is removed. Write sweeps by itself.
func Sweep(path string) {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.Type().IsRegular() && isLeft(filepath.Base(path), e.Name()) {
			removeLeft(filepath.Join(dir, e.Name()))
		}
	}
}

// mark is in the names of new files, so that they are known as such.
const mark = ".unroll-"

// newName is the name of a new file for base; IsNew knows it again.
func newName(base string) string {
	const most = 200 // systems allow 255 bytes
	if len(base) > most {
		base = strings.ToValidUTF8(base[:most], "")
	}
	return fmt.Sprintf(".%s%s%08x.tmp", base, mark, rand.Uint32())
}

// IsNew reports whether a file of this name is, or was, that of a running Write.
func IsNew(name string) bool {
	i := strings.LastIndex(name, mark)
	return i > 0 && name[0] == '.' && isRandom(name[i+len(mark):])
}

// isLeft reports whether a file may go: one of newName, or one of base as the first
// versions called it.
func isLeft(base, name string) bool {
	rest, ok := strings.CutPrefix(name, "."+base+".")
	return IsNew(name) || ok && isRandom(rest)
}

// isRandom reports whether a name ends as newName's do.
func isRandom(end string) bool {
	digits, ok := strings.CutSuffix(end, ".tmp")
	return ok && len(digits) == 8 && strings.Trim(digits, "0123456789abcdef") == ""
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
