package modelfile

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

// Every operator file, read as a graph, gives ONNX Runtime's numbers in
// PyTorch's shapes, and again after it was written as an ONNX file.
func TestVariantsGiveTheOperatorsNumbers(t *testing.T) {
	paths, err := filepath.Glob("../../checkpoint/onnx/testdata/operators/*.onnx")
	if err != nil || len(paths) < 60 {
		t.Fatal(len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			v, err := f.Variant(Options{})
			if err != nil {
				t.Fatal(err)
			}
			g := testkit.Load(t, strings.TrimSuffix(path, ".onnx")+".safetensors")
			n, r := v.Net, v.Net.Layers[0]
			var lengths []int
			if n.Lengths != "" {
				lengths = g.Ints("in." + n.Lengths)
			}
			states := func(name string) tensor.Dense { // [L*D,B,H]
				d := optional(g, name)
				if r.BatchFirst && !d.IsZero() {
					d = swapped(d)
				}
				return d
			}
			var b bytes.Buffer
			if err := onnx.Write(&b, n, 0); err != nil {
				t.Fatal(err)
			}
			again, err := onnx.Parse(b.Bytes(), "again.onnx")
			if err != nil {
				t.Fatal(err)
			}
			second, err := again.Network()
			if err != nil {
				t.Fatal(err)
			}
			w, err := NewVariant(second)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range []*Variant{v, w} {
				y, hn, cn, err := v.Forward(g.F32("in."+n.Input), lengths, states(n.H0), states(n.C0))
				if err != nil {
					t.Fatal(err)
				}
				compared := 0
				if n.Output != "" { // Y [T,D,B,H], [B,T,D,H] with layout 1
					compared++
					want := g.F32("out." + n.Output)
					if s := want.Shape; !r.BatchFirst && s[1] > 1 {
						turned := tensor.New(s[0], s[2], s[1]*s[3])
						for at := range s[0] {
							one := tensor.Dense{Shape: s[1:], Data: want.Data[at*s[1]*s[2]*s[3]:][:s[1]*s[2]*s[3]]}
							copy(turned.Data[at*s[1]*s[2]*s[3]:], swapped(one).Data)
						}
						want = turned
					}
					testkit.Close(t, "output", y.Data, want.Data, testkit.Default[float32]())
				}
				for name, got := range map[string]tensor.Dense{n.HN: hn, n.CN: cn} {
					if name == "" {
						continue
					}
					compared++
					want := g.F32("out." + name)
					if r.BatchFirst {
						want = swapped(want)
					}
					testkit.CloseDense(t, name, got, want, testkit.Default[float32]())
				}
				if compared != len(f.ONNX.Graph.Outputs) {
					t.Errorf("%d outputs compared, the graph has %d", compared, len(f.ONNX.Graph.Outputs))
				}
			}
		})
	}
}

