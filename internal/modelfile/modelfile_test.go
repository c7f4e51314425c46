package modelfile

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
)

const (
	onnxGoldens  = "../../checkpoint/onnx/testdata/golden/"
	torchGoldens = "../../checkpoint/torchfile/testdata/golden/"
)

func load(t *testing.T, path string, opt Options) *Loaded {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := f.Load(opt)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Every model that PyTorch exported gives PyTorch's numbers, for every set.
func TestONNXGoldensGivePyTorchsNumbers(t *testing.T) {
	paths, err := filepath.Glob(onnxGoldens + "*.onnx")
	if err != nil || len(paths) != 9 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			l := load(t, path, Options{})
			g := testkit.Load(t, strings.TrimSuffix(path, ".onnx")+".safetensors")
			sets := 0
			for _, set := range []string{"set0.", "set1."} {
				if len(g.Names(set)) == 0 {
					continue
				}
				sets++
				s0 := unroll.State{H: testkit.Optional[float32](g, set+"h0"), C: testkit.Optional[float32](g, set+"c0")}
				var lengths []int
				if g.Has(set + "lengths") {
					lengths = g.Ints(set + "lengths")
				}
				if l.Model != nil {
					tokens, shape := g.Ints(set+"tokens"), g.F32(set+"logits").Shape
					p := nn.Pass{Model: l.Model}
					y, _, err := p.Forward(nn.Input{Tokens: tokens, T: shape[0], B: shape[1]}, s0)
					if err != nil {
						t.Fatal(err)
					}
					testkit.CloseDense(t, "logits", y, g.F32(set+"logits"), testkit.Default[float32]())
					continue
				}
				p := unroll.Pass{Layer: l.Layer, Lengths: lengths}
				y, sn, err := p.Forward(g.F32(set+"input"), s0)
				if err != nil {
					t.Fatal(err)
				}
				testkit.CloseDense(t, "output", y, g.F32(set+"output"), testkit.Default[float32]())
				testkit.CloseDense(t, "h_n", sn.H, g.F32(set+"h_n"), testkit.Default[float32]())
				if g.Has(set + "c_n") {
					testkit.CloseDense(t, "c_n", sn.C, g.F32(set+"c_n"), testkit.Default[float32]())
				}
			}
			if sets == 0 {
				t.Error("no data set")
			}
		})
	}
}

// Every operator, as a layer, gives ONNX Runtime's numbers.
func TestOperatorsAreLayers(t *testing.T) {
	paths, err := filepath.Glob("../../checkpoint/onnx/testdata/operators/*.onnx")
	if err != nil || len(paths) < 60 {
		t.Fatal(len(paths), err)
	}
	ran := 0
	for _, path := range paths {
		f, err := onnx.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Recurrent(&f.Graph.Nodes[0])
		if err != nil {
			t.Fatal(err)
		}
		file, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		l, err := file.Load(Options{})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		g := testkit.Load(t, strings.TrimSuffix(path, ".onnx")+".safetensors")
		name := func(n string) string { return "in." + n }
		swap := func(d tensor.Dense) tensor.Dense { // [B,D,H] to [D,B,H]
			if !r.BatchFirst || d.IsZero() {
				return d
			}
			return swapped(d)
		}
		p := unroll.Pass{Layer: l.Layer}
		if r.Lengths != "" {
			p.Lengths = g.Ints(name(r.Lengths))
		}
		y, sn, err := p.Forward(g.F32("in.X"), unroll.State{H: swap(optional(g, r.H0)), C: swap(optional(g, r.C0))})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		ran++
		if r.YH != "" {
			testkit.Close(t, path, sn.H.Data, swap(g.F32("out."+r.YH)).Data, testkit.Default[float32]())
		}
		if r.YC != "" {
			testkit.Close(t, path, sn.C.Data, swap(g.F32("out."+r.YC)).Data, testkit.Default[float32]())
		}
		if r.Y != "" && !r.BatchFirst {
			want := g.F32("out." + r.Y) // [T,D,B,H]
			testkit.Close(t, path, y.Data, middle(want).Data, testkit.Default[float32]())
		}
	}
	if ran != len(paths) {
		t.Errorf("only %d of %d were run", ran, len(paths))
	}
}

func optional(g *testkit.File, name string) tensor.Dense {
	if name == "" {
		return tensor.Dense{}
	}
	return g.F32("in." + name)
}

