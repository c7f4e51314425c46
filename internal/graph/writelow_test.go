package graph

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
)

// TestRoundedFileHasTheModelsBits: a graph written with integers, opened again, has in
// int8 the bits of the graph that was written, in float32 those of its rounded weights,
// and a quarter of the bytes.
func TestRoundedFileHasTheModelsBits(t *testing.T) {
	g := lowGraph(t).Graph()
	var full, low bytes.Buffer
	if err := WriteVersion(&full, g, 0); err != nil {
		t.Fatal(err)
	}
	if err := WriteRounded(&low, g, 0, func(*Node, string) unroll.Precision { return unroll.Int8 }); err != nil {
		t.Fatal(err)
	}
	f, err := onnx.Parse(low.Bytes(), "low.onnx")
	if err != nil {
		t.Fatal(err)
	}
	again, err := FromONNX(f)
	if err != nil {
		t.Fatal(err)
	}
	x := drawn(t, rng.New(1), 2, 3, 40)
	want := runProgram(t, lowProgram(t, always(unroll.Int8)), x)
	p, err := CompileIn(again, Limits{}, always(unroll.Int8))
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range runProgram(t, p, x) {
		testkit.Bits(t, fmt.Sprint("output ", i), got, want[i])
	}
	old := Builder{Opset: 11}
	in := old.Input("x", F32, Dim{Size: 1}, Dim{Size: 4})
	old.Output("y", F32, old.Op("MatMul", nil, in, old.Constant("w", drawn(t, rng.New(1), 4, 8))))
	if err := WriteRounded(&low, old.Graph(), 0, func(*Node, string) unroll.Precision { return unroll.Int8 }); err == nil || !strings.Contains(err.Error(), "13") {
		t.Errorf("opset 11: %v", err)
	}
	for _, l := range Summarize(again).Layers {
		if l.Err != nil {
			t.Errorf("%s: %v", l.Name, l.Err)
		}
	}
}
