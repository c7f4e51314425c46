package operator

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

// Every attribute gives the operator's own results: ONNX Runtime's, and those
// of the onnx package's node tests.
func TestEveryAttributeGivesTheOperatorsResults(t *testing.T) {
	paths, err := filepath.Glob("../../checkpoint/onnx/testdata/operators/*.onnx")
	if err != nil || len(paths) < 60 {
		t.Fatal(len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := onnx.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := f.Recurrent(&f.Graph.Nodes[0])
			if err != nil {
				t.Fatal(err)
			}
			n, err := New(r)
			if err != nil {
				t.Fatal(err)
			}
			g := testkit.Load(t, strings.TrimSuffix(path, ".onnx")+".safetensors")
			in := Input{X: g.F32("in.X")}
			if r.Lengths != "" {
				in.Lengths = g.Ints("in." + r.Lengths)
			}
			if r.H0 != "" {
				in.H0 = g.F32("in." + r.H0)
			}
			if r.C0 != "" {
				in.C0 = g.F32("in." + r.C0)
			}
			out, err := n.Run(in)
			if err != nil {
				t.Fatal(err)
			}
			compared := 0
			for name, got := range map[string]tensor.Dense{r.Y: out.Y, r.YH: out.H, r.YC: out.C} {
				if name != "" {
					compared++
					testkit.CloseDense(t, name, got, g.F32("out."+name), testkit.Default[float32]())
				}
			}
			if compared == 0 {
				t.Error("nothing compared")
			}
		})
	}
}

func TestRunRefusesWrongShapes(t *testing.T) {
	var set checkpoint.Set
	for name, shape := range map[string][]int{"weight_ih_l0": {2, 3}, "weight_hh_l0": {2, 2}} {
		set = append(set, checkpoint.Of(name, tensor.New(shape...)))
	}
	n, err := New(onnx.Layer("RNN", 3, 2, false, true, "Tanh", set))
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]Input{
		"X":                {X: tensor.New(4, 2, 2)},
		"initial_h":        {X: tensor.New(4, 2, 3), H0: tensor.New(1, 1, 2)},
		"sequence_lens: ":  {X: tensor.New(4, 2, 3), Lengths: []int{1}},
		"sequence_lens[1]": {X: tensor.New(4, 2, 3), Lengths: []int{1, 5}},
	} {
		if _, err := n.Run(in); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
