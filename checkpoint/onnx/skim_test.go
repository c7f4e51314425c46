package onnx

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

// skimAll lets every constant stay in its file.
func skimAll(t *testing.T) {
	n, m := minHeld, minSkimmed
	minHeld, minSkimmed = 1, 0
	t.Cleanup(func() { minHeld, minSkimmed = n, m })
}

// Every committed file is the same, its constants in memory or in the file.
func TestSkimmedFilesAreWholeOnes(t *testing.T) {
	skimAll(t)
	held := 0
	for _, pattern := range []string{"testdata/*.onnx", "testdata/*/*.onnx", "../../internal/*/testdata/*.onnx", "../../internal/*/testdata/*/*.onnx", "../../examples/*/*.onnx"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			whole, wholeErr := parseFile(b, nil, path, filepath.Dir(path))
			file, err := Open(path)
			if (err == nil) != (wholeErr == nil) || err != nil && err.Error() != wholeErr.Error() {
				t.Errorf("%s: opened %v, parsed %v", path, err, wholeErr)
			}
			if err != nil {
				continue
			}
			for i, info := range whole.Graph.Initializers() {
				want, wantErr := whole.Initializer(&whole.Graph, i)
				got, err := file.Initializer(&file.Graph, i)
				if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(got.Info, want.Info) || !bytes.Equal(got.Data, want.Data) {
					t.Errorf("%s: constant %q: %v", path, info.Name, err)
				}
				if file.Graph.tensors[i].held != nil {
					held++
				}
			}
			if len(file.Graph.Nodes) != len(whole.Graph.Nodes) || !reflect.DeepEqual(file.Metadata(), whole.Metadata()) {
				t.Errorf("%s: another graph", path)
			}
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if held < 20 {
		t.Errorf("%d constants were held", held)
	}
}

// modelOf is a file with one constant of n numbers.
func modelOf(t *testing.T, n int) []byte {
	t.Helper()
	g := &Graph{
		Name: "g", Nodes: []Node{{Op: "Add", Inputs: []string{"x", "w"}, Outputs: []string{"y"}}},
		Inputs: []Value{{Name: "x", Type: "F32"}}, Outputs: []Value{{Name: "y", Type: "F32"}},
	}
	d := tensor.New(n)
	for i := range d.Data {
		d.Data[i] = float32(i)
	}
	g.AddConstant(checkpoint.Of("w", d))
	var b bytes.Buffer
	if err := WriteGraph(&b, g, map[string]int64{"": 17}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Opening a large file takes no memory for its constants, reading one takes its own.
func TestOpenTakesNoMemoryForConstants(t *testing.T) {
	path := write(t, modelOf(t, 2<<20))
	open := func() *File {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if n := testkit.Allocated(func() { open().Close() }); n > 1<<17 {
		t.Errorf("opening took %d bytes", n)
	}
	f := open()
	defer f.Close()
	var w checkpoint.Tensor
	var err error
	if n := testkit.Allocated(func() { w, err = f.Tensor("w") }); err != nil || n > 8<<20+1<<12 {
		t.Errorf("reading took %d bytes, %v", n, err)
	}
	d, err := checkpoint.FloatOf[float32](w)
	if err != nil || d.Data[2<<20-1] != 2<<20-1 {
		t.Errorf("the last number is %v, %v", d.Data[len(d.Data)-1], err)
	}
}

// What is cut off or damaged is refused in the words of a file that was read whole.
func TestSkimmedFaults(t *testing.T) {
	b := modelOf(t, 40)
	skimAll(t)
	for n := range b {
		_, want := parseFile(b[:n:n], nil, "m", "")
		f, err := Open(write(t, b[:n]))
		if (err == nil) != (want == nil) {
			t.Errorf("%d of %d bytes: %v, parsed %v", n, len(b), err, want)
		}
		if err == nil {
			f.Close()
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		c := bytes.Clone(b)
		for range 1 + rng.IntN(3) {
			c[rng.IntN(len(c))] = byte(rng.IntN(256))
		}
		whole, want := parseFile(c, nil, "m", "")
		f, err := Open(write(t, c))
		if (err == nil) != (want == nil) {
			t.Fatalf("%x: %v, parsed %v", c, err, want)
		}
		if err != nil {
			continue
		}
		for i := range whole.Graph.tensors {
			x, wantErr := whole.Initializer(&whole.Graph, i)
			y, err := f.Initializer(&f.Graph, i)
			if (err == nil) != (wantErr == nil) || !bytes.Equal(x.Data, y.Data) {
				t.Fatalf("%x: constant %d: %v, parsed %v", c, i, err, wantErr)
			}
		}
		f.Close()
	}
}

// A file that became shorter since it was opened is an error, not a panic.
func TestConstantOfAFileThatShrank(t *testing.T) {
	path := write(t, modelOf(t, 1<<19))
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	_, err = f.Tensor("w")
	if e := (*checkpoint.Error)(nil); !errors.As(err, &e) || e.File != path || !strings.Contains(err.Error(), "byte ") {
		t.Errorf("got %v", err)
	}
}
