// Package atomicfile replaces a file as a whole: a reader sees the old
// content or the new, never a part of it, also after a crash.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write calls write with a buffered writer on a new file in path's folder,
// syncs it, and renames it to path. If anything fails, path is as it was, the
// new file is gone, and the error names path. A symbolic link is followed: its
// target is replaced. An existing file's permissions are kept; a new file gets
// 0666 less the process's umask. What an earlier Write of path left when it was
// killed is removed, see Sweep. What exists and is no regular file (a device,
// a pipe) is written to directly, for it cannot be replaced.
func Write(path string, write func(w io.Writer) error) error {
	return WriteFile(path, func(f *os.File) error {
		b := bufio.NewWriterSize(f, 1<<16)
		if err := write(b); err != nil {
			return err
		}
		return b.Flush()
	})
}

// WriteFile is Write without a buffer, for who goes back in the file. What is no
// regular file cannot do that.
func WriteFile(path string, write func(f *os.File) error) error {
	if err := replace(path, write); err != nil {
		return fmt.Errorf("saving %s: %w", path, err)
	}
	return nil
}

func replace(path string, write func(f *os.File) error) (err error) {
	perm := fs.FileMode(0o666)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	old, err := os.Stat(path)
	switch {
	case err == nil && old.IsDir():
		return errors.New("it is a folder")
	case err == nil && !old.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return finish(f, write, false)
	case err == nil:
		perm = old.Mode().Perm()
	}
	Sweep(path)
	f, err := begin(path, perm)
	if err != nil {
		return err
	}
	defer done(f)
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if old != nil { // the umask may have taken permissions the old file had
		if err := f.Chmod(perm); err != nil {
			f.Close()
			return err
		}
	}
	if err := finish(f, write, true); err != nil {
		return err
	}
	if err := rename(f, path); err != nil {
		return err
	}
	// The rename itself reaches the disk with the folder. Not every system
	// can sync a folder, and the file is whole either way.
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync()
		d.Close()
	}
	return nil
}

// create opens a new file beside path under a name not yet taken.
func create(path string, perm fs.FileMode) (*os.File, error) {
	for tries := 0; ; tries++ {
		name := filepath.Join(filepath.Dir(path), newName(filepath.Base(path)))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		if err == nil {
			if lock(f); there(f) || tries == 100 {
				return f, nil
			}
			f.Close()
			continue
		}
		if !errors.Is(err, fs.ErrExist) || tries == 100 {
			return nil, err
		}
	}
}

// finish writes through a buffer, syncs if asked, and always closes.
func finish(f *os.File, write func(f *os.File) error, sync bool) error {
	err := write(f)
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
