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
	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
)

// reader is a format under the contract that all of them keep: whatever the
// bytes, no panic; an error of a kind, with the file's name; what is allocated
// stays below fixed + factor times the bytes, and how often below as many
// objects: what goes through something again and again makes them again. Seconds
// are not counted, which a busy machine has fewer of.
type reader struct {
	seeds string // files to begin with
	read  func(b []byte) error
	// fixed and factor bound what opening and reading everything once allocates
	// in all, garbage included; docs/formats says the same.
	fixed, factor uint64
	// whole: a file cut short anywhere is refused. Text and old pickles have no end
	// that could be missing.
	whole bool
}

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

func text(f array.Format) func(b []byte) error {
	return func(b []byte) error {
		s, err := array.Read(bytes.NewReader(b), file, array.Options{Format: f})
		if err != nil {
			return err
		}
		return drain(s, nil)
	}
}

func readers() map[string]reader {
	return map[string]reader{
		"safetensors": {"../examples/bach/model.safetensors ../testdata/golden/layers/gru*.safetensors", func(b []byte) error {
			f, err := safetensors.NewReader(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				return err
			}
			return drain(f, nil)
		}, 64 << 10, 72, true},
		"keras": {"keras/testdata/*.npz", func(b []byte) error {
			f, err := npy.NewArchive(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				return err
			}
			k, err := keras.New(f)
			if err != nil {
				return err
			}
			return drain(k, nil)
		}, 1 << 20, 3200, true},
		"torchfile": {"torchfile/testdata/golden/*.pt torchfile/testdata/golden/*.pth torchfile/testdata/forms/*.pt torchfile/testdata/forms/*.pt2 torchfile/testdata/forms/*[024].pkl", func(b []byte) error {
			f, err := torchfile.New(bytes.NewReader(b), int64(len(b)), file)
			if err != nil {
				return err
			}
			return drain(f, nil)
		}, 16 << 20, 168, false},
		"onnx": {"onnx/testdata/golden/*.onnx onnx/testdata/exporters/*.onnx onnx/testdata/operators/*bi*.onnx", func(b []byte) error {
			f, err := onnx.Parse(b, file)
			if err != nil {
				return err
			}
			_, failed := f.Network()
			if err := drain(f, nil); err != nil {
				return err
			}
			return failed
		}, 2 << 20, 400, true},
		"npy":   {"array/npy/testdata/*.npy", text(array.NPY), 64 << 10, 16, true},
		"npz":   {"array/npy/testdata/*.npz keras/testdata/*.npz", text(array.NPZ), 1 << 20, 3200, true},
		"csv":   {"array/text/testdata/*.csv", text(array.CSV), 1 << 20, 192, false},
		"jsonl": {"array/text/testdata/*.jsonl", text(array.JSONLines), 1 << 20, 256, false},
		"parquet": {"array/parquet/testdata/*.parquet", func(b []byte) error {
			_, _, err := parquet.Read[float64](bytes.NewReader(b), int64(len(b)), file, nil)
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
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = r.read(b)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > allowed {
		t.Errorf("%s: %d bytes allocated for %d, allowed %d", what, n, len(b), allowed)
	}
	if n, most := after.Mallocs-before.Mallocs, 20_000+4*uint64(len(b)); n > most {
		t.Errorf("%s: %d objects allocated for %d bytes, allowed %d", what, n, len(b), most)
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
