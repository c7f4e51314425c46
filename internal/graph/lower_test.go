package graph

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/testkit/python"
	"github.com/unroll-ml/unroll/rng"
)

// stacked draws graphs around a layer: with states, with lengths, with a mask.
func stacked(t *testing.T, cfg unroll.Config, with string) *Graph {
	t.Helper()
	l, err := unroll.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l.ResetParameters(rng.New(5))
	T, B := Dim{Size: -1, Name: "T"}, Dim{Size: -1, Name: "B"}
	outer := []Dim{T, B}
	if cfg.BatchFirst {
		outer = []Dim{B, T}
	}
	b := &Builder{}
	x := b.Input("x", F32, append(outer[:2:2], Dim{Size: cfg.InputSize})...)
	var h0, c0, lengths, mask string
	switch with {
	case "states":
		h0 = b.Input("h0", F32, Dim{Size: cfg.Layers() * cfg.Directions()}, B, Dim{Size: cfg.StateSize()})
		if cfg.HasCell() {
			c0 = b.Input("c0", F32, Dim{Size: cfg.Layers() * cfg.Directions()}, B, Dim{Size: cfg.HiddenSize})
		}
	case "lengths":
		lengths = b.Input("lengths", I64, B)
	case "mask":
		mask = b.Input("mask", Bool, outer...)
	}
	y, hn, cn := b.Layer(l, x, h0, c0, lengths, mask)
	b.Output("y", F32, y)
	b.Output("hn", F32, hn)
	if cn != "" {
		b.Output("cn", F32, cn)
	}
	return b.Graph()
}

// layerGraphs are graphs around layers of every kind.
func layerGraphs(t *testing.T) map[string]*Graph {
	t.Helper()
	all := map[string]*Graph{}
	for _, cfg := range []unroll.Config{
		{Mode: unroll.RNNReLU, InputSize: 3, HiddenSize: 4, NumLayers: 2},
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, Bidirectional: true, BatchFirst: true},
		{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 5, NumLayers: 3},
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, Variant: unroll.Variant{Peepholes: true, Clip: 0.5}},
		{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NumLayers: 2, Bidirectional: true, NoBias: true},
		{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, Variant: unroll.Variant{Reverse: true, ResetBefore: true}},
	} {
		for _, with := range []string{"", "states", "lengths", "mask"} {
			all[fmt.Sprint(cfg, " ", with)] = stacked(t, cfg, with)
		}
	}
	return all
}

// given draws inputs of 4 steps of 3 sequences, with short ones and holes.
func given(t *testing.T, g *Graph) []Value {
	t.Helper()
	var in []Value
	r := rng.New(9)
	for _, p := range g.Inputs {
		shape := make([]int, len(p.Shape))
		for i, d := range p.Shape {
			shape[i] = max(d.Size, map[string]int{"T": 4, "B": 3}[d.Name])
		}
		switch {
		case p.Type == I64:
			in = append(in, Vector[int64](4, 1, 3))
		case p.Type == Bool:
			v, err := Of([]bool{false, true, true, true, true, false, true, true, true, false, false, true}, shape...)
			if err != nil {
				t.Fatal(err)
			}
			in = append(in, v)
		default:
			in = append(in, drawn(t, r, shape...))
		}
	}
	return in
}

