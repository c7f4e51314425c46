package graph

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// Small models as people ship them, written by testdata/models.py with what ONNX
// Runtime makes of them: planned, node by node, and written and read again.
func TestModelsAsShipped(t *testing.T) {
	for file, b := range zipped(t, "testdata/models.zip") {
		t.Run(strings.TrimSuffix(file, ".onnx"), func(t *testing.T) {
			tol := testkit.Tol{Abs: 1e-5, Rel: 1e-4}
			// Where the last bit of a number differs, it may be rounded to the next of
			// 255 steps.
			for _, how := range []string{"_dynamic", "_qdq", "_qoperator"} {
				if strings.Contains(file, how) {
					tol = testkit.Tol{Abs: 5e-3, Rel: 1e-2}
				}
			}
			if err := runNode(t, b, file, tol); err != nil {
				t.Error(err)
			}
		})
	}
}
