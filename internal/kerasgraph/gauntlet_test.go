package kerasgraph

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/hdf5"
	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// tolerance is that of float32 sums in another order, as for ONNX files.
var tolerance = testkit.Tol{Abs: 1e-5, Rel: 1e-4}

// compile makes a program of a model.
func compile(m *keras.Model) (*graph.Program, error) {
	g, _, err := Build(m, Options{})
	if err != nil {
		return nil, err
	}
	return graph.Compile(g, graph.Limits{})
}

// config is the settings in a .keras archive.
func config(t testing.TB, path string) []byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open("config.json")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// given turns a recorded array into an input of the program's type.
func given(t testing.TB, x checkpoint.Tensor, want graph.Type) graph.Value {
	t.Helper()
	d, err := checkpoint.FloatOf[float64](x)
	if err != nil {
		t.Fatal(err)
	}
	v, err := graph.New(want, x.Shape...)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range d.Data {
		switch want {
		case graph.F32:
			graph.Data[float32](v)[i] = float32(e)
		case graph.I32:
			graph.Data[int32](v)[i] = int32(e)
		case graph.I64:
			graph.Data[int64](v)[i] = int64(e)
		default:
			t.Fatalf("an input of %s", want)
		}
	}
	return v
}

// runs runs a program on recorded arrays in0, in1, ... and compares its outputs
// with out0, out1, ...; it returns the largest difference.
func runs(t testing.TB, p *graph.Program, numbers array.Source, prefix string) (worst float64, err error) {
	t.Helper()
	g := p.Graph()
	in, out := make([]graph.Value, len(g.Inputs)), make([]graph.Value, len(g.Outputs))
	for i := range in {
		x, err := numbers.Tensor(fmt.Sprintf("%sin%d", prefix, i))
		if err != nil {
			return 0, err
		}
		in[i] = given(t, x, g.Inputs[i].Type)
	}
	for range 2 { // the second run is by the plan of the first
		if err := p.Run(in, out); err != nil {
			return 0, err
		}
	}
	for i, got := range out {
		want, err := numbers.Tensor(fmt.Sprintf("%sout%d", prefix, i))
		if err != nil {
			return 0, err
		}
		d, err := checkpoint.FloatOf[float32](want)
		if err != nil {
			return 0, err
		}
		if got.Type != graph.F32 || !slices.Equal(got.Shape, d.Shape) {
			return 0, fmt.Errorf("output %d is %s, Keras gives %v", i, got, d.Shape)
		}
		y := graph.Data[float32](got)
		for k := range y {
			worst = max(worst, float64(max(y[k]-d.Data[k], d.Data[k]-y[k])))
		}
		if err := testkit.Near(y, d.Data, tolerance); err != nil {
			return worst, fmt.Errorf("output %d: %w", i, err)
		}
	}
	if numbers, _ := numbers.Info(fmt.Sprintf("%sout%d", prefix, len(out))); numbers.Name != "" {
		return 0, fmt.Errorf("Keras has more than %d outputs", len(out))
	}
	return worst, nil
}

// TestGauntlet runs networks as people save them, in three forms each, against
// what Keras computed. They are not part of the project: $UNROLL_GAUNTLET names
// the folder, and $UNROLL_GAUNTLET_FILES more files, separated by colons, with
// NAME.io.npz beside each.
func TestGauntlet(t *testing.T) {
	root := os.Getenv("UNROLL_GAUNTLET")
	if root == "" {
		t.Skip("UNROLL_GAUNTLET names no folder of models")
	}
	files, err := filepath.Glob(filepath.Join(root, "*", "*.keras"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files of Keras in %s: %v", root, err)
	}
	for _, path := range strings.Split(os.Getenv("UNROLL_GAUNTLET_FILES"), ":") {
		if base, ok := strings.CutSuffix(path, ".h5"); ok {
			files = append(files, base+".keras")
		}
	}
	for _, path := range files {
		base := strings.TrimSuffix(path, ".keras")
		for _, form := range []string{".keras", ".h5", ".weights.h5"} {
			if _, err := os.Stat(base + form); err != nil {
				continue
			}
			t.Run(filepath.Base(base)+form, func(t *testing.T) {
				io := base + ".io.npz"
				if _, err := os.Stat(path + ".io.npz"); err == nil {
					io = path + ".io.npz"
				}
				numbers, err := array.Open(io, array.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer numbers.Close()
				m := open(t, base, form)
				defer m.Close()
				p, err := compile(m)
				if err != nil {
					t.Fatal(err)
				}
				worst, err := runs(t, p, numbers, "")
				if err != nil {
					t.Error(err)
				}
				t.Logf("largest difference %.2g", worst)
			})
		}
	}
}

// open opens a model in one of three forms; weights alone with the settings of
// the archive beside them.
func open(t testing.TB, base, form string) *keras.Model {
	t.Helper()
	if form != ".weights.h5" {
		m, err := keras.Open(base + form)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	h, err := hdf5.Open(base + form)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	m, err := keras.Assemble(config(t, base+".keras"), base+".keras", h)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
