package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/nn"
)

// lockFile stands in a model folder while a training has it.
const lockFile = ".unroll.lock"

// written are the files that training writes into its folder.
var written = []string{nn.ConfigFile, nn.WeightsFile, nn.ReadmeFile, checkpointFile}

// modelPlace is a model folder that one training has for itself.
type modelPlace struct {
	dir  string
	lock *flock.Flock
	made bool // by this run
}

// claimFolder takes a folder for one training, before anything is read or
// computed: it makes it if need be, and refuses one that holds what unroll did not
// make, one with a model unless overwrite or resume says what is meant of it, one
// that cannot be written to, and one that another training has. beside are files
// that this run writes, wherever they are. What killed runs left is swept away.
func claimFolder(dir string, resume, overwrite bool, beside ...string) (*modelPlace, error) {
	if resume && overwrite {
		return nil, usagef("--resume and --overwrite: go on with the run in %s, or train anew?", dir)
	}
	f := &modelPlace{dir: dir, lock: flock.New(filepath.Join(dir, lockFile))}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, usagef("-o %s: it is a file; name a folder for the model, there or not", dir)
	} else if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, err
		}
		f.made = true
	}
	if err := f.claim(resume, overwrite, beside); err != nil {
		f.release()
		return nil, err
	}
	return f, nil
}

// claimOut takes a folder for a conversion, which may replace another conversion's: a
// model that was trained there has words and a run beside it, which would be taken for
// those of the new one.
func claimOut(dir string) (*modelPlace, error) {
	f, err := claimFolder(dir, false, true)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{nn.ReadmeFile, checkpointFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			f.release()
			return nil, usagef("OUT %s: the folder holds a model that was trained there (%s); name another folder", dir, name)
		}
	}
	return f, nil
}

func (f *modelPlace) claim(resume, overwrite bool, beside []string) error {
	if err := f.mayTake(resume, overwrite, beside); err != nil {
		return err
	}
	if err := atomicfile.Try(filepath.Join(f.dir, checkpointFile)); err != nil {
		return err
	}
	if err := f.take(); err != nil {
		return err
	}
	// Another training may have ended since.
	if err := f.mayTake(resume, overwrite, beside); err != nil {
		return err
	}
	for _, name := range written {
		atomicfile.Sweep(filepath.Join(f.dir, name))
	}
	return nil
}

// take locks the folder. The lock ends with its process, however that ends.
func (f *modelPlace) take() error {
	for {
		mine, err := f.lock.TryLock()
		if err != nil {
			return fmt.Errorf("%s cannot be locked: %w", f.dir, err)
		}
		if !mine {
			return fmt.Errorf("another training is at work in %s; wait for its end, or choose another folder", f.dir)
		}
		a, errA := f.lock.Stat()
		b, errB := os.Stat(f.lock.Path())
		if errA == nil && errB == nil && os.SameFile(a, b) {
			return nil
		}
		if errA != nil || errB != nil && !errors.Is(errB, fs.ErrNotExist) {
			return fmt.Errorf("%s cannot be locked: %w", f.dir, errors.Join(errA, errB))
		}
		// The training before took its lock's file away between the two steps.
		if err := f.lock.Close(); err != nil {
			return err
		}
	}
}

// release gives the folder back, and takes away one that was made for a run that
// saved nothing.
func (f *modelPlace) release() {
	if f.lock.Locked() {
		// On Unix the file goes while it is locked, so that nobody else's goes.
		if runtime.GOOS != "windows" {
			os.Remove(f.lock.Path())
		}
		_ = f.lock.Close()
		if runtime.GOOS == "windows" {
			os.Remove(f.lock.Path()) // which fails where another has it open
		}
	}
	if f.made {
		os.Remove(f.dir) // which fails unless it is empty
	}
}

// mayTake refuses a folder whose files would be lost, and links that lead out of
// it where a file is to be written.
func (f *modelPlace) mayTake(resume, overwrite bool, beside []string) error {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range written {
		if _, err := root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w; replace it by a regular file", filepath.Join(f.dir, name), err)
		}
	}
	if resume {
		return nil
	}
	model := holdsModel(f.dir)
	foreign, err := f.foreign(model, beside)
	switch {
	case err != nil:
		return err
	case len(foreign) > 0:
		more := ""
		if len(foreign) > 3 {
			more = fmt.Sprintf(" and %d more", len(foreign)-3)
			foreign = foreign[:3]
		}
		return usagef("-o %s: the folder holds what unroll did not make (%s%s); choose one for the model alone", f.dir, strings.Join(foreign, ", "), more)
	case model && !overwrite:
		return usagef("-o %s: the folder holds a model; --resume goes on with its run, --overwrite replaces it", f.dir)
	}
	return nil
}

// foreign returns the names of what the folder holds besides a training's files.
// Without a model in it, a config.json or README.md is someone else's.
func (f *modelPlace) foreign(model bool, beside []string) (names []string, err error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		mine := name == lockFile || model && slices.Contains(written, name) || slices.ContainsFunc(written, func(w string) bool {
			return strings.HasPrefix(name, "."+w+".") && strings.HasSuffix(name, ".tmp") || name == filepath.Base(atomicfile.Next(w))
		}) || slices.ContainsFunc(beside, func(path string) bool { return isBelow(f.dir, name, path) })
		if !mine {
			names = append(names, fmt.Sprintf("%q", name))
		}
	}
	return names, nil
}

// isBelow reports whether path is dir/name or below it.
func isBelow(dir, name, path string) bool {
	if path == "" {
		return false
	}
	a, errA := filepath.Abs(filepath.Join(dir, name))
	b, errB := filepath.Abs(path)
	return errA == nil && errB == nil && (a == b || strings.HasPrefix(b, a+string(filepath.Separator)))
}

// holdsModel reports whether a folder has a model's config, weights or checkpoint.
func holdsModel(dir string) bool {
	if _, err := nn.ReadConfig(dir); err == nil {
		return true
	}
	for _, name := range []string{checkpointFile, nn.WeightsFile} {
		if f, err := safetensors.Open(filepath.Join(dir, name)); err == nil {
			f.Close()
			return true
		}
	}
	return false
}
