package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Several files are replaced together: what ends the last one's filling leaves the
// first ones as they were too.
func TestAllOrNone(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := All(File{a, text("a1")}, File{b, text("b1")}); err != nil {
		t.Fatal(err)
	}
	for _, last := range []File{
		{b, func(io.Writer) error { return errors.New("full") }},
		{filepath.Join(dir, "none", "b"), text("b2")},
		{dir, text("b2")},
	} {
		if err := All(File{a, text("a2")}, last); err == nil || content(t, a) != "a1" || content(t, b) != "b1" {
			t.Errorf("%s: %v, then %q and %q", last.Path, err, content(t, a), content(t, b))
		}
		only(t, dir, 2)
	}
	if err := All(File{a, text("a2")}, File{b, text("b2")}); err != nil || content(t, a) != "a2" || content(t, b) != "b2" {
		t.Errorf("%v, then %q and %q", err, content(t, a), content(t, b))
	}
}

// A pair is replaced together, through links too, and by nothing that a signal ends.
func TestPair(t *testing.T) {
	defer func() { running.abandoned = false }()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := os.Symlink("real", a); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "real"), []byte("a0"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Pair(File{a, text("a1")}, File{b, text("b1")}); err != nil {
		t.Fatal(err)
	}
	if i, err := os.Stat(a); content(t, filepath.Join(dir, "real")) != "a1" || content(t, b) != "b1" || err != nil || i.Mode().Perm() != 0o640 {
		t.Errorf("%q and %q, %v", content(t, a), content(t, b), i)
	}
	only(t, dir, 3)
	for name, second := range map[string]File{
		"an error": {b, func(io.Writer) error { return errors.New("full") }},
		"a folder": {dir, text("b2")},
		"a device": {os.DevNull, text("b2")},
		"a signal": {b, func(io.Writer) error { Abandon(); return nil }},
	} {
		if err := Pair(File{a, text("a2")}, second); err == nil || content(t, a) != "a1" || content(t, b) != "b1" {
			t.Errorf("%s: %v, then %q and %q", name, err, content(t, a), content(t, b))
		}
		running.abandoned = false
		only(t, dir, 3)
	}
	if err := Pair(File{os.DevNull, text("a2")}, File{b, text("b2")}); err == nil || content(t, b) != "b1" {
		t.Errorf("a device first: %v, then %q", err, content(t, b))
	}
}

// What a killed Pair left takes its place where the second file says so, and goes
// otherwise.
func TestSettle(t *testing.T) {
	defer func() { running.abandoned = false }()
	for _, c := range []struct {
		first, next string // what they hold; empty: not there
		right       string // what the second file wants
		want        string
	}{
		{"old", "new", "new", "new"},
		{"old", "new", "old", "old"},
		{"same", "same", "same", "same"},
		{"", "new", "new", "new"},
		{"old", "new", "other", "old"},
		{"old", "", "new", "old"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		for name, s := range map[string]string{path: c.first, Next(path): c.next} {
			if s == "" {
				continue
			}
			if err := os.WriteFile(name, []byte(s), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		belongs := func(path string) bool {
			b, err := os.ReadFile(path)
			return err == nil && string(b) == c.right
		}
		running.abandoned = true
		if err := Settle(path, belongs); (err != nil) != (c.next != "") {
			t.Errorf("%+v, abandoned: %v", c, err)
		}
		running.abandoned = false
		if err := Settle(path, belongs); err != nil || content(t, path) != c.want {
			t.Errorf("%+v: %v, then %q", c, err, content(t, path))
		}
		only(t, dir, 1)
	}
}

// A new file that cannot get its path is an error, and goes; one that has it is
// closed, and nothing that Abandon would take away.
func TestPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	s, err := stage(path, buffered(text("new")))
	if err != nil {
		t.Fatal(err)
	}
	if len(running.files) != 1 {
		t.Errorf("%d files are known to Abandon, want the new one", len(running.files))
	}
	if err := s.place(filepath.Join(dir, "none", "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a path that cannot be: %v", err)
	}
	s.drop()
	only(t, dir, 0)
	if s, err = stage(path, buffered(text("new"))); err != nil {
		t.Fatal(err)
	}
	f := s.f
	if err := s.place(path); err != nil || content(t, path) != "new" {
		t.Error(err)
	}
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is still open: %v", err)
	}
	if s.drop(); len(running.files) != 0 {
		t.Errorf("%d files are known to Abandon, want none", len(running.files))
	}
	only(t, dir, 1)
}
