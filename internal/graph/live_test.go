package graph

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
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
	ran := 0
	for file, b := range zipped(t, path) {
		ran++
		// Sums of 40 products of at most 4 round by up to 1e-5 in either order.
		if err := runNode(t, b, file, testkit.Tol{Abs: 1e-5 + normRounding(t, b), Rel: 1e-4}); err != nil {
			t.Errorf("seed %d, %s: %v", seed, file, err)
		}
	}
	t.Logf("seed %d: %d models", seed, ran)
}

// normRounding bounds what rounding does to a normalisation of lines: the mean and a
// difference from it each round by u = 2^-24 of the largest |x|, in both engines, and
// the line's inverse deviation and the scale, at most 2, multiply that; what it does to
// the deviation itself is as much again. Zero for other operators.
func normRounding(t *testing.T, b []byte) float64 {
	t.Helper()
	f, err := onnx.Parse(b, "drawn")
	if err != nil {
		t.Fatal(err)
	}
	first, eps := 2, 1e-5
	switch n := &f.Graph.Nodes[0]; n.Op {
	case "LayerNormalization":
		for _, a := range n.Attributes {
			if a.Name == "axis" {
				first = int(a.I)
			}
		}
	case "InstanceNormalization":
	default:
		return 0
	}
	tensor, err := f.Tensor("in.0")
	if err != nil {
		t.Fatal(err)
	}
	v, err := fromTensor(tensor)
	if err != nil {
		t.Fatal(err)
	}
	x, n := Data[float32](v), product(v.Shape[first:])
	largest, inverse := 0.0, 0.0
	for at := 0; at < len(x); at += n {
		mean, variance := 0.0, 0.0
		for _, e := range x[at : at+n] {
			mean += float64(e) / float64(n)
			largest = max(largest, math.Abs(float64(e)))
		}
		for _, e := range x[at : at+n] {
			variance += (float64(e) - mean) * (float64(e) - mean) / float64(n)
		}
		inverse = max(inverse, 1/math.Sqrt(variance+eps))
	}
	return 2 * 2 * 2 * 2 * largest * inverse / (1 << 24)
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

// A graph that rounds to halves is written so that every value has one type: ONNX's
// checker and ONNX Runtime take it, and it rounds where it does here.
func TestLiveWrittenHalves(t *testing.T) {
	var b Builder
	x := b.Input("x", F32, Dim{Size: 4})
	half := b.Op("Cast", Attrs{"to": int64(10)}, b.Op("Mul", nil, x, b.Constant("", Scalar(float32(0.1)))))
	b.Output("y", F32, b.Op("Add", nil, half, b.Constant("", Scalar(float32(1)))), Dim{Size: 4})
	b.Output("z", F32, b.Op("Mul", nil, b.Op("Cast", Attrs{"to": int64(16)}, x), half), Dim{Size: 4})
	p := compiled(t, &b, Limits{})
	v := Vector(float32(0.3), -1.7, 1e-6, 70000)
	want := make([]Value, 2)
	if err := p.Run([]Value{v}, want); err != nil {
		t.Fatal(err)
	}
	again, err := rewritten(p.Graph())
	if err != nil {
		t.Fatal(err)
	}
	got := make([]Value, 2)
	if err := again.Run([]Value{v}, got); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if string(got[i].bytes()) != string(want[i].bytes()) {
			t.Errorf("output %d is %v, want %v", i, Data[float32](got[i]), Data[float32](want[i]))
		}
	}
	interpreter := python.With("onnx", "onnxruntime", "numpy")
	if interpreter == "" {
		t.Skip("no Python with onnx and onnxruntime")
	}
	var file bytes.Buffer
	if err := WriteONNX(&file, p.Graph()); err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(t.TempDir(), "halves.onnx")
	if err := os.WriteFile(model, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	script := `
import sys, numpy, onnx, onnxruntime
onnx.checker.check_model(sys.argv[1], full_check=True)
y = onnxruntime.InferenceSession(sys.argv[1]).run(None, {"x": numpy.array([0.3, -1.7, 1e-6, 70000], numpy.float32)})
print(" ".join(str(int(v)) for v in numpy.concatenate(y).view(numpy.int32)))
`
	out, err := exec.Command(interpreter, "-c", script, model).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var bits []string
	for _, o := range want {
		for _, f := range rawData[uint32](&o) {
			bits = append(bits, strconv.Itoa(int(int32(f))))
		}
	}
	if given := strings.TrimSpace(string(out)); given != strings.Join(bits, " ") {
		t.Errorf("ONNX Runtime gives the bits %s, expected %v", given, bits)
	}
}
