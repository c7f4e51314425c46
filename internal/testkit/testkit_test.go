package testkit

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var nan, inf = math.NaN(), math.Inf(1)

// TestNear: the comparison itself must tell right from wrong, or no other
// test means anything.
func TestNear(t *testing.T) {
	tol := Tol{Abs: 0.1, Rel: 0.01}
	for _, c := range []struct {
		got, want float64
		ok        bool
	}{
		{1, 1, true},
		{100, 101.1, true},
		{100, 101.2, false},
		{0, 0.1, true},
		{0, 0.11, false},
		{0, math.Copysign(0, -1), true},
		{nan, nan, true},
		{nan, 1, false},
		{1, nan, false},
		{inf, inf, true},
		{inf, -inf, false},
		{inf, 1, false},
		{1, inf, false},
		{math.MaxFloat64, inf, false},
	} {
		if err := Near([]float64{c.got}, []float64{c.want}, tol); (err == nil) != c.ok {
			t.Errorf("got %v, want %v: %v", c.got, c.want, err)
		}
	}
	if Near([]float64{1}, []float64{1, 2}, tol) == nil {
		t.Error("another length passed")
	}
	if Near([]float32{1}, []float64{1 + 1e-12}, Tol{}) == nil {
		t.Error("a tolerance of zero allows a difference")
	}
	err := Near([]float64{1, 2, 3, 4}, []float64{1, 3, 5, 4.01}, tol)
	want := "2 of 4 elements differ; worst at 2: got 3, want 5, difference 2, allowed 0.15"
	if err == nil || err.Error() != want {
		t.Errorf("message\n%v\nwant\n%s", err, want)
	}
}

func TestSameBits(t *testing.T) {
	quiet, payload := math.Float32frombits(0x7fc00000), math.Float32frombits(0x7fc00001)
	zero := float32(0)
	for _, c := range []struct {
		got, want float32
		ok        bool
	}{
		{1, 1, true},
		{quiet, quiet, true},
		{quiet, payload, false},
		{zero, -1 / float32(inf), false},
		{1, math.Nextafter32(1, 2), false},
	} {
		if err := SameBits([]float32{c.got}, []float32{c.want}); (err == nil) != c.ok {
			t.Errorf("got %v, want %v: %v", c.got, c.want, err)
		}
	}
	err := SameBits([]float64{1, 2, 2}, []float64{1, 3, 4})
	if err == nil || err.Error() != "2 of 3 elements differ in bits; first at 1: got 2 (0x4000000000000000), want 3 (0x4008000000000000)" {
		t.Errorf("message: %v", err)
	}
	if SameBits([]float64{1}, nil) == nil {
		t.Error("another length passed")
	}
}

func TestGradient(t *testing.T) {
	x := []float64{0.3, -2, 1000}
	loss := func() float64 { return math.Sin(x[0]) + x[1]*x[1]*x[1] + x[0]*x[2]/1000 }
	grad := func() []float64 { return []float64{math.Cos(x[0]) + x[2]/1000, 3 * x[1] * x[1], x[0] / 1000} }
	if err := GradientError(loss, x, grad()); err != nil {
		t.Errorf("a right gradient: %v", err)
	}
	if x[0] != 0.3 || x[1] != -2 || x[2] != 1000 {
		t.Errorf("values were not restored: %v", x)
	}
	for i := range x {
		g := grad()
		g[i] += 3e-5
		if GradientError(loss, x, g) == nil {
			t.Errorf("element %d is wrong by 3e-5 and passed", i)
		}
	}
}

func TestGuard(t *testing.T) {
	for _, n := range []int{0, 1, 7, 100} {
		for skew := range 5 {
			g := NewGuard[float32](n, skew)
			for i := range g.Data {
				g.Data[i] = float32(i)
			}
			if err := g.Touched(); err != nil {
				t.Errorf("n %d skew %d: %v", n, skew, err)
			}
			size := 4
			for _, at := range []int{g.lo - 1, g.lo - size, g.lo - guardBytes, g.lo + n*size, g.lo + n*size + guardBytes - 1} {
				g.bytes[at] = 0
				if g.Touched() == nil {
					t.Errorf("n %d skew %d: a write at byte %d was not seen, Data begins at %d", n, skew, at, g.lo)
				}
				g.bytes[at] = 0xff
			}
			if len(g.Data) != n || cap(g.Data) != n {
				t.Errorf("n %d: length %d, capacity %d", n, len(g.Data), cap(g.Data))
			}
		}
	}
	g := GuardOf([]float64{1, 2}, 1)
	g.bytes[g.lo-9] = 0
	if err := g.Touched(); err == nil || !strings.Contains(err.Error(), "2 elements before") {
		t.Errorf("nine bytes before: %v", err)
	}
	h := GuardOf([]int8{1, 2}, 3)
	h.bytes[h.lo+2] = 0
	if err := h.Touched(); err == nil || !strings.Contains(err.Error(), "1 elements after") {
		t.Errorf("one byte after: %v", err)
	}
}

// TestEveryGoldenLayerIsListed: no file lies in testdata that no test reads,
// and the index and the files agree.
func TestEveryGoldenLayerIsListed(t *testing.T) {
	listed := map[string]bool{}
	for _, c := range Cases(t) {
		listed[filepath.Base(c.File)] = true
		g := Golden(t, c.File)
		file := c.File
		got := g.Config
		c.File, got.F32Error = "", nil
		if !reflect.DeepEqual(got, c) {
			t.Errorf("%s: index and file differ:\n%+v\n%+v", file, c, got)
		}
		if g.DType == "float32" && len(g.F32Error) == 0 {
			t.Errorf("%s: no f32_error", file)
		}
	}
	files, err := os.ReadDir(filepath.Join(Root(t), "layers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !listed[f.Name()] {
			t.Errorf("%s is not in the index", f.Name())
		}
	}
	if len(files) != 62 || len(listed) != 62 {
		t.Errorf("%d files and %d cases, expected 62", len(files), len(listed))
	}
}

func TestGoldenConfig(t *testing.T) {
	g := Golden(t, "layers/gru-packed-batchfirst-padded.safetensors")
	if g.Mode() != "GRU" || !g.BatchFirst || g.Packed == nil || g.Packed.PaddingValue != -1.5 || g.Packed.TotalLength != 9 || g.Packed.InputPadding != "77.0" {
		t.Errorf("%+v %+v", g.Config, g.Packed)
	}
	if e := g.F32Error["output"]; e <= 0 || e > 1e-5 {
		t.Errorf("f32_error of output is %v", e)
	}
	tr := Golden(t, "train/adam.safetensors")
	var c struct {
		Optimizer string
		Args      struct{ LR float64 } `json:"optimizer_args"`
	}
	tr.Decode(&c)
	if c.Optimizer != "Adam" || c.Args.LR != 0.01 || len(Params[float32](tr, "init.")) != 7 || len(tr.Ints("x")) != 20*4*3 {
		t.Errorf("%+v, %v", c, tr.Names("init."))
	}
}

func TestMisuses(t *testing.T) {
	m := Misuses(t)
	if len(m) != 55 || m[0].ID == "" || m[0].Outcome != "raises" || m[0].Message == "" {
		t.Errorf("%d cases, the first %+v", len(m), m[0])
	}
}
