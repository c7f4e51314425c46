package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// What a killed Write left goes, what is someone else's stays: files of other
// names, folders, links, and the new file of a Write that runs.
func TestSweepTakesWhatWasLeftAlone(t *testing.T) {
	for _, base := range []string{"a", "a[1]*?"} {
		dir := filepath.Join(t.TempDir(), "d[x]")
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, base)
		make := func(name string) string {
			name = filepath.Join(dir, name)
			if err := os.WriteFile(name, nil, 0o666); err != nil {
				t.Skip(err) // a name the system does not have
			}
			return name
		}
		left := []string{make("." + base + ".0123abcd.tmp"), make("." + base + ".unroll-0123abcd.tmp"), make(".other" + ".unroll-0123abcd.tmp")}
		var stay []string
		for _, name := range []string{base, base + ".0123abcd.tmp", "." + base + ".0123abcd", "." + base + ".0123abcde.tmp", ".b.0123abcd.tmp", ".b.unroll-0123abc.tmp", "b.unroll-0123abcd.tmp", ".unroll-0123abcd.tmp", ".b.unroll-0123abcg.tmp"} {
			stay = append(stay, make(name))
		}
		if err := os.Mkdir(filepath.Join(dir, "."+base+".01234567.tmp"), 0o777); err != nil {
			t.Fatal(err)
		}
		stay = append(stay, filepath.Join(dir, "."+base+".01234567.tmp"))
		if err := os.Symlink(stay[0], filepath.Join(dir, "."+base+".abcdefab.tmp")); err == nil {
			stay = append(stay, filepath.Join(dir, "."+base+".abcdefab.tmp"))
		}
		err := Write(path, func(w io.Writer) error {
			for _, name := range left {
				if _, err := os.Stat(name); err == nil {
					t.Errorf("%s is still there", name)
				}
			}
			before := news(t, dir)
			Sweep(path) // while this Write runs
			after := news(t, dir)
			if len(after) != len(before) || len(before) == 0 {
				t.Errorf("a Sweep turned %v into %v", before, after)
			}
			_, err := io.WriteString(w, "new")
			return err
		})
		if err != nil || content(t, path) != "new" {
			t.Error(err)
		}
		for _, name := range stay {
			if _, err := os.Lstat(name); err != nil {
				t.Errorf("%s is gone", name)
			}
		}
		only(t, dir, len(stay))
	}
}

func TestTry(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Write(path, text("old")); err != nil {
		t.Fatal(err)
	}
	if err := Try(path); err != nil || content(t, path) != "old" {
		t.Errorf("%v, the file has %q", err, content(t, path))
	}
	if err := Try(filepath.Join(dir, "b")); err != nil {
		t.Error(err)
	}
	only(t, dir, 1)
	for _, bad := range []string{filepath.Join(dir, "none", "a"), filepath.Join(path, "a")} {
		if err := Try(bad); err == nil {
			t.Errorf("%s can be written", bad)
		}
	}
}

// news are the new files in dir.
func news(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() && IsNew(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// Those who save and those who sweep in one folder do not come between each other.
func TestSweepsBesideWrites(t *testing.T) {
	if closeFirst {
		t.Skip("an open file keeps its name here")
	}
	path := filepath.Join(t.TempDir(), "a")
	var stop atomic.Bool
	var sweepers sync.WaitGroup
	for range 2 {
		sweepers.Go(func() {
			for !stop.Load() {
				Sweep(path)
			}
		})
	}
	for range 500 {
		if err := Try(path); err != nil {
			t.Fatal(err)
		}
		f, err := begin(path, 0o666)
		if err != nil {
			t.Fatal(err)
		}
		if err := (&staged{path: path, f: f}).place(path); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	sweepers.Wait()
}
