package torchfile

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

// TestTruncatedFilesAreRefused cuts every golden off at every byte.
func TestTruncatedFilesAreRefused(t *testing.T) {
	for _, path := range goldenFiles(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			if _, err := open(b[:n]); !errors.Is(err, checkpoint.ErrFormat) {
				t.Errorf("%s: the first %d of %d bytes give %v, expected an ErrFormat", filepath.Base(path), n, len(b), err)
			}
			if n%61 == 0 {
				bounded(t, path, b[:n])
			}
		}
	}
}

// mutate changes a few places of b: bits, bytes, little-endian lengths, and
// pieces moved from elsewhere in b.
func mutate(r *rand.Rand, b []byte) []byte {
	b = append([]byte(nil), b...)
	for range 1 + r.IntN(4) {
		at := r.IntN(len(b))
		switch r.IntN(6) {
		case 0:
			b[at] ^= 1 << r.IntN(8)
		case 1:
			b[at] = byte(r.Uint32())
		case 2:
			b[at] = [...]byte{0, 1, 0x7f, 0x80, 0xff}[r.IntN(5)]
		case 3: // an instruction
			const ops = "(012FGIJKLMNQRSTUVX)]}abcdeghijlopqrstu.\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95"
			b[at] = ops[r.IntN(len(ops))]
		case 4:
			for i := range min(4, len(b)-at) {
				b[at+i] = 0xff
			}
		case 5:
			from := r.IntN(len(b))
			copy(b[at:], b[from:min(len(b), from+1+r.IntN(24))])
		}
	}
	return b
}

// TestMutatedFilesAreReadOrRefused changes goldens at random places: what
// opens must be readable, what does not must be an ErrFormat.
func TestMutatedFilesAreReadOrRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	opened := 0
	for _, path := range goldenFiles(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 400 {
			m := mutate(r, b)
			if _, err := open(m); err == nil {
				opened++
			}
			bounded(t, path, m)
		}
	}
	if opened < 100 || opened > 5900 {
		t.Errorf("%d of 6000 mutated files open: the mutations test nothing", opened)
	}
}

// FuzzOpen opens any bytes. Seeds are the goldens, the hostile files and a
// few that use every instruction.
func FuzzOpen(f *testing.F) {
	for _, path := range seedFiles(f) {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, h := range hostileFiles(f) {
		if len(h.bytes) < 4096 {
			f.Add(h.bytes)
		}
	}
	for _, c := range plainFiles(f) {
		f.Add(c.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) { bounded(t, "fuzzed bytes", b) })
}

// FuzzPickle lets the fuzzer change the pickle alone, so that it need not find
// out how to keep a zip file whole.
func FuzzPickle(f *testing.F) {
	for _, path := range seedFiles(f) {
		if p, ok := pickleOf(f, path); ok {
			f.Add(p)
		}
	}
	for _, h := range hostileFiles(f) {
		if p, ok := pickleIn(h.bytes); ok && len(p) < 4096 {
			f.Add(p)
		}
	}
	for _, c := range plainFiles(f) {
		if p, ok := pickleIn(c.bytes); ok {
			f.Add(p)
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		bounded(t, "fuzzed pickle", zipOf(t, zipEntry{"m/data.pkl", string(p)}, zipEntry{"m/data/0", four}))
	})
}

func pickleOf(t testing.TB, path string) ([]byte, bool) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return pickleIn(b)
}

// seedFiles are what fuzzing begins with: the goldens, and the other forms of
// PyTorch's files.
func seedFiles(t testing.TB) []string {
	all := goldenFiles(t)
	for _, pattern := range []string{"*.pt", "*.pt2", "*.pkl"} {
		forms, err := filepath.Glob("testdata/forms/" + pattern)
		if err != nil || len(forms) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		all = append(all, forms...)
	}
	return all
}
