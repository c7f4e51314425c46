package graph

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// The files of the ONNX reader's tests, of PyTorch's two exporters, tf2onnx, and
// every attribute of the recurrent operators, give the outputs recorded beside
// them.
func TestFilesOfExporters(t *testing.T) {
	paths, err := filepath.Glob("../../checkpoint/onnx/testdata/*/*.onnx")
	if err != nil || len(paths) < 90 {
		t.Fatal(len(paths), err)
	}
	compared := 0
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			numbers := strings.TrimSuffix(path, ".onnx") + ".safetensors"
			src, err := safetensors.Open(numbers)
			if err != nil { // those that the reader refuses, by testdata/written_out.py
				src, err = safetensors.Open(filepath.Join("testdata", filepath.Base(numbers)))
			}
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			p := open(t, path)
			if p == nil {
				return
			}
			read := func(name string) (Value, bool) {
				if _, ok := src.Info(name); !ok {
					return Value{}, false
				}
				x, err := src.Tensor(name)
				if err != nil {
					t.Fatal(err)
				}
				v, err := fromTensor(x)
				if err != nil {
					t.Fatal(err)
				}
				return v, true
			}
			in, out := make([]Value, len(p.graph.Inputs)), make([]Value, len(p.graph.Outputs))
			for i, port := range p.graph.Inputs {
				v, ok := read("in." + port.Name)
				if !ok {
					v, ok = read("set0." + port.Name)
				}
				if !ok {
					t.Skipf("no recorded input %q of %v", port.Name, src.Names())
				}
				if t := port.Type.Held(); t != v.Type { // tokens are recorded as int64
					as := must(New(t, v.Shape...))
					convert(&as, &v)
					v = as
				}
				in[i] = v
			}
			if err := p.Run(in, out); err != nil {
				t.Fatal(err)
			}
			for i, port := range p.graph.Outputs {
				want, ok := read("out." + port.Name)
				if !ok {
					want, ok = read("set0." + port.Name)
				}
				if !ok {
					continue
				}
				compared++
				if !slices.Equal(out[i].Shape, want.Shape) {
					t.Errorf("output %q is %s, want %s", port.Name, out[i], want)
				}
				testkit.Close(t, port.Name, Data[float32](out[i]), Data[float32](want), testkit.Tol{Abs: 1e-5, Rel: 1e-4})
			}
		})
	}
	t.Logf("%d outputs compared", compared)
	if compared < 100 {
		t.Errorf("%d outputs compared, expected 100 or more", compared)
	}
}
