package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// File is a file to be written: Write fills it.
type File struct {
	Path  string
	Write func(w io.Writer) error
}

// All writes several files as Write does, and replaces none before each is whole and
// on the disk: an error or a signal in between leaves all as they were. Only a kill
// or a failure of power within the renames, which follow each other at once, can
// leave some replaced and some not; see Pair for two that have to agree. Files are
// filled in their order. The error names the path.
func All(files ...File) error {
	paths, writes := make([]string, len(files)), make([]func(f *os.File) error, len(files))
	for i, f := range files {
		paths[i], writes[i] = f.Path, buffered(f.Write)
	}
	return all(paths, writes...)
}

// all is All for what fills a file itself.
func all(paths []string, writes ...func(f *os.File) error) error {
	var done []*staged
	defer func() {
		for _, s := range done {
			s.drop()
		}
	}()
	for i, path := range paths {
		s, err := stage(path, writes[i])
		if err != nil {
			return fmt.Errorf("saving %s: %w", path, err)
		}
		done = append(done, s)
	}
	running.Lock()
	defer running.Unlock() // before the files without a place go
	for i, s := range done {
		if err := s.place(s.path); err != nil {
			return fmt.Errorf("saving %s: %w", paths[i], err)
		}
	}
	return nil
}

// Next is the name beside path that Pair gives a new file before its path is free
// for it.
func Next(path string) string {
	return filepath.Join(filepath.Dir(path), ".next-"+filepath.Base(path))
}

// Pair replaces two files that have to be of one save, whatever ends the process:
// what second is filled with says which first belongs to it, by a checksum say. The
// new first stands at Next of its path before second takes its place, and goes to
// its own path after. Who reads the two takes first from Next where second does not
// fit the one at its path. Settle comes before the next Pair. first is filled before
// second; neither may be what cannot be replaced.
func Pair(first, second File) error {
	a, err := stage(first.Path, buffered(first.Write))
	if err != nil {
		return fmt.Errorf("saving %s: %w", first.Path, err)
	}
	defer a.drop()
	b, err := stage(second.Path, buffered(second.Write))
	if err != nil {
		return fmt.Errorf("saving %s: %w", second.Path, err)
	}
	defer b.drop()
	if a.f == nil || b.f == nil {
		return fmt.Errorf("saving %s and %s: one is no regular file", first.Path, second.Path)
	}
	running.Lock()
	defer running.Unlock()
	next := Next(first.Path)
	if err := a.place(next); err != nil {
		return fmt.Errorf("saving %s: %w", first.Path, err)
	}
	if err := b.place(b.path); err != nil {
		os.Remove(next) // the old two are as they were
		return fmt.Errorf("saving %s: %w", second.Path, err)
	}
	if err := os.Rename(next, a.path); err != nil {
		return fmt.Errorf("saving %s: %w; it is at %s", first.Path, err, next)
	}
	durable(a.path)
	return nil
}

// Settle brings what a Pair that was killed left at Next of first to its end: if it
// belongs to the second file it takes its path, and it goes otherwise. belongs tells
// of a file whether the second one says that it is its first.
func Settle(first string, belongs func(path string) bool) error {
	next := Next(first)
	if _, err := os.Lstat(next); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	running.Lock()
	defer running.Unlock()
	switch {
	case running.abandoned:
		return errAbandoned
	case !belongs(first) && belongs(next):
		if target, err := filepath.EvalSymlinks(first); err == nil {
			first = target
		}
		return os.Rename(next, first)
	}
	return os.Remove(next)
}

// staged is a new file that is whole and does not have its place yet. It is open, and
// with that locked, where the system lets an open file have another name.
type staged struct {
	path string   // of the file that it replaces
	f    *os.File // nil: there is a device, which was written to, or it has its place
}

// stage makes the new file for a path.
func stage(path string, write func(f *os.File) error) (s *staged, err error) {
	perm := fs.FileMode(0o666)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	old, err := os.Stat(path)
	switch {
	case err == nil && old.IsDir():
		return nil, errors.New("it is a folder")
	case err == nil && !old.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return &staged{path: path}, errors.Join(write(f), f.Close())
	case err == nil:
		perm = old.Mode().Perm()
	}
	Sweep(path)
	s = &staged{path: path}
	if s.f, err = begin(path, perm); err != nil {
		if p := (*fs.PathError)(nil); errors.As(err, &p) {
			err = p.Err // of a name that nobody gave
			if dir := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("there is no folder %s: %w", dir, err)
			}
		}
		return nil, err
	}
	if old != nil { // the umask may have taken permissions the old file had
		err = s.f.Chmod(perm)
	}
	if err == nil {
		err = write(s.f)
	}
	if err == nil {
		err = s.f.Sync()
	}
	if err == nil && closeFirst {
		err = s.f.Close()
	}
	if err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

// closeFirst: an open file cannot have another name.
const closeFirst = runtime.GOOS == "windows"

// place gives the file a path, with running locked. What stood there is gone then.
func (s *staged) place(path string) (err error) {
	if s.f == nil {
		return nil
	}
	if running.abandoned {
		return errAbandoned
	}
	if err := os.Rename(s.f.Name(), path); err != nil {
		return err
	}
	if !closeFirst {
		err = s.f.Close()
	}
	delete(running.files, s.f)
	s.f = nil
	durable(path)
	return err
}

// drop removes a file that has no place.
func (s *staged) drop() {
	if s.f == nil {
		return
	}
	running.Lock()
	defer running.Unlock()
	delete(running.files, s.f)
	_ = s.f.Close() // it may be closed, and goes
	os.Remove(s.f.Name())
	s.f = nil
}

// buffered fills a file through a buffer.
func buffered(write func(w io.Writer) error) func(f *os.File) error {
	return func(f *os.File) error {
		b := bufio.NewWriterSize(f, 1<<16)
		if err := write(b); err != nil {
			return err
		}
		return b.Flush()
	}
}

// durable brings a rename to the disk, which it reaches with the folder. Not every
// system can sync a folder, and the file is whole either way.
func durable(path string) {
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
