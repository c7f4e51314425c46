package graph

import (
	"bytes"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/rng"
)

// counting compiles a file's graph and counts how often each constant is read.
func counting(t *testing.T, file []byte) (*Program, *Graph, map[string]int) {
	t.Helper()
	f, err := onnx.Parse(file, "x.onnx")
	if err != nil {
		t.Fatal(err)
	}
	lazy, err := FromONNX(f)
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]int{}
	for i := range lazy.Constants {
		c := &lazy.Constants[i]
		load := c.Load
		c.Load = func() (Value, error) {
			read[c.Name]++
			return load()
		}
	}
	p, err := Compile(lazy, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return p, lazy, read
}

// The weights of a recurrent node are given up once its layer has them: another plan
// reads nothing, results stay the same, and what shows or hashes constants reads them
// again.
func TestWeightsAreGivenUpToTheirLayer(t *testing.T) {
	defer func(n int64) { minSpent = n }(minSpent)
	minSpent = 0
	g := stacked(t, unroll.Config{Mode: unroll.LSTM, InputSize: 5, HiddenSize: 7, NumLayers: 2}, "")
	var b bytes.Buffer
	if err := WriteVersion(&b, g, 17); err != nil {
		t.Fatal(err)
	}
	p, lazy, read := counting(t, b.Bytes())
	hash := func() string {
		var text bytes.Buffer
		if err := p.Describe(&text); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	before := hash()
	r := rng.New(2)
	for _, steps := range []int{3, 4, 3, 9} {
		in := []Value{drawn(t, r, steps, 2, 5)}
		want := outputsOf(t, g, in)
		out := make([]Value, len(lazy.Outputs))
		if err := p.Run(in, out); err != nil {
			t.Fatal(err)
		}
		for i := range out {
			if !bytes.Equal(out[i].bytes(), want[i].bytes()) {
				t.Fatalf("T=%d: output %d differs", steps, i)
			}
		}
	}
	if len(p.spent) < 4 { // W and R of both
		t.Errorf("%d constants were given up", len(p.spent))
	}
	for c := range p.spent {
		if p.loaded[c] != nil || read[c.Name] != 1 {
			t.Errorf("%s: read %d times, in memory: %v", c.Name, read[c.Name], p.loaded[c] != nil)
		}
	}
	if hash() != before {
		t.Error("the program is described in another way")
	}
	seen := 0
	if _, err := p.Watch([]Value{drawn(t, r, 3, 2, 5)}, func(s Seen) error {
		for _, v := range s.Inputs {
			if v.isSpent() {
				t.Errorf("%s shows a value without numbers", s.Node)
			}
		}
		seen++
		return nil
	}); err != nil || seen == 0 {
		t.Errorf("%d nodes were shown, %v", seen, err)
	}
}
