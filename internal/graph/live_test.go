package graph

import (
	"archive/zip"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/python"
)

// Single operators with drawn attributes and shapes give ONNX Runtime's numbers,
// where it is installed; each run draws others.
func TestLiveAgainstONNXRuntime(t *testing.T) {
	interpreter := python.With("onnx", "onnxruntime", "numpy")
	if interpreter == "" {
		t.Skip("no Python with onnx and onnxruntime")
	}
	count := 400
	if testing.Short() {
		count = 40
	}
	seed := rand.IntN(1 << 30)
	path := filepath.Join(t.TempDir(), "nodes.zip")
	if b, err := exec.Command(interpreter, "testdata/random_nodes.py", strconv.Itoa(seed), strconv.Itoa(count), path).CombinedOutput(); err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, b)
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, entry := range z.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		// Sums of 40 products of at most 4 round by up to 1e-5 in either order.
		if err := runNode(t, b, entry.Name, testkit.Tol{Abs: 1e-5, Rel: 1e-4}); err != nil {
			t.Errorf("seed %d, %s: %v", seed, entry.Name, err)
		}
	}
	t.Logf("seed %d: %d models", seed, len(z.File))
}
