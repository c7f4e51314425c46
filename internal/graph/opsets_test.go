package graph

import (
	"archive/zip"
	"fmt"
	"io"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// Operators in every form that versions 7 to 23 give them, in each of these versions,
// have ONNX Runtime's numbers; testdata/opsets.py wrote them.
func TestOpsets(t *testing.T) {
	z, err := zip.OpenReader("testdata/opsets.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	ran := map[int64]int{}
	for _, entry := range z.File {
		var first, last int64
		if n, err := fmt.Sscanf(entry.Name, "%d-%d_", &first, &last); n != 2 || err != nil {
			t.Fatal(entry.Name, err)
		}
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		f, err := onnx.Parse(b, entry.Name)
		if err != nil {
			t.Fatal(err)
		}
		for v := first; v <= last; v++ {
			g, err := FromONNX(f)
			if err != nil {
				t.Errorf("%s: %v", entry.Name, err)
				break
			}
			g.Opsets = map[string]int64{"": v}
			if err := runCase(t, f, g, entry.Name, testkit.Tol{Abs: 1e-6, Rel: 1e-4}); err != nil {
				t.Errorf("%s in version %d: %v", entry.Name, v, err)
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
