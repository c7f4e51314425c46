package model

import (
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// TestRoundedFolderRunsAsItsModel: a folder that was saved rounded, and one that is
// rounded when it is opened, give the bits of the rounded model's own pass.
func TestRoundedFolderRunsAsItsModel(t *testing.T) {
	for _, output := range []string{"all", "last"} {
		for _, p := range []unroll.Precision{unroll.Int8, unroll.BFloat16} {
			full, err := nn.New(nn.Config{RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 5, HiddenSize: 20, NumLayers: 2}, OutFeatures: 70, Output: output})
			if err != nil {
				t.Fatal(err)
			}
			full.ResetParameters(rng.New(1))
			low, err := full.Quantize(p, "rnn.l1")
			if err != nil {
				t.Fatal(err)
			}
			x := tensor.New(6, 2, 5)
			rng.Randn(rng.New(2), x.Data)
			pass := nn.Pass{Model: low}
			want, _, err := pass.Forward(nn.Input{Features: x}, unroll.State{})
			if err != nil {
				t.Fatal(err)
			}
			for dir, save := range map[string]*nn.Model{t.TempDir(): low, t.TempDir(): full} {
				if err := save.Save(dir, ""); err != nil {
					t.Fatal(err)
				}
				opt := Options{}
				if save == full {
					opt = Options{Precision: p, Keep: []string{"rnn.l1"}}
				}
				m, err := opt.Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				in, err := Of(x.Data, x.Shape...)
				if err != nil {
					t.Fatal(err)
				}
				out, err := m.Run(map[string]Value{"input": in})
				if err != nil {
					t.Fatal(err)
				}
				testkit.Bits(t, output+" "+p.String(), Data[float32](out["output"]), want.Data)
			}
		}
	}
}

// TestDigestTellsThePrecision: models that round otherwise do not take each other's
// states, whatever the file is, and the lone layer of a file of weights has the bits
// of the program around it.
func TestDigestTellsThePrecision(t *testing.T) {
	x := tensor.New(6, 2, 88)
	rng.Randn(rng.New(2), x.Data)
	for _, path := range []string{"../examples/bach", "../examples/bach/model.safetensors", "../examples/names/model.onnx", "../examples/policy/policy.onnx"} {
		seen := map[string]Options{}
		for _, o := range []Options{{}, {Precision: unroll.Int8}, {Precision: unroll.BFloat16}} {
			o.Layout = TimeFirst
			m, err := o.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if other, same := seen[m.Digest()]; same || m.Digest() == "" {
				t.Errorf("%s: %+v and %+v have the digest %q", path, o, other, m.Digest())
			}
			seen[m.Digest()] = o
			if m.alone() == nil {
				continue
			}
			layers, err := m.Layers()
			if err != nil {
				t.Fatal(err)
			}
			want, _, err := layers[0].Forward(x, unroll.State{})
			if err != nil {
				t.Fatal(err)
			}
			in, err := Of(x.Data, x.Shape...)
			if err != nil {
				t.Fatal(err)
			}
			out, err := m.Run(map[string]Value{"input": in})
			if err != nil {
				t.Fatal(err)
			}
			testkit.Bits(t, path+" "+o.Precision.String(), Data[float32](out["output"]), want.Data)
		}
	}
}

// TestDescribeSaysThatAFileQuantisesAsAWhole, of files that do, one by each operator,
// and of no other: QDQ files have fixed scales.
func TestDescribeSaysThatAFileQuantisesAsAWhole(t *testing.T) {
	for file, op := range map[string]string{"quantized-dynamic": "Dynamic", "quantized-qdq": "", "float": ""} {
		d, err := Describe("../cmd/unroll/testdata/cases/" + file + ".onnx")
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Contains(strings.Join(d.Notes, " "), "one scale")
		if said != (op != "") {
			t.Errorf("%s: operators %v, notes %q", file, d.Operators, d.Notes)
		}
		if qdq := strings.Contains(strings.Join(d.Notes, " "), "states that it multiplies are not integers"); qdq != (file == "quantized-qdq") {
			t.Errorf("%s: notes %q", file, d.Notes)
		}
	}
	for op, says := range map[string]string{"DynamicQuantizeLinear": "DynamicQuantizeLinear", "com.microsoft.DynamicQuantizeLSTM": "DynamicQuantizeLSTM", "com.microsoft.DynamicQuantizeMatMul": "DynamicQuantizeMatMul", "QuantizeLinear": ""} {
		if got := dynamic(map[string]int{op: 1, "MatMul": 2}); got != says {
			t.Errorf("%s: %q, want %q", op, got, says)
		}
	}
}

