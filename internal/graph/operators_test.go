package graph

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// Every attribute of RNN, LSTM and GRU gives the operator's own results: ONNX
// Runtime's, and those of the onnx package's node tests.
func TestEveryRecurrentAttribute(t *testing.T) {
	paths, err := filepath.Glob("../../checkpoint/onnx/testdata/operators/*.onnx")
	if err != nil || len(paths) < 60 {
		t.Fatal(len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p := open(t, path)
			g := testkit.Load(t, strings.TrimSuffix(path, ".onnx")+".safetensors")
			in, out := make([]Value, len(p.graph.Inputs)), make([]Value, len(p.graph.Outputs))
			for i, port := range p.graph.Inputs {
				if port.Type == I32 {
					var lengths []int32
					for _, n := range g.Ints("in." + port.Name) {
						lengths = append(lengths, int32(n))
					}
					in[i] = Vector(lengths...)
					continue
				}
				d := g.F32("in." + port.Name)
				v, err := Of(d.Data, d.Shape...)
				if err != nil {
					t.Fatal(err)
				}
				in[i] = v
			}
			for range 2 { // the second run is by the plan of the first
				if err := p.Run(in, out); err != nil {
					t.Fatal(err)
				}
			}
			for i, port := range p.graph.Outputs {
				want := g.F32("out." + port.Name)
				testkit.Close(t, port.Name, Data[float32](out[i]), want.Data, testkit.Default[float32]())
			}
			if len(out) == 0 {
				t.Error("nothing compared")
			}
		})
	}
}
