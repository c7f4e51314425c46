package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestVersionNeedsASectionOfTheChangelog(t *testing.T) {
	const text = "# Changelog\n\n## [Unreleased]\n\n- x\n\n## [1.2.0] - 2026-11-28\n\n### Added\n\n- y\n\n## [1.1.0] - 2026-01-02\n\n## [1.0.0] - 2026-01-01\n\n- z\n"
	for version, ok := range map[string]bool{"v1.2.0": true, "v1.0.0": true, "v1.1.0": false, "v1.3.0": false, "v1x2.0": false} {
		if err := inChangelog(text, version); (err == nil) != ok {
			t.Errorf("%s: %v", version, err)
		}
	}
}

var sample = []file{{"unroll", []byte("binary"), 0o755}, {"man/unroll.1", []byte("manual"), 0o644}}

// Archives hold files, modes and the commit's time, nothing else, and are equal when
// they are made again.
func TestArchivesTellNothingOfTheMachine(t *testing.T) {
	r := &release{when: time.Date(2026, 11, 28, 1, 2, 4, 0, time.UTC)}
	write := func(name string, f func(string, string, []file) error) []byte {
		path := filepath.Join(t.TempDir(), name)
		if err := f(path, "unroll_1", sample); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := write("a.tar.gz", r.tar)
	time.Sleep(time.Millisecond)
	if !bytes.Equal(first, write("b.tar.gz", r.tar)) || !bytes.Equal(write("a.zip", r.zip), write("b.zip", r.zip)) {
		t.Error("two archives of the same files differ")
	}
	z, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" {
		t.Errorf("the archive names %q of %v", z.Name, z.ModTime)
	}
	in := tar.NewReader(z)
	for _, f := range sample {
		h, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil || h.Name != "unroll_1/"+f.name || !bytes.Equal(text, f.text) || h.Mode != int64(f.mode) || !h.ModTime.Equal(r.when) || h.Uid != 0 {
			t.Errorf("%+v %q %v, want %v", h, text, err, f)
		}
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		t.Error("there is more in the archive")
	}
	zipped := write("c.zip", r.zip)
	got, err := zip.NewReader(bytes.NewReader(zipped), int64(len(zipped)))
	if err != nil || len(got.File) != 2 || got.File[0].Mode() != 0o755 || !got.File[0].Modified.Equal(r.when) {
		t.Errorf("the zip archive has %+v, %v", got, err)
	}
}

// Links of the README lead somewhere from an archive, too.
func TestLinksOfAnArchiveLeadAway(t *testing.T) {
	got := string(away([]byte("[a](docs/install.md#x) ![b](docs/images/run.svg) [c](https://example.org) [d](#here) f(x)"), "v1.2.3"))
	want := "[a](https://github.com/unroll-ml/unroll/blob/v1.2.3/docs/install.md#x) ![b](https://github.com/unroll-ml/unroll/blob/v1.2.3/docs/images/run.svg) [c](https://example.org) [d](#here) f(x)"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The formula has the sum of the archive that it names beside it.
func TestFormulaHasTheSumsOfItsArchives(t *testing.T) {
	out := t.TempDir()
	r := &release{version: "v1.2.3", site: "https://example.org/dl", targets: all}
	var sums []sum
	for i, name := range []string{"darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64"} {
		sums = append(sums, sum{"unroll_1.2.3_" + name + ".tar.gz", strings.Repeat(string(rune('a'+i)), 64)})
	}
	if err := r.pages(out, sums); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "unroll.rb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sums {
		want := "url \"https://example.org/dl/v1.2.3/" + s.name + "\"\n      sha256 \"" + s.sum + "\"\n"
		if !strings.Contains(string(text), want) {
			t.Errorf("the formula lacks\n%s\n%s", want, text)
		}
	}
}

// A Debian package of the files of an archive is made twice with the same bytes, and
// has each at its place.
func TestDebianPackage(t *testing.T) {
	r := &release{version: "v1.2.3-rc.1", when: time.Unix(1_700_000_000, 0).UTC()}
	files := append([]file{{"README.md", []byte("x"), 0o644}, {"completions/_unroll", []byte("#compdef unroll"), 0o644}, {"licences/go/LICENSE", []byte("BSD"), 0o644}}, sample...)
	var made [][]byte
	for range 2 {
		out := t.TempDir()
		if err := r.deb(out, target{"linux", "arm"}, files); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(out, "unroll_1.2.3~rc.1_armhf.deb"))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, b)
		time.Sleep(1100 * time.Millisecond) // a time in the package would have another second
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Error("two packages of the same files differ")
	}
	for name, want := range map[string]string{
		"CHANGELOG.md": "/usr/share/doc/unroll/CHANGELOG.md.gz", "LICENSE": "", "debian/copyright": "/usr/share/doc/unroll/copyright",
		"unroll": "/usr/bin/unroll", "man/unroll-run.1": "/usr/share/man/man1/unroll-run.1.gz", "README.md": "",
		"licences/go/LICENSE": "/usr/share/doc/unroll/licences/go/LICENSE", "completions/unroll.ps1": "",
	} {
		if got := debPath(name); got != want {
			t.Errorf("%s goes to %q, want %q", name, got, want)
		}
	}
}

// Debian's tools read the changelog by its form.
func TestDebianChangelog(t *testing.T) {
	r := &release{version: "v1.2.3-rc.1", when: time.Unix(1_700_000_000, 0).UTC()}
	want := "unroll (1.2.3~rc.1) unstable; urgency=medium\n\n  * What is new is in CHANGELOG.md.gz beside this file.\n\n -- The unroll authors <unroll-ml@users.noreply.github.com>  Tue, 14 Nov 2023 22:13:20 +0000\n"
	if got := r.debChangelog(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOutdatedLooksAtWhatIsAskedFor(t *testing.T) {
	got, err := chosen([]byte(`{"Require":[{"Path":"a.org/x"},{"Path":"b.org/y","Indirect":true},{"Path":"c.org/z","Indirect":true}],"Tool":[{"Path":"c.org/z/cmd/z"}]}`))
	if err != nil || strings.Join(got, " ") != "a.org/x c.org/z" {
		t.Errorf("got %q, %v", got, err)
	}
}
