package rng

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// stored is one tensor of a golden file.
type stored struct {
	dtype string
	shape []int
	f32   []float32
	f64   []float64
	i64   []int64
}

func (s stored) size() int {
	n := 1
	for _, d := range s.shape {
		n *= d
	}
	return n
}

// goldenFile is one seed's tensors, in the order of the file, and the modules
// of its configuration with their parameters in order.
type goldenFile struct {
	name    string
	seed    uint64
	names   []string
	tensors map[string]stored
	modules map[string][]string
}

// readGolden reads a safetensors file: header length, JSON header, raw data.
func readGolden(t *testing.T, path string) goldenFile {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	header, data := b[8:8+n], b[8+n:]
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(header, &entries); err != nil {
		t.Fatal(err)
	}
	g := goldenFile{name: filepath.Base(path), tensors: map[string]stored{}}
	var meta struct{ Config string }
	if err := json.Unmarshal(entries["__metadata__"], &meta); err != nil {
		t.Fatal(err)
	}
	var config struct {
		Seed    string
		Modules map[string][]string
	}
	if err := json.Unmarshal([]byte(meta.Config), &config); err != nil {
		t.Fatal(err)
	}
	g.modules = config.Modules
	if g.seed, err = strconv.ParseUint(config.Seed, 10, 64); err != nil {
		t.Fatal(err)
	}
	delete(entries, "__metadata__")
	for name, raw := range entries {
		var e struct {
			Dtype       string
			Shape       []int
			DataOffsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		s := stored{dtype: e.Dtype, shape: e.Shape}
		for p := data[e.DataOffsets[0]:e.DataOffsets[1]]; len(p) > 0; {
			switch e.Dtype {
			case "F32":
				s.f32 = append(s.f32, math.Float32frombits(binary.LittleEndian.Uint32(p)))
				p = p[4:]
			case "F64":
				s.f64 = append(s.f64, math.Float64frombits(binary.LittleEndian.Uint64(p)))
				p = p[8:]
			case "I64":
				s.i64 = append(s.i64, int64(binary.LittleEndian.Uint64(p)))
				p = p[8:]
			default:
				t.Fatalf("%s: type %s", name, e.Dtype)
			}
		}
		g.tensors[name] = s
		g.names = append(g.names, name)
	}
	slices.Sort(g.names)
	return g
}

// drawing is what one tensor of a golden file is checked against: the same
// type and size, filled by the generator.
type drawing struct {
	f32 []float32
	f64 []float64
	i64 []int64
}

func draw[F Float](n int, fill func([]F) error) (drawing, error) {
	x := make([]F, n)
	err := fill(x)
	switch x := any(x).(type) {
	case []float32:
		return drawing{f32: x}, err
	case []float64:
		return drawing{f64: x}, err
	}
	panic("unreachable")
}

func indices(p []int) drawing {
	var d drawing
	for _, i := range p {
		d.i64 = append(d.i64, int64(i))
	}
	return d
}

// floats returns how to fill a slice for the call a name stands for (without
// suffixes), or nil if the name is none of these.
func floats[F Float](g *Generator, call string) func([]F) error {
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			panic(err)
		}
		return v
	}
	const num = `(-?\d+(?:\.\d+)?)`
	match := func(pattern string) []string { return regexp.MustCompile("^" + pattern + "$").FindStringSubmatch(call) }
	switch {
	case match(`rand\.[\dx]+`) != nil:
		return func(x []F) error { Rand(g, x); return nil }
	case match(`randn\.[\dx]+`) != nil:
		return func(x []F) error { Randn(g, x); return nil }
	case call == "noncontiguous.randn.6x4":
		// The values fill memory, which holds the transpose of the tensor.
		return func(x []F) error {
			m := make([]F, len(x))
			err := NormalScattered(g, m, 0, 1)
			for i := range 6 {
				for j := range 4 {
					x[i*4+j] = m[j*6+i]
				}
			}
			return err
		}
	case call == "bernoulli_tensor.60":
		return func(x []F) error {
			p := make([]F, len(x))
			for i := range p {
				p[i] = F(i) / 59
			}
			return BernoulliTensor(g, x, p)
		}
	case call == "xavier_uniform.5x7":
		return func(x []F) error { return XavierUniform(g, x, 7, 5, 1) }
	case call == "xavier_normal.5x7":
		return func(x []F) error { return XavierNormal(g, x, 7, 5, 1) }
	case call == "kaiming_uniform.5x7":
		return func(x []F) error { return KaimingUniform(g, x, 7, math.Sqrt(5)) }
	case call == "kaiming_normal.3x4":
		return func(x []F) error { return KaimingNormal(g, x, 4, 0) }
	case call == "trunc_normal.20":
		return func(x []F) error { return TruncNormal(g, x, 0, 1, -2, 2) }
	}
	if m := match(`bernoulli\.` + num + `\.\d+`); m != nil {
		return func(x []F) error { return Bernoulli(g, x, number(m[1])) }
	}
	if m := match(`dropout\.` + num + `\.[\dx]+`); m != nil {
		return func(x []F) error { return Dropout(g, x, number(m[1])) }
	}
	if m := match(`uniform\.(-2)\.(3)\.\d+`); m != nil {
		return func(x []F) error { return Uniform(g, x, number(m[1]), number(m[2])) }
	}
	if m := match(`normal\.(5)\.(0\.25)\.\d+`); m != nil {
		return func(x []F) error { return Normal(g, x, number(m[1]), number(m[2])) }
	}
	if match(`exponential\.\d+`) != nil {
		return func(x []F) error { return Exponential(g, x, 1.5) }
	}
	return nil
}

