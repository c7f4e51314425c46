package modelfile

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
)

// Graphs written another way than PyTorch's exporter does become models with
// ONNX Runtime's numbers.
func TestOtherConvertersGraphsBecomeModels(t *testing.T) {
	paths, err := filepath.Glob("../../checkpoint/onnx/testdata/converters/*.onnx")
	if err != nil || len(paths) != 3 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			l := load(t, path, Options{})
			if l.Model == nil {
				t.Fatal("no model")
			}
			g := testkit.Load(t, strings.TrimSuffix(path, ".onnx")+".safetensors")
			var in nn.Input
			if g.Has("in.x") {
				in.Features = g.F32("in.x")
			} else {
				in.Tokens, in.T, in.B = g.Ints("in.tokens"), 5, 3
			}
			p := nn.Pass{Model: l.Model}
			y, _, err := p.Forward(in, unroll.State{})
			if err != nil {
				t.Fatal(err)
			}
			testkit.CloseDense(t, "logits", y, g.F32("out.logits"), testkit.Default[float32]())
		})
	}
}

// What the exporters of recent PyTorch and Keras wrote becomes a layer or a
// model with PyTorch's and Keras's numbers, for every set of inputs.
func TestExportersGraphsGiveTheirFrameworksNumbers(t *testing.T) {
	paths, err := filepath.Glob("../../checkpoint/onnx/testdata/exporters/[kt]*.safetensors") // not those that are no layer
	if err != nil || len(paths) != 22 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := Open(strings.TrimSuffix(path, ".safetensors") + ".onnx")
			if err != nil {
				t.Fatal(err)
			}
			l, err := f.Load(Options{})
			if err != nil {
				t.Fatal(err)
			}
			n, batchFirst := l.Ports, l.Layer.Config().BatchFirst
			g := testkit.Load(t, path)
			sets := 0
			for _, set := range []string{"set0.", "set1."} {
				if len(g.Names(set)) == 0 {
					continue
				}
				sets++
				s0 := unroll.State{H: testkit.Optional[float32](g, set+n.H0), C: testkit.Optional[float32](g, set+n.C0)}
				var y tensor.Dense
				var sn unroll.State
				if l.Model != nil {
					in := nn.Input{}
					if l.Model.Embedding() == nil {
						in.Features = g.F32(set + n.Input)
					} else {
						shape := testkit.As[float64](g, set+n.Input).Shape
						in.Tokens, in.T, in.B = g.Ints(set+n.Input), shape[0], shape[1]
						if batchFirst {
							in.T, in.B = in.B, in.T
						}
					}
					p := nn.Pass{Model: l.Model}
					if n.Lengths != "" {
						p.Lengths = g.Ints(set + n.Lengths)
					}
					y, sn, err = p.Forward(in, s0)
				} else {
					p := unroll.Pass{Layer: l.Layer}
					if n.Lengths != "" {
						p.Lengths = g.Ints(set + n.Lengths)
					}
					y, sn, err = p.Forward(g.F32(set+n.Input), s0)
				}
				if err != nil {
					t.Fatal(err)
				}
				compared := 0
				for name, got := range map[string]tensor.Dense{n.Output: y, n.HN: sn.H, n.CN: sn.C} {
					if name != "" {
						compared++
						testkit.CloseDense(t, set+name, got, g.F32(set+name), testkit.Default[float32]())
					}
				}
				if compared != len(f.ONNX.Graph.Outputs) {
					t.Errorf("%d outputs compared, the graph has %d", compared, len(f.ONNX.Graph.Outputs))
				}
			}
			if sets == 0 {
				t.Error("no data set")
			}
		})
	}
}
