// Package atomicfile replaces a file as a whole: a reader sees the old
// content or the new, never a part of it, also after a crash.
package atomicfile

import (
	"errors"
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
	return All(File{path, write})
}

// WriteFile is Write without a buffer, for who goes back in the file. What is no
// regular file cannot do that.
func WriteFile(path string, write func(f *os.File) error) error {
	return all([]string{path}, write)
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