func middle(d tensor.Dense) tensor.Dense {
	out := tensor.New(d.Shape[0], d.Shape[2], d.Shape[1]*d.Shape[3])
	size := d.Shape[1] * d.Shape[2] * d.Shape[3]
	for t := range d.Shape[0] {
		one, _ := tensor.Of(d.Data[t*size:(t+1)*size], d.Shape[1:]...)
		copy(out.Data[t*size:], swapped(one).Data)
	}
	return out
}

func TestTorchFilesBecomeLayersAndModels(t *testing.T) {
	tests := []struct {
		file  string
		opt   Options
		want  string
		model bool
		left  int
	}{
		{"state_dict_lstm_bi_proj.pth", Options{}, "LSTM(5, 6, proj_size=2, num_layers=2, bidirectional=True)", false, 0},
		{"state_dict_gru_nobias.pt", Options{}, "GRU(4, 3, bias=False)", false, 0},
		{"checkpoint_adam.pt", Options{}, "LSTM(4, 5)", true, 21},
		{"data_parallel_prefix.pt", Options{Prefix: "rnn"}, "RNN(3, 4)", true, 0},
		{"model_prefix.pt", Options{}, "GRU(4, 6)", true, 0},
		{"module_gru.pt", Options{}, "GRU(4, 5, num_layers=2", false, 0},
	}
	for _, tt := range tests {
		l := load(t, torchGoldens+tt.file, tt.opt)
		if !strings.HasPrefix(l.Layer.Config().String(), tt.want) || (l.Model != nil) != tt.model || len(l.Left) != tt.left {
			t.Errorf("%s: got %s, model %t, left %v", tt.file, l.Layer.Config(), l.Model != nil, l.Left)
		}
	}
}

