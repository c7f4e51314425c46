package graph

import (
	"archive/zip"
	"errors"
	"io"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// Nodes whose meaning hangs on one place have ONNX Runtime's results
// (testdata/places.py).
func TestOnePlace(t *testing.T) {
	z, err := zip.OpenReader("testdata/places.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if len(z.File) < 10 {
		t.Fatal(len(z.File))
	}
	for _, entry := range z.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := runNode(t, b, entry.Name, testkit.Tol{Abs: 1e-6, Rel: 1e-5}); err != nil {
			t.Errorf("%s: %v", entry.Name, err)
		}
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
