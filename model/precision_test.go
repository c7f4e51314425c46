package model

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
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
	}
	for op, says := range map[string]string{"DynamicQuantizeLinear": "DynamicQuantizeLinear", "com.microsoft.DynamicQuantizeLSTM": "DynamicQuantizeLSTM", "QuantizeLinear": ""} {
		if got := dynamic(map[string]int{op: 1, "MatMul": 2}); got != says {
			t.Errorf("%s: %q, want %q", op, got, says)
		}
	}
}