// TestContentsDecide: a file is what its bytes say, whatever it is called, also
// without an ending; a name decides only where they say nothing.
func TestContentsDecide(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		from string
		as   []string
		want Format
	}{
		{torchGoldens + "half.pt", []string{"model_best.pth.tar", "noext", "x.onnx", "x.npz", "x.xyz", "x.csv"}, Torch},
		{torchGoldens + "legacy_module_rnn.pt", []string{"old.tar", "old"}, Torch},
		{torchGoldens + "half.pt.expect.safetensors", []string{"weights.sft", "pytorch_model.bin", "weights", "x.pt"}, Safetensors},
		{onnxGoldens + "lstm.onnx", []string{"lstm", "lstm.bin", "lstm.pt"}, ONNX},
		{"../../checkpoint/keras/testdata/*.npz", []string{"arrays", "arrays.pt"}, NPZ},
		{"../../checkpoint/torchfile/testdata/forms/numpy0.pkl", []string{"n.pkl"}, Torch},
		{"../../checkpoint/torchfile/testdata/forms/numpy2.pkl", []string{"n2"}, Torch},
		{"../../checkpoint/torchfile/testdata/forms/script.pt", []string{"s.jit", "s"}, Torch},
		{"../../checkpoint/torchfile/testdata/forms/export.pt2", []string{"e"}, Torch},
	} {
		paths, err := filepath.Glob(c.from)
		if err != nil || len(paths) == 0 {
			if paths, err = filepath.Glob(onnxGoldens + "*lstm*.onnx"); err != nil || len(paths) == 0 {
				t.Fatalf("%s: no file", c.from)
			}
		}
		b, err := os.ReadFile(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range c.as {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := Open(path)
			if err != nil {
				t.Errorf("%s as %s: %v", c.from, name, err)
				continue
			}
			if f.Format != c.want {
				t.Errorf("%s as %s is %s, expected %s", c.from, name, f.Format, c.want)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	odd := filepath.Join(dir, "weights.xyz")
	if err := os.WriteFile(odd, []byte("1,2,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(odd); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), `its ending ".xyz"`) {
		t.Errorf("got %v", err)
	}
	if _, err := FormatOf("new.xyz"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

// kerasStep is one step of Keras's cells, from their definition: kernels
// [I,G*H], gates i f c o of an LSTM and z r h of a GRU with reset_after.
func kerasStep(kind string, k, rk, bias, bias2 []float64, x, h, c []float64) (h1, c1 []float64) {
	n := len(h)
	sig := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	gates := map[string]int{"lstm": 4, "gru": 3, "rnn": 1}[kind]
	in := func(g, j int) float64 {
		s := bias[g*n+j]
		for i, v := range x {
			s += v * k[i*gates*n+g*n+j]
		}
		return s
	}
	rec := func(g, j int) float64 {
		s := 0.0
		if bias2 != nil {
			s = bias2[g*n+j]
		}
		for i, v := range h {
			s += v * rk[i*gates*n+g*n+j]
		}
		return s
	}
	h1, c1 = make([]float64, n), make([]float64, n)
	for j := range n {
		switch kind {
		case "rnn":
			h1[j] = math.Tanh(in(0, j) + rec(0, j))
		case "lstm":
			c1[j] = sig(in(1, j)+rec(1, j))*c[j] + sig(in(0, j)+rec(0, j))*math.Tanh(in(2, j)+rec(2, j))
			h1[j] = sig(in(3, j)+rec(3, j)) * math.Tanh(c1[j])
		case "gru":
			z, r := sig(in(0, j)+rec(0, j)), sig(in(1, j)+rec(1, j))
			h1[j] = z*h[j] + (1-z)*math.Tanh(in(2, j)+r*rec(2, j))
		}
	}
	return h1, c1
}

func TestKerasWeightsGiveKerasEquations(t *testing.T) {
	const I, H, T = 3, 4, 5
	next := uint32(7)
	draw := func(shape ...int) tensor.Dense {
		d := tensor.New(shape...)
		for i := range d.Data {
			next = next*1664525 + 1013904223
			d.Data[i] = float32(int32(next)) / (1 << 31)
		}
		return d
	}
	for kind, gates := range map[string]int{"lstm": 4, "gru": 3, "rnn": 1} {
		for _, names := range []string{"layer/%s:0", "layer.%s"} {
			k, rk, b, x := draw(I, gates*H), draw(H, gates*H), draw(gates*H), draw(T, 1, I)
			if kind == "gru" {
				b = draw(2, gates*H)
			}
			var set checkpoint.Set
			for n, d := range map[string]tensor.Dense{"kernel": k, "recurrent_kernel": rk, "bias": b} {
				set = append(set, checkpoint.Of(strings.Replace(names, "%s", n, 1), d))
			}
			path := filepath.Join(t.TempDir(), "k.npz")
			out, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(npy.WriteArchive(out, set), out.Close()); err != nil {
				t.Fatal(err)
			}
			l := load(t, path, Options{Keras: true})
			y, _, err := l.Layer.Forward(x, unroll.State{})
			if err != nil {
				t.Fatal(err)
			}
			b64 := tensor.Convert[float64](b).Data
			var second []float64
			if kind == "gru" {
				b64, second = b64[:gates*H], b64[gates*H:]
			}
			h, c := make([]float64, H), make([]float64, H)
			var want []float64
			for i := range T {
				h, c = kerasStep(kind, tensor.Convert[float64](k).Data, tensor.Convert[float64](rk).Data, b64, second, tensor.Convert[float64](x).Data[i*I:(i+1)*I], h, c)
				want = append(want, h...)
			}
			testkit.Close(t, kind, y.Data, want, testkit.Default[float32]())
		}
	}
}

func TestKerasDirectionsMakeOneLayer(t *testing.T) {
	var set checkpoint.Set
	for _, d := range []string{"forward_lstm", "backward_lstm"} {
		set = append(set, checkpoint.Of("bidirectional/"+d+"/lstm_cell/kernel:0", tensor.New(2, 12)), checkpoint.Of("bidirectional/"+d+"/lstm_cell/recurrent_kernel:0", tensor.New(3, 12)))
	}
	l, err := (&File{Path: "x", Source: set}).Load(Options{Keras: true})
	if err != nil || !l.Layer.Config().Bidirectional || !slices.Equal(l.Left, nil) {
		t.Errorf("got %+v, %v", l, err)
	}
}

// A folder whose weights or config lie elsewhere is not opened, shown or run.
func TestLinksOutOfAFolderAreRefused(t *testing.T) {
	for _, name := range []string{nn.WeightsFile, nn.ConfigFile} {
		dir, elsewhere := t.TempDir(), t.TempDir()
		m, err := nn.New(nn.Config{RNN: unroll.Config{InputSize: 2, HiddenSize: 3}, OutFeatures: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Save(dir, ""); err != nil {
			t.Fatal(err)
		}
		f, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(elsewhere, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(elsewhere, name), filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
		if _, err := Open(dir); !errors.Is(err, nn.ErrFolder) || !strings.Contains(err.Error(), filepath.Join(dir, name)) || !strings.Contains(err.Error(), "escapes") {
			t.Errorf("%s: got %v", name, err)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s missing: got %v", name, err)
		}
	}
}

// swapped exchanges the first two of three dimensions.
func swapped(d tensor.Dense) tensor.Dense {
	a, b, n := d.Shape[0], d.Shape[1], d.Shape[2]
	out := tensor.New(b, a, n)
	for i := range a {
		for j := range b {
			copy(out.Data[(j*a+i)*n:][:n], d.Data[(i*b+j)*n:][:n])
		}
	}
	return out
}
