package graph

import (
	"archive/zip"
	"io"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// Small models as people ship them, written by testdata/models.py with what ONNX
// Runtime makes of them: planned, node by node, and written and read again.
func TestModelsAsShipped(t *testing.T) {
	z, err := zip.OpenReader("testdata/models.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, entry := range z.File {
		t.Run(strings.TrimSuffix(entry.Name, ".onnx"), func(t *testing.T) {
			r, err := entry.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			tol := testkit.Tol{Abs: 1e-5, Rel: 1e-4}
			// Where the last bit of a number differs, it may be rounded to the next of
			// 255 steps.
			for _, how := range []string{"_dynamic", "_qdq", "_qoperator"} {
				if strings.Contains(entry.Name, how) {
					tol = testkit.Tol{Abs: 5e-3, Rel: 1e-2}
				}
			}
			if err := runNode(t, b, entry.Name, tol); err != nil {
				t.Error(err)
			}
		})
	}
}
