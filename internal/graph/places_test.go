package graph

import (
	"errors"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// Nodes whose meaning hangs on one place have ONNX Runtime's results
// (testdata/places.py).
func TestOnePlace(t *testing.T) {
	ran := 0
	for file, b := range zipped(t, "testdata/places.zip") {
		ran++
		if err := runNode(t, b, file, testkit.Tol{Abs: 1e-6, Rel: 1e-5}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if ran < 10 {
		t.Errorf("%d nodes ran, expected 10 or more", ran)
	}
}

// Where ONNX's page and ONNX Runtime say different things, a node is refused.
func TestTwoMeaningsAreRefused(t *testing.T) {
	refused := func(what string, b *Builder) {
		t.Helper()
		p, err := Compile(b.Graph(), Limits{})
		if err == nil {
			x := must(New(F32, 1, 2, 5))
			err = p.Run([]Value{x}, make([]Value, 1))
		}
		if !errors.Is(err, ErrOperator) {
			t.Errorf("%s: %v", what, err)
		}
	}
	build := func(op string, attrs Attrs, more ...Value) *Builder {
		var b Builder
		in := []string{b.Input("x", F32, Dim{Size: 1}, Dim{Size: 2}, Dim{Size: 5})}
		for _, v := range more {
			in = append(in, b.Constant("", v))
		}
		b.Output("y", F32, b.Op(op, attrs, in...))
		return &b
	}
	refused("a dilated pooling", build("MaxPool", Attrs{"kernel_shape": []int64{2}, "dilations": []int64{2}, "auto_pad": "SAME_LOWER"}))
	refused("strides beyond the kernel", build("ConvTranspose", Attrs{"strides": []int64{3}, "auto_pad": "SAME_UPPER"}, must(New(F32, 2, 1, 1))))
}
