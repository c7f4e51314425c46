//go:build !js

package main

import (
	"bytes"
	"testing"

	"github.com/unroll-ml/unroll/internal/explain"
)

// Where the layers alone are shown, nothing after the last of them runs; what is shown of
// them is the same.
func TestExplainRunsNothingAfterTheLastLayer(t *testing.T) {
	weights, input, line, _ := chained(t)
	watch := func(narrow bool) *wholeRun {
		s := explainSource{run: runOptions{chain: line, precision: "float32"}, batchFirst: true, step: -1, narrow: narrow}
		_, in, err := s.trace(newExplainCmd(), []string{weights, input})
		if err != nil {
			t.Fatal(err)
		}
		return in.whole
	}
	all, some := watch(false), watch(true)
	if len(all.parts) != 2 || len(some.parts) != 2 {
		t.Fatalf("%d layers, and %d where the layers alone are shown; the model has 2", len(all.parts), len(some.parts))
	}
	n := len(some.boxes)
	if last := some.boxes[n-1]; last.Part != 2 || n >= len(all.boxes) || all.boxes[n-1].Name != last.Name {
		t.Errorf("%d boxes of %d, the last of them %+v", n, len(all.boxes), last)
	}
	for i := range all.parts {
		var texts [2]bytes.Buffer
		for k, w := range []*wholeRun{all, some} {
			if err := w.parts[i].Trace.Text(&texts[k], explain.TextOptions{Step: 3, Layer: -1, Unit: -1}); err != nil {
				t.Fatal(err)
			}
		}
		if texts[0].String() != texts[1].String() {
			t.Errorf("%s is shown as %q, want %q", all.parts[i].Name, &texts[1], &texts[0])
		}
	}
}
