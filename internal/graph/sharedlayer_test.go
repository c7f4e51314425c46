package graph

import (
	"bytes"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
)

// The layers that a program names are those that it runs: a file's weights are read
// once, whichever is asked for first.
func TestNamedLayersAreThoseThatRun(t *testing.T) {
	defer func(n int64) { minSpent = n }(minSpent)
	minSpent = 0
	g := stacked(t, unroll.Config{Mode: unroll.GRU, InputSize: 5, HiddenSize: 7, NumLayers: 2}, "")
	var b bytes.Buffer
	if err := WriteVersion(&b, g, 17); err != nil {
		t.Fatal(err)
	}
	in := []Value{drawn(t, rng.New(2), 3, 2, 5)}
	want := outputsOf(t, g, in)
	for _, first := range []string{"named", "run"} {
		p, lazy, read := counting(t, b.Bytes())
		var layers []NamedLayer
		for _, step := range map[string][]string{"named": {"named", "run", "named"}, "run": {"run", "named"}}[first] {
			if step == "run" {
				out := make([]Value, len(lazy.Outputs))
				if err := p.Run(in, out); err != nil {
					t.Fatal(err)
				}
				for i := range out {
					if !bytes.Equal(out[i].bytes(), want[i].bytes()) {
						t.Errorf("%s first: output %d differs", first, i)
					}
				}
				continue
			}
			again, err := p.Layers()
			if err != nil || len(again) != 2 || layers != nil && (again[0].Layer != layers[0].Layer || again[1].Layer != layers[1].Layer) {
				t.Fatalf("%s first: %v, %v", first, again, err)
			}
			layers = again
		}
		if len(p.spent) < 4 { // W and R of both
			t.Errorf("%s first: %d constants were given up", first, len(p.spent))
		}
		for name, n := range read {
			if n != 1 {
				t.Errorf("%s first: %s was read %d times", first, name, n)
			}
		}
	}
}
