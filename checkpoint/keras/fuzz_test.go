package keras

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
)

// FuzzNew: whatever the names and shapes in an archive, they are refused or
// every tensor can be read and holds together.
func FuzzNew(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.npz")
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := npy.NewArchive(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		s, err := New(a)
		if err != nil {
			if !errors.Is(err, checkpoint.ErrFormat) {
				t.Fatalf("refused with another kind of error: %v", err)
			}
			return
		}
		for _, name := range s.Names() {
			x, err := s.Tensor(name)
			if err == nil && x.Check() != nil {
				t.Fatal(x.Check())
			}
		}
	})
}