// run makes the call a tensor's name stands for (without seed and variant).
// Every name must be understood.
func run(g *Generator, name string, want stored) (drawing, error) {
	call, _ := strings.CutSuffix(name, ".f64")
	switch want.dtype {
	case "F32":
		if fill := floats[float32](g, call); fill != nil {
			return draw(want.size(), fill)
		}
	case "F64":
		if fill := floats[float64](g, call); fill != nil {
			return draw(want.size(), fill)
		}
	case "I64":
		return integers(g, call)
	}
	return drawing{}, fmt.Errorf("no test understands this name")
}

func integers(g *Generator, call string) (drawing, error) {
	parts := strings.Split(call, ".")
	n, err := strconv.Atoi(parts[len(parts)-1])
	if parts[len(parts)-1] == "replacement" {
		n, err = strconv.Atoi(parts[len(parts)-2])
	}
	if err != nil {
		return drawing{}, err
	}
	w := []float32{.1, .4, 0, .2, .3}
	x := make([]int64, n)
	switch {
	case parts[0] == "uint32":
		for i := range x {
			x[i] = int64(g.Uint32() % (1<<32 - 1))
		}
	case parts[0] == "random63":
		for i := range x {
			x[i] = Random63(g)
		}
	case call == "randint.0.10.50":
		err = Randint(g, x, 0, 10)
	case call == "randint.-5.2p40.20":
		err = Randint(g, x, -5, 1<<40)
	case parts[0] == "randperm":
		return indices(Randperm(g, n)), nil
	case parts[0] == "multinomial":
		p, err := Multinomial(g, w, n, strings.HasSuffix(call, ".replacement"))
		return indices(p), err
	case parts[0] == "loader_order":
		return indices(append(LoaderOrder(g, n), LoaderOrder(g, n)...)), nil
	default:
		err = fmt.Errorf("no test understands this name")
	}
	return drawing{i64: x}, err
}

// same compares bit by bit, except that float64 values may differ by ulps
// units in the last place.
func same(got drawing, want stored, ulps int64) error {
	if len(got.f32) != len(want.f32) || len(got.f64) != len(want.f64) || !slices.Equal(got.i64, want.i64) {
		return fmt.Errorf("got %d float32, %d float64, integers %v; want %d, %d, %v",
			len(got.f32), len(got.f64), got.i64, len(want.f32), len(want.f64), want.i64)
	}
	for i, w := range want.f32 {
		if v := got.f32[i]; math.Float32bits(v) != math.Float32bits(w) {
			return fmt.Errorf("element %d of %d is %v (%#x), want %v (%#x)", i, len(want.f32), v, math.Float32bits(v), w, math.Float32bits(w))
		}
	}
	for i, w := range want.f64 {
		v := got.f64[i]
		if d := int64(math.Float64bits(v) - math.Float64bits(w)); d > ulps || d < -ulps {
			return fmt.Errorf("element %d of %d is %v, want %v: %d units in the last place", i, len(want.f64), v, w, d)
		}
	}
	return nil
}

