package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/graph"
)

// An ONNX file whose graph wants no input runs without INPUT; one that wants some is
// told which.
func TestRunOfAGraphWithoutInputs(t *testing.T) {
	write := func(name string, from func(b *graph.Builder) string) string {
		var b graph.Builder
		b.Output("y", graph.F32, b.Op("Neg", nil, from(&b)))
		path := filepath.Join(t.TempDir(), name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := graph.WriteONNX(f, b.Graph()); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none := write("none.onnx", func(b *graph.Builder) string { return b.Constant("", graph.Vector[float32](1, 2)) })
	if out, _ := command(t, 0, "run", none, "--json"); !strings.Contains(out, `"data":[-1,-2]`) {
		t.Errorf("got %s", out)
	}
	some := write("some.onnx", func(b *graph.Builder) string { return b.Input("x", graph.F32, graph.Dim{Size: 2}) })
	if _, complaint := command(t, 2, "run", some); !strings.Contains(complaint, "no input is given for x") {
		t.Errorf("got %s", complaint)
	}
}
