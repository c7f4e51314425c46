package graph

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// Operators that models have around their layers, and forms of graphs, written by
// testdata/more.py with what ONNX Runtime makes of them.
func TestMoreOperators(t *testing.T) {
	graphs := 0
	for file, b := range zipped(t, "testdata/more.zip") {
		graphs++
		t.Run(strings.TrimSuffix(file, ".onnx"), func(t *testing.T) {
			tol := testkit.Tol{Abs: 1e-6, Rel: 1e-5}
			if strings.HasPrefix(file, "grid") { // a place's last bit is many of a weight's
				tol.Abs = 1e-5
			}
			if err := runNode(t, b, file, tol); err != nil {
				t.Error(err)
			}
		})
	}
	if graphs < 100 {
		t.Errorf("%d graphs", graphs)
	}
}

// An optional value that is absent has no element, and taking it is an error.
func TestAbsentOptional(t *testing.T) {
	empty := Node{Op: "Optional", Outputs: []string{"o"}, Attrs: Attrs{"type": nil}}
	for op, want := range map[string]string{"OptionalHasElement": "", "OptionalGetElement": "absent"} {
		g := &Graph{Opsets: map[string]int64{"": 18}, Outputs: []Port{{Name: "y"}}, Nodes: []Node{empty, {Op: op, Inputs: []string{"o"}, Outputs: []string{"y"}}}}
		p, err := Compile(g, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		out := make([]Value, 1)
		switch err := p.Run(nil, out); {
		case want == "" && (err != nil || data[bool](&out[0])[0]):
			t.Errorf("%s: got %v, %v; want false", op, out[0], err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want an error with %q", op, err, want)
		}
	}
}
