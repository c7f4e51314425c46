package modelfile

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
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
