package onnx

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/ref"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// opCase is one file of testdata/operators.
type opCase struct {
	name string
	file *File
	node *Node
	g    *testkit.File
}

func opCases(t *testing.T) []opCase {
	t.Helper()
	paths, err := filepath.Glob("testdata/operators/*.onnx")
	if err != nil || len(paths) < 60 {
		t.Fatalf("found %d operator cases, error %v", len(paths), err)
	}
	var cases []opCase
	for _, p := range paths {
		f, err := Open(p)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Graph.Nodes) != 1 {
			t.Fatalf("%s has %d nodes", p, len(f.Graph.Nodes))
		}
		base := strings.TrimSuffix(p, ".onnx")
		cases = append(cases, opCase{filepath.Base(base), f, &f.Graph.Nodes[0], testkit.Load(t, base+".safetensors")})
	}
	return cases
}

func (c opCase) weights(t *testing.T, i int) []float64 {
	t.Helper()
	if c.node.input(i) == "" {
		return nil
	}
	d, err := checkpoint.Float[float64](c.file, c.node.input(i))
	if err != nil {
		t.Fatal(err)
	}
	return d.Data
}

// input reads an optional input of the case by its name in the graph.
func (c opCase) input(name string) []float64 {
	if name == "" {
		return nil
	}
	return testkit.As[float64](c.g, "in."+name).Data
}

// reference runs the node through internal/ref, in ONNX's own order of gates.
func (c opCase) reference(t *testing.T, r *Recurrent) ref.ONNXOutput {
	t.Helper()
	op := ref.ONNXOp{
		Op: r.Op, Direction: r.Direction, HiddenSize: r.HiddenSize, Clip: float64(r.Clip),
		InputForget: r.InputForget, LinearBeforeReset: r.LinearBeforeReset, BatchFirst: r.BatchFirst,
	}
	if a := c.node.attribute("activations"); a != nil {
		op.Activations = a.Strings
	}
	for name, to := range map[string]*[]float64{"activation_alpha": &op.Alpha, "activation_beta": &op.Beta} {
		if a := c.node.attribute(name); a != nil {
			for _, v := range a.Floats {
				*to = append(*to, float64(v))
			}
		}
	}
	x := c.g.F32("in.X")
	in := ref.ONNXInput{
		T: x.Shape[0], B: x.Shape[1], I: x.Shape[2], X: testkit.As[float64](c.g, "in.X").Data,
		W: c.weights(t, 1), R: c.weights(t, 2), Bias: c.weights(t, 3),
		H0: c.input(r.H0), C0: c.input(r.C0),
	}
	if r.BatchFirst {
		in.T, in.B = in.B, in.T
	}
	if r.Lengths != "" {
		in.Lengths = c.g.Ints("in." + r.Lengths)
	}
	if r.Op == "LSTM" {
		in.P = c.weights(t, 7)
	}
	return ref.RunONNX(op, in)
}

func TestReferenceEqualsONNXRuntimeAndThePublishedTests(t *testing.T) {
	for _, c := range opCases(t) {
		t.Run(c.name, func(t *testing.T) {
			r, err := c.file.Recurrent(c.node)
			if err != nil {
				t.Fatal(err)
			}
			out := c.reference(t, r)
			compared := 0
			for name, got := range map[string][]float64{r.Y: out.Y, r.YH: out.YH, r.YC: out.YC} {
				if name == "" {
					continue
				}
				compared++
				testkit.Close(t, name, got, c.g.F32("out."+name).Data, testkit.Default[float32]())
			}
			if compared == 0 {
				t.Error("no output to compare")
			}
		})
	}
}