// TestInt8FileRunsAsItsModel: an ONNX file of integers, opened in int8, has the bits of
// the model that was saved, of a folder with an embedding too; opened without, it is
// float32 of the rounded weights.
func TestInt8FileRunsAsItsModel(t *testing.T) {
	folder := t.TempDir()
	full, err := nn.New(nn.Config{RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 12, HiddenSize: 20, NumLayers: 2, Bidirectional: true}, NumEmbeddings: 30, OutFeatures: 17})
	if err != nil {
		t.Fatal(err)
	}
	full.ResetParameters(rng.New(1))
	if err := full.Save(folder, ""); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, "../examples/bach/model.pt", "../examples/names/model.onnx"} {
		opt := Options{Precision: unroll.Int8, Layout: TimeFirst}
		m, err := opt.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		to := t.TempDir() + "/low.onnx"
		if err := m.Save(to); err != nil {
			t.Fatal(err)
		}
		again, err := Options{Precision: unroll.Int8}.Open(to)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		plain, err := Open(to)
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		in := map[string]Value{}
		for _, p := range m.Inputs() {
			if p.Type == "int64" {
				in[p.Name], err = Of([]int64{1, 7, 2, 9, 11, 3}, 3, 2)
			} else if strings.HasPrefix(p.Name, "input") {
				x := tensor.New(3, 2, 88)
				rng.Randn(rng.New(2), x.Data)
				in[p.Name], err = FromDense(x)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		want := ran(t, m, in)
		for name, v := range ran(t, again, in) {
			testkit.Bits(t, path+" "+name, v, want[name])
		}
		for name, v := range ran(t, plain, in) {
			if testkit.SameBits(v, want[name]) == nil {
				t.Errorf("%s %s: the same in float32", path, name)
			}
			if err := testkit.Near(v, want[name], testkit.Tol{Abs: 0.05}); err != nil {
				t.Errorf("%s %s: %v", path, name, err)
			}
		}
	}
}

func ran(t *testing.T, m *Model, in map[string]Value) map[string][]float32 {
	t.Helper()
	out, err := m.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	list := map[string][]float32{}
	for name, v := range out {
		list[name] = Data[float32](v)
	}
	return list
}

// TestPyTorchsIntegersAreNotRoundedAgain: of files of PyTorch's dynamic quantisation, with
// one scale a weight and one an output, int8 changes no number of the weights; outputs
// lie nearer to float32 with these weights than PyTorch's own, which quantises a batch
// with one scale. internal/modelfile/testdata/dynamic.py made them.
func TestPyTorchsIntegersAreNotRoundedAgain(t *testing.T) {
	for _, name := range []string{"tensor", "channel"} {
		path := "../internal/modelfile/testdata/dynamic-" + name
		golden, err := safetensors.Open(path + ".safetensors")
		if err != nil {
			t.Fatal(err)
		}
		defer golden.Close()
		read := func(name string) tensor.Dense {
			d, err := checkpoint.Float[float32](golden, name)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		x, torchs, floats := read("input"), read("output"), read("float")
		in, err := FromDense(x)
		if err != nil {
			t.Fatal(err)
		}
		far := map[unroll.Precision]float64{}
		var params [2][]unroll.Param
		for i, p := range []unroll.Precision{unroll.Full, unroll.Int8} {
			m, err := Options{Chain: "rnn | fc", Layout: TimeFirst, Precision: p}.Open(path + ".pt")
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			layers, err := m.Layers()
			if err != nil {
				t.Fatal(err)
			}
			low, err := layers[0].Quantize(p)
			if err != nil {
				t.Fatal(err)
			}
			params[i] = low.Params()
			for _, y := range ran(t, m, map[string]Value{m.Inputs()[0].Name: in}) {
				far[p] = apart(y, floats.Data)
			}
		}
		for i, p := range params[0] {
			testkit.Bits(t, name+" "+p.Name, params[1][i].Value.Data, p.Value.Data)
		}
		if own := apart(torchs.Data, floats.Data); far[unroll.Full] > 1e-6 || far[unroll.Int8] == 0 || far[unroll.Int8] > own {
			t.Errorf("%s: float32 is %g off, int8 %g, PyTorch %g", name, far[unroll.Full], far[unroll.Int8], own)
		}
	}
}

func apart(x, y []float32) (most float64) {
	for i, v := range x {
		most = max(most, math.Abs(float64(v)-float64(y[i])))
	}
	return most
}
