package checkpoint_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/checkpoint/array/parquet"
	"github.com/unroll-ml/unroll/checkpoint/hdf5"
	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
)

// reader is a format under the contract that all of them keep: whatever the
// bytes, no panic; an error of a kind, with the file's name; what is allocated
// stays below fixed + factor times the bytes; and the work is bounded too: no
// more than 64 KB and passes times the file's bytes are read, in no more than
// 1,000 allocations and objects for each of its bytes.
type reader struct {
	seeds string // files to begin with
	read  func(in *counted) error
	// fixed and factor bound what opening and reading everything once allocates
	// in all, garbage included; docs/formats says the same.
	fixed, factor uint64
	// whole: a file cut short anywhere is refused. Text and old pickles have no end
	// that could be missing.
	whole bool
}

// What every reader keeps, whatever it reads. The worst of the tests' files is
// read twice.
const (
	passes  = 2
	objects = 4
)

// counted is a file in memory that counts the bytes that are read of it.
type counted struct {
	b    []byte
	at   int // of Read
	read uint64
}

func (c *counted) ReadAt(p []byte, at int64) (int, error) {
	n, err := bytes.NewReader(c.b).ReadAt(p, at)
	c.read += uint64(n)
	return n, err
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadAt(p, int64(c.at))
	c.at += n
	if n > 0 {
		return n, nil
	}
	return n, err
}

func (c *counted) size() int64 { return int64(len(c.b)) }

// drain reads every tensor of a source once.
func drain(src checkpoint.Source, err error) error {
	if err != nil {
		return err
	}
	for _, name := range src.Names() {
		t, err := src.Tensor(name)
		if errors.Is(err, checkpoint.ErrDType) {
			continue
		}
		if err != nil {
			return err
		}
		if err := t.Check(); err != nil {
			return fmt.Errorf("a tensor that does not hold together: %w", err)
		}
	}
	return nil
}

const file = "x.file" // what readers are told the bytes are called

func text(f array.Format) func(in *counted) error {
	return func(in *counted) error {
		s, err := array.Read(in, file, array.Options{Format: f})
		if err != nil {
			return err
		}
		return drain(s, nil)
	}
}

func readers() map[string]reader {
	return map[string]reader{
		"safetensors": {"../examples/bach/model.safetensors ../testdata/golden/layers/gru*.safetensors", func(in *counted) error {
			f, err := safetensors.NewReader(in, in.size())
			if err != nil {
				return err
			}
			return drain(f, nil)
		}, 64 << 10, 72, true},
		"keras": {"keras/testdata/*.npz", func(in *counted) error {
			f, err := npy.NewArchive(in, in.size())
			if err != nil {
				return err
			}
			k, err := keras.New(f)
			if err != nil {
				return err
			}
			return drain(k, nil)
		}, 1 << 20, 3200, true},
		"keras models": {"keras/testdata/models/*.keras keras/testdata/models/*.h5", func(in *counted) error {
			m, err := keras.Read(in, in.size(), file)
			if err != nil {
				return err
			}
			return drain(m, nil)
		}, 12 << 20, 3200, true},
		"hdf5": {"hdf5/testdata/*.h5", func(in *counted) error {
			f, err := hdf5.New(in, in.size(), file)
			if err != nil {
				return err
			}
			return drain(f, nil)
		}, 10 << 20, 1088, true},
		"torchfile": {"torchfile/testdata/golden/*.pt torchfile/testdata/golden/*.pth torchfile/testdata/forms/*.pt torchfile/testdata/forms/*.pt2 torchfile/testdata/forms/*[024].pkl", func(in *counted) error {
			f, err := torchfile.New(in, in.size(), file)
			if err != nil {
				return err
			}
			return drain(f, nil)
		}, 16 << 20, 168, false},
		"onnx": {"onnx/testdata/golden/*.onnx onnx/testdata/exporters/*.onnx onnx/testdata/operators/*bi*.onnx", func(in *counted) error {
			f, err := onnx.Parse(in.b, file)
			if err != nil {
				return err
			}
			return drain(f, nil)
		}, 2 << 20, 400, true},
		"npy":   {"array/npy/testdata/*.npy", text(array.NPY), 64 << 10, 16, true},
		"npz":   {"array/npy/testdata/*.npz keras/testdata/*.npz", text(array.NPZ), 1 << 20, 3200, true},
		"csv":   {"array/text/testdata/*.csv", text(array.CSV), 1 << 20, 192, false},
		"jsonl": {"array/text/testdata/*.jsonl", text(array.JSONLines), 1 << 20, 256, false},
		"parquet": {"array/parquet/testdata/*.parquet", func(in *counted) error {
			_, _, err := parquet.Read[float64](in, in.size(), file, parquet.Options{})
			return err
		}, 192 << 20, 320, true},
	}
}

