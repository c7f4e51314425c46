package graph

import (
	"archive/zip"
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/python"
	"github.com/unroll-ml/unroll/rng"
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

// What WriteONNX writes passes ONNX's checker, and ONNX Runtime computes the same
// of it.
func TestLiveWrittenFiles(t *testing.T) {
	interpreter := python.With("onnx", "onnxruntime", "numpy")
	if interpreter == "" {
		t.Skip("no Python with onnx and onnxruntime")
	}
	var b Builder
	network(t, &b)
	x := drawn(t, rng.New(7), 2, 3, 25)
	b.Op("Identity", nil, b.Constant("in.0", x)) // for the script
	p := compiled(t, &b, Limits{})
	var file bytes.Buffer
	if err := WriteONNX(&file, p.Graph()); err != nil {
		t.Fatal(err)
	}
	model, numbers := filepath.Join(t.TempDir(), "model.onnx"), filepath.Join(t.TempDir(), "out.npz")
	if err := os.WriteFile(model, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	script := `
import sys, numpy, onnx, onnxruntime
m = onnx.load(sys.argv[1])
onnx.checker.check_model(m, full_check=True)
x, = (onnx.numpy_helper.to_array(i) for i in m.graph.initializer if i.name == "in.0")
y = onnxruntime.InferenceSession(sys.argv[1]).run(None, {"x": x})
numpy.savez(sys.argv[2], **{"out%d" % i: v for i, v in enumerate(y)})
`
	if out, err := exec.Command(interpreter, "-c", script, model, numbers).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	src, err := array.Open(numbers, array.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	out := make([]Value, 2)
	if err := p.Run([]Value{x}, out); err != nil {
		t.Fatal(err)
	}
	for i, port := range p.graph.Outputs {
		want, err := recordedValue(src, "out", i, port)
		if err != nil || want.IsZero() {
			t.Fatal(err)
		}
		if _, err := difference(out[i], want); err != nil {
			t.Errorf("output %q: %v", port.Name, err)
		}
	}
}
