package graph

import (
	"fmt"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// Operators in every form that versions 7 to 23 give them, in each of these versions,
// have ONNX Runtime's numbers; testdata/opsets.py wrote them.
func TestOpsets(t *testing.T) {
	ran := map[int64]int{}
	for file, b := range zipped(t, "testdata/opsets.zip") {
		var first, last int64
		if n, err := fmt.Sscanf(file, "%d-%d_", &first, &last); n != 2 || err != nil {
			t.Fatal(file, err)
		}
		f, err := onnx.Parse(b, file)
		if err != nil {
			t.Fatal(err)
		}
		for v := first; v <= last; v++ {
			g, err := FromONNX(f)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				break
			}
			g.Opsets = map[string]int64{"": v}
			if err := runCase(t, f, g, file, testkit.Tol{Abs: 1e-6, Rel: 1e-4}); err != nil {
				t.Errorf("%s in version %d: %v", file, v, err)
				break
			}
			ran[v]++
		}
	}
	for v := int64(7); v <= 23; v++ {
		if ran[v] < 90 {
			t.Errorf("version %d: %d operators ran", v, ran[v])
		}
	}
	t.Log(ran)
}
