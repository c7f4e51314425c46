package hdf5

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

// drain reads everything a file holds.
func drain(t testing.TB, f *File) {
	t.Helper()
	total := int64(0)
	for _, name := range f.Names() {
		x, err := f.Tensor(name)
		if err == nil {
			total += int64(len(x.Data))
			if x.Check() != nil {
				t.Fatal(x.Check())
			}
		} else if !errors.Is(err, checkpoint.ErrFormat) && !errors.Is(err, checkpoint.ErrDType) {
			t.Fatalf("refused with another kind of error: %v", err)
		}
		if _, err := f.Strings(name); err != nil && !errors.Is(err, checkpoint.ErrFormat) && !errors.Is(err, checkpoint.ErrDType) {
			t.Fatalf("refused with another kind of error: %v", err)
		}
	}
	if most := dataFixed + dataFactor*f.size; total > most {
		t.Fatalf("%d bytes of datasets from %d, allowed %d", total, f.size, most)
	}
}

func fuzz(f *testing.F, unchecked bool) {
	for _, path := range goldenFiles(f) {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file := &File{name: "x", r: bytes.NewReader(b), size: int64(len(b)), unchecked: unchecked}
		if err := file.open(); err != nil {
			if !errors.Is(err, checkpoint.ErrFormat) {
				t.Fatalf("refused with another kind of error: %v", err)
			}
			return
		}
		drain(t, file)
	})
}

// FuzzNew: whatever the bytes, they are refused or everything in them can be
// read within the stated bounds.
func FuzzNew(f *testing.F) { fuzz(f, false) }

// FuzzUnchecked is the same without checksums, which the fuzzer cannot make.
func FuzzUnchecked(f *testing.F) { fuzz(f, true) }