// TestGolden draws every tensor of every golden file, with the kernels it was
// made with, and with both where they agree.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.safetensors")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d golden files, %v; want 5", len(files), err)
	}
	for _, path := range files {
		f := readGolden(t, path)
		for _, scalar := range []bool{false, true} {
			checked := map[string]bool{}
			check := func(name string, got drawing, err error) {
				t.Helper()
				if _, ok := f.tensors[name+"@scalar"]; ok && scalar {
					name += "@scalar"
				}
				want, ok := f.tensors[name]
				if !ok {
					t.Fatalf("%s: no tensor %s", f.name, name)
				}
				ulps := int64(0)
				if strings.Contains(name, "randn") || strings.Contains(name, "normal") {
					ulps = 1 // the C library's logarithm, sine and cosine round wrongly at times
				}
				if err == nil {
					err = same(got, want, ulps)
				}
				if err != nil {
					t.Errorf("%s: %s (scalar %v): %v", f.name, name, scalar, err)
				}
				checked[name] = true
			}
			start := func() *Generator {
				g := WithVersion(f.seed, PyTorch1)
				g.Scalar = scalar
				return g
			}
			stream := start()
			model := start()
			for _, name := range f.names {
				base, variant, _ := strings.Cut(name, "@")
				if variant != "" {
					if variant != "scalar" || f.tensors[base].dtype == "" {
						t.Errorf("%s: %s: unknown variant", f.name, name)
					}
					continue // checked under its base name
				}
				g, call := start(), name
				switch {
				case strings.HasPrefix(name, "stream."): // names sort in the order of the calls
					g, call = stream, name[len("stream.NN."):]
				case strings.HasPrefix(name, "model."):
					got, err := modelParameter(model, name, f.tensors[name])
					check(name, got, err)
					continue
				case strings.HasPrefix(name, "init."):
					continue // below, module by module
				}
				got, err := run(g, call, f.tensors[name])
				check(name, got, err)
			}
			for module, params := range f.modules {
				g := start()
				for _, p := range params {
					name := "init." + module + "." + p
					got, err := moduleParameter(g, module, f.tensors[name])
					check(name, got, err)
				}
			}
			for _, name := range f.names {
				_, twin := f.tensors[name+"@scalar"]
				if mine := !scalar && !strings.HasSuffix(name, "@scalar") || scalar && !twin; mine && !checked[name] {
					t.Errorf("%s: %s (scalar %v): no test understands this name", f.name, name, scalar)
				}
			}
		}
	}
}

// moduleParameter draws the next parameter of a module given as an expression.
func moduleParameter(g *Generator, module string, want stored) (drawing, error) {
	m := regexp.MustCompile(`^(\w+)\((\d+), (\d+)`).FindStringSubmatch(module)
	if m == nil {
		return drawing{}, fmt.Errorf("no test understands this module")
	}
	in, _ := strconv.Atoi(m[2])
	hidden, _ := strconv.Atoi(m[3])
	fan := hidden
	switch m[1] {
	case "Embedding":
		return draw(want.size(), func(x []float32) error { Randn(g, x); return nil })
	case "Linear":
		fan = in
	case "RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell":
	default:
		return drawing{}, fmt.Errorf("no test understands this module")
	}
	k := 1 / math.Sqrt(float64(fan))
	if want.dtype == "F64" {
		return draw(want.size(), func(x []float64) error { return Uniform(g, x, -k, k) })
	}
	return draw(want.size(), func(x []float32) error { return Uniform(g, x, -k, k) })
}

// modelParameter draws the next parameter of five modules constructed one
// after another: Embedding(5, 4, padding_idx), LSTM(4, 6), Linear(6, 5), ...
func modelParameter(g *Generator, name string, want stored) (drawing, error) {
	modules := map[string]string{
		"model.0.Embedding": "Embedding(5, 4)",
		"model.1.LSTM":      "LSTM(4, 6)",
		"model.2.Linear":    "Linear(6, 5)",
		"model.3.GRU":       "GRU(5, 3)",
		"model.4.Linear":    "Linear(3, 2)",
	}
	module, ok := modules[name[:strings.LastIndex(name, ".")]]
	if !ok {
		return drawing{}, fmt.Errorf("no test understands this name")
	}
	return moduleParameter(g, module, want)
}