func outputsOf(t *testing.T, g *Graph, in []Value) []Value {
	t.Helper()
	p, err := Compile(g, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]Value, len(g.Outputs))
	if err := p.Run(in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A layer written as ONNX's operators and read again gives the same bits, whatever
// stands around it and in every version that is written.
func TestLoweredLayersGiveTheSameBits(t *testing.T) {
	for name, g := range layerGraphs(t) {
		in := given(t, g)
		want := outputsOf(t, g, in)
		for _, version := range []int64{0, 7, 9, 10, 13, 17, 22} {
			var b bytes.Buffer
			err := WriteVersion(&b, g, version)
			if version > 0 && version < maskOpset && strings.HasSuffix(name, "mask") {
				if !errors.Is(err, ErrOperator) || !strings.Contains(err.Error(), "a mask of steps") {
					t.Errorf("%s in version %d: got %v", name, version, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s in version %d: %v", name, version, err)
			}
			f, err := onnx.Parse(b.Bytes(), "x.onnx")
			if err != nil {
				t.Fatal(err)
			}
			back, err := FromONNX(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range back.Nodes {
				if n.Domain != "" {
					t.Errorf("%s: %s is left", name, &n)
				}
			}
			for i, got := range outputsOf(t, back, in) {
				if got.String() != want[i].String() || string(got.bytes()) != string(want[i].bytes()) {
					t.Errorf("%s in version %d: output %d differs", name, version, i)
				}
			}
		}
	}
}

// Outputs that say nothing of their shape get it in a file.
func TestWrittenOutputsHaveShapes(t *testing.T) {
	g := withShapes(stacked(t, unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, BatchFirst: true}, "states"))
	var got []string
	for _, p := range g.Outputs {
		got = append(got, fmt.Sprint(p.Name, " ", p.Type, " ", p.Shape))
	}
	if want := []string{"y float32 [B T 4]", "hn float32 [1 B 4]", "cn float32 [1 B 4]"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// What ONNX has no operator for is refused by the node's name.
func TestLayersThatONNXLacks(t *testing.T) {
	g := stacked(t, unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, ProjSize: 2}, "")
	if err := WriteONNX(&bytes.Buffer{}, g); !errors.Is(err, ErrOperator) || !strings.Contains(err.Error(), "no projection (proj_size 2)") {
		t.Errorf("got %v", err)
	}
	b := &Builder{}
	b.Output("y", F32, b.Op("GlobalMaxPool", nil, b.Input("x", F32, Dim{Size: -1}, Dim{Size: 2}, Dim{Size: -1})))
	if err := WriteVersion(&bytes.Buffer{}, b.Graph(), 9); !errors.Is(err, ErrOperator) || !strings.Contains(err.Error(), "GlobalMaxPool") {
		t.Errorf("got %v", err)
	}
	if err := WriteVersion(&bytes.Buffer{}, b.Graph(), 3); err == nil || !strings.Contains(err.Error(), "opset 3, expected 7 to 22") {
		t.Errorf("got %v", err)
	}
}

// ONNX's checker takes layers as they are written, and ONNX Runtime computes the
// same of them.
func TestLiveLoweredLayers(t *testing.T) {
	interpreter := python.With("onnx", "onnxruntime", "numpy")
	if interpreter == "" || testing.Short() {
		t.Skip("no Python with onnx and onnxruntime, or -short")
	}
	const script = `
import sys, numpy, onnx, onnxruntime
for path in sys.argv[1:]:
    m = onnx.load(path)
    onnx.checker.check_model(m, full_check=True)
    c = {i.name: onnx.numpy_helper.to_array(i) for i in m.graph.initializer}
    s = onnxruntime.InferenceSession(path)
    y = s.run(None, {i.name: c["in." + i.name] for i in s.get_inputs()})
    for name, got in zip([o.name for o in s.get_outputs()], y):
        numpy.testing.assert_allclose(got, c["out." + name], rtol=1e-4, atol=1e-5, err_msg=path + " " + name)
print(len(sys.argv) - 1)
`
	dir := t.TempDir()
	args := []string{"-c", script}
	for name, g := range layerGraphs(t) {
		in := given(t, g)
		want := outputsOf(t, g, in)
		keep := func(name string, v Value) { // for the script
			g.Constants = append(g.Constants, Constant{Name: name, Type: v.Type, Shape: v.Shape, Value: v})
			g.Nodes = append(g.Nodes, Node{Op: "Identity", Inputs: []string{name}, Outputs: []string{"kept." + name}})
		}
		for i, p := range g.Inputs {
			keep("in."+p.Name, in[i])
		}
		for i, p := range g.Outputs {
			keep("out."+p.Name, want[i])
		}
		for _, version := range []int64{0, 7, 11, 17} {
			if version > 0 && version < maskOpset && strings.HasSuffix(name, "mask") {
				continue
			}
			var b bytes.Buffer
			if err := WriteVersion(&b, g, version); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, fmt.Sprintf("%d.onnx", len(args)))
			if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, path)
		}
	}
	if out, err := exec.Command(interpreter, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