// seeds returns the bytes of a reader's seed files.
func (r reader) files(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, pattern := range strings.Fields(r.seeds) {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, p := range paths {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			files[p] = b
		}
	}
	return files
}

// keeps reads bytes under the contract and returns the reader's error.
func (r reader) keeps(t testing.TB, what string, b []byte) (err error) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("%s: panic: %v", what, p)
		}
	}()
	allowed := r.fixed + r.factor*uint64(len(b))
	in := &counted{b: b}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = r.read(in)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > allowed {
		t.Errorf("%s: %d bytes allocated for %d, allowed %d", what, n, len(b), allowed)
	}
	size := uint64(len(b))
	if n := after.Mallocs - before.Mallocs; n > 1000+objects*size {
		t.Errorf("%s: %d allocations for %d bytes, allowed %d", what, n, len(b), 1000+objects*size)
	}
	if n := in.read; n > 1<<16+passes*size {
		t.Errorf("%s: %d bytes read of %d, allowed %d", what, n, len(b), 1<<16+passes*size)
	}
	if err == nil {
		return nil
	}
	if !errors.Is(err, checkpoint.ErrFormat) && !errors.Is(err, checkpoint.ErrDType) && !errors.Is(err, checkpoint.ErrMissing) {
		t.Errorf("%s: an error of no kind: %v", what, err)
	}
	if len(err.Error()) > 2000 {
		t.Errorf("%s: an error of %d bytes", what, len(err.Error()))
	}
	return err
}

// Every file, cut at every byte (at 300 of a large one).
func TestEveryReaderOnTruncatedFiles(t *testing.T) {
	for name, r := range readers() {
		t.Run(name, func(t *testing.T) {
			for path, b := range r.files(t) {
				if len(b) > 1<<15 && testing.Short() {
					continue
				}
				step := max(1, len(b)/300)
				for n := 0; n < len(b); n += step {
					if err := r.keeps(t, fmt.Sprintf("%s, %d bytes of %d", path, n, len(b)), b[:n]); err == nil && r.whole {
						t.Errorf("%s: %d bytes of %d are accepted", path, n, len(b))
					}
				}
			}
		})
	}
}

// Every file with bytes changed, removed, doubled, and numbers made large.
func TestEveryReaderOnChangedFiles(t *testing.T) {
	for name, r := range readers() {
		t.Run(name, func(t *testing.T) {
			g := rand.New(rand.NewPCG(1, uint64(len(name))))
			refused := 0
			for path, b := range r.files(t) {
				for i := range 150 {
					c := slices.Clone(b)
					for range 1 + g.IntN(3) {
						at := g.IntN(len(c))
						switch g.IntN(5) {
						case 0:
							c[at] ^= 1 << g.IntN(8)
						case 1:
							c[at] = byte(g.Uint32())
						case 2:
							copy(c[at:], bytes.Repeat([]byte{0xff}, 1+g.IntN(9)))
						case 3:
							c = slices.Delete(c, at, min(len(c), at+1+g.IntN(8)))
						case 4:
							c = slices.Insert(c, at, c[max(0, at-g.IntN(64)):at]...)
						}
						if len(c) == 0 {
							break
						}
					}
					if r.keeps(t, fmt.Sprintf("%s, change %d", path, i), c) != nil {
						refused++
					}
				}
			}
			if refused == 0 {
				t.Error("no change was noticed")
			}
		})
	}
}