// A variant of several layers, two directions and batch_first with the settings
// of torch.nn is a layer of torch.nn, whose numbers the engine gives.
func TestVariantOfTorchsSettingsEqualsTheLayer(t *testing.T) {
	for name, l := range drawn(t) {
		if l.Model != nil {
			continue
		}
		n, err := l.Network()
		if err != nil {
			t.Fatal(err)
		}
		v, err := NewVariant(n)
		if err != nil {
			t.Fatal(err)
		}
		feed, y, sn := run(t, l)
		get := func(name string) tensor.Dense {
			d, err := checkpoint.Float[float32](feed, name)
			if errors.Is(err, checkpoint.ErrMissing) {
				return tensor.Dense{}
			}
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		gy, gh, gc, err := v.Forward(get("input"), nil, get("h0"), get("c0"))
		if err != nil {
			t.Fatal(name, err)
		}
		testkit.CloseDense(t, name+" output", gy, y, testkit.Default[float32]())
		testkit.CloseDense(t, name+" h_n", gh, sn.H, testkit.Default[float32]())
		if !sn.C.IsZero() {
			testkit.CloseDense(t, name+" c_n", gc, sn.C, testkit.Default[float32]())
		}
		// One sequence without a batch.
		c := l.Layer.Config()
		c.BatchFirst = false
		if one, err := unroll.New(c); err != nil {
			t.Error(err)
		} else if x := get("input"); x.Shape[2] == c.InputSize {
			params := map[string]tensor.Dense{}
			for _, p := range l.Layer.Params() {
				params[p.Name] = p.Value
			}
			if err := one.Load(params); err != nil {
				t.Fatal(err)
			}
			x = tensor.Dense{Shape: []int{4, c.InputSize}, Data: x.Data[:4*c.InputSize]}
			want, wn, err := one.Forward(x, unroll.State{})
			if err != nil {
				t.Fatal(err)
			}
			gy, gh, _, err := v.Forward(x, nil, tensor.Dense{}, tensor.Dense{})
			if err != nil {
				t.Fatal(err)
			}
			testkit.CloseDense(t, name+" one output", gy, want, testkit.Default[float32]())
			testkit.CloseDense(t, name+" one h_n", gh, wn.H, testkit.Default[float32]())
		}
	}
}

func TestVariantRefusesWrongShapes(t *testing.T) {
	f, err := Open("../../checkpoint/onnx/testdata/operators/lstm_peepholes.onnx")
	if err != nil {
		t.Fatal(err)
	}
	v, err := f.Variant(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := v.String(); got != "ONNX LSTM(3, 5, peepholes)" {
		t.Errorf("it is called %s", got)
	}
	zero := tensor.Dense{}
	for want, call := range map[string]func() error{
		"input": func() error { _, _, _, err := v.Forward(tensor.New(4, 2, 2), nil, zero, zero); return err },
		"hx": func() error {
			_, _, _, err := v.Forward(tensor.New(4, 2, 3), nil, tensor.New(1, 1, 5), zero)
			return err
		},
		"cx": func() error { _, _, _, err := v.Forward(tensor.New(4, 3), nil, zero, tensor.New(2, 5)); return err },
		"data": func() error {
			_, _, _, err := v.Forward(tensor.Dense{Shape: []int{4, 2, 3}}, nil, zero, zero)
			return err
		},
	} {
		if err := call(); !errors.Is(err, tensor.ErrShape) || want != "data" && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if _, _, _, err := v.Forward(tensor.New(4, 2, 3), []int{5, 1}, zero, zero); err == nil || !strings.Contains(err.Error(), "sequence_lens[0]") {
		t.Errorf("lengths: got %v", err)
	}
	if _, _, _, err := v.Forward(tensor.New(4, 3), []int{4}, zero, zero); err == nil {
		t.Error("lengths of one sequence are accepted")
	}
}

// Keras's own weights give Keras's own numbers.
func TestKerasGoldens(t *testing.T) {
	paths, err := filepath.Glob("../../checkpoint/keras/testdata/*.expect.npz")
	if err != nil || len(paths) != 10 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".expect.npz")
		t.Run(name, func(t *testing.T) {
			e, err := npy.OpenArchive(path)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			x, err := checkpoint.Float[float32](e, "x")
			if err != nil {
				t.Fatal(err)
			}
			want, err := checkpoint.Float[float32](e, "y")
			if err != nil {
				t.Fatal(err)
			}
			f, err := Open(strings.TrimSuffix(path, ".expect.npz") + ".npz")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			opt := Options{Keras: true}
			opt.BatchFirst = true // as Keras always is
			if mode := unroll.RNNReLU; strings.HasSuffix(name, "relu") {
				opt.Mode = &mode
			}
			var y tensor.Dense
			l, err := f.Load(opt)
			if strings.Contains(name, "reset_before") {
				if !errors.Is(err, ErrVariant) || !strings.Contains(err.Error(), "reset_after=False") {
					t.Fatalf("got %v, want an ErrVariant", err)
				}
				v, err := f.Variant(opt)
				if err != nil {
					t.Fatal(err)
				}
				if y, _, _, err = v.Forward(x, nil, tensor.Dense{}, tensor.Dense{}); err != nil {
					t.Fatal(err)
				}
			} else {
				if err != nil {
					t.Fatal(err)
				}
				if y, _, err = l.Layer.Forward(x, unroll.State{}); err != nil {
					t.Fatal(err)
				}
			}
			testkit.CloseDense(t, "y", y, want, testkit.Default[float32]())
		})
	}
}
