package unroll_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// modules are the expressions of the golden files. A cell is a layer of one; an
// Embedding and a Linear stand before and behind a layer and draw in their turn.
var modules = map[string]func(*testing.T, *rng.Generator) []numbered{
	"RNN(3, 4, 2)":  layerParams(unroll.Config{InputSize: 3, HiddenSize: 4, NumLayers: 2}),
	"RNN(2, 10, 3)": layerParams(unroll.Config{InputSize: 2, HiddenSize: 10, NumLayers: 3}),
	"LSTM(5, 7)":    layerParams(unroll.Config{Mode: unroll.LSTM, InputSize: 5, HiddenSize: 7}),
	"LSTM(4, 6, 2, bidirectional=True)": layerParams(unroll.Config{
		Mode: unroll.LSTM, InputSize: 4, HiddenSize: 6, NumLayers: 2, Bidirectional: true,
	}),
	"GRU(3, 5)":                      layerParams(unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 5}),
	"GRU(4, 3, 2, bias=False)":       layerParams(unroll.Config{Mode: unroll.GRU, InputSize: 4, HiddenSize: 3, NumLayers: 2, NoBias: true}),
	"LSTM(4, 6, proj_size=2)":        layerParams(unroll.Config{Mode: unroll.LSTM, InputSize: 4, HiddenSize: 6, ProjSize: 2}),
	"RNNCell(3, 4)":                  cellParams(unroll.RNNTanh),
	"LSTMCell(3, 4)":                 cellParams(unroll.LSTM),
	"GRUCell(3, 4)":                  cellParams(unroll.GRU),
	"LSTM(3, 4, dtype=torch.double)": layerParamsOf[float64](unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4}),
	"Linear(7, 5)":                   linearParams(7, 5),
	"Embedding(6, 3)":                embeddingParams(6, 3),
	"Embedding(2, 5)":                embeddingParams(2, 5),
}

// chain are the five modules made one after another.
var chain = []struct {
	class string
	draw  func(*testing.T, *rng.Generator) []numbered
}{
	{"Embedding", embeddingParams(5, 4)},
	{"LSTM", layerParams(unroll.Config{Mode: unroll.LSTM, InputSize: 4, HiddenSize: 6, NumLayers: 2})},
	{"Linear", linearParams(6, 5)},
	{"GRU", layerParams(unroll.Config{Mode: unroll.GRU, InputSize: 5, HiddenSize: 3})},
	{"Linear", linearParams(3, 2)},
}

// numbered is a parameter as float64, which holds a float32 exactly.
type numbered struct {
	name string
	tensor.DenseOf[float64]
}

func layerParams(c unroll.Config) func(*testing.T, *rng.Generator) []numbered {
	return layerParamsOf[float32](c)
}

func layerParamsOf[F tensor.Float](c unroll.Config) func(*testing.T, *rng.Generator) []numbered {
	return func(t *testing.T, g *rng.Generator) (all []numbered) {
		l, err := unroll.NewOf[F](c)
		if err != nil {
			t.Fatal(err)
		}
		l.ResetParameters(g)
		for _, p := range l.Params() {
			all = append(all, numbered{p.Name, tensor.Convert[float64](p.Value)})
		}
		return all
	}
}

func cellParams(m unroll.Mode) func(*testing.T, *rng.Generator) []numbered {
	return func(t *testing.T, g *rng.Generator) []numbered {
		all := layerParams(unroll.Config{Mode: m, InputSize: 3, HiddenSize: 4})(t, g)
		for i := range all {
			all[i].name = strings.TrimSuffix(all[i].name, "_l0")
		}
		return all
	}
}

func linearParams(in, out int) func(*testing.T, *rng.Generator) []numbered {
	return func(t *testing.T, g *rng.Generator) []numbered {
		l, err := nn.NewLinear(in, out, true)
		if err != nil {
			t.Fatal(err)
		}
		l.ResetParameters(g)
		return []numbered{{"weight", tensor.Convert[float64](l.Weight())}, {"bias", tensor.Convert[float64](l.Bias())}}
	}
}

func embeddingParams(num, dim int) func(*testing.T, *rng.Generator) []numbered {
	return func(t *testing.T, g *rng.Generator) []numbered {
		e, err := nn.NewEmbedding(num, dim, nil)
		if err != nil {
			t.Fatal(err)
		}
		e.ResetParameters(g)
		return []numbered{{"weight", tensor.Convert[float64](e.Weight)}}
	}
}

// One seed gives the parameters PyTorch gives, bit for bit: every init.* and
// model.* tensor of every golden file, in PyTorch's order, with both of its sets
// of kernels.
func TestResetParametersDrawsPyTorchsParameters(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("rng", "testdata", "golden", "*.safetensors"))
	if err != nil || len(files) != 5 {
		t.Fatalf("%d golden files, want 5: %v", len(files), err)
	}
	for _, path := range files {
		f := testkit.Load(t, path)
		var config struct {
			Seed    uint64 `json:",string"`
			Modules map[string][]string
		}
		f.Decode(&config)
		seen := map[string]bool{}
		for _, scalar := range []bool{false, true} {
			generator := func() *rng.Generator {
				g := rng.New(config.Seed)
				g.Scalar = scalar
				return g
			}
			check := func(name string, got numbered) {
				t.Helper()
				if scalar && f.Has(name+"@scalar") {
					name += "@scalar"
				}
				seen[name] = true
				testkit.BitsDense(t, fmt.Sprintf("%s: %s, scalar %v", path, name, scalar), got.DenseOf, f.F64(name))
			}
			for module, params := range config.Modules {
				draw := modules[module]
				if draw == nil {
					t.Errorf("%s: no test knows the module %s", path, module)
					continue
				}
				var names []string
				for _, p := range draw(t, generator()) {
					names = append(names, p.name)
					check("init."+module+"."+p.name, p)
				}
				if !slices.Equal(names, params) {
					t.Errorf("%s draws %v, PyTorch %v", module, names, params)
				}
			}
			g := generator()
			for n, module := range chain {
				for k, p := range module.draw(t, g) {
					check(fmt.Sprintf("model.%d.%s.%d", n, module.class, k), p)
				}
			}
		}
		for _, name := range append(f.Names("init."), f.Names("model.")...) {
			if !seen[name] {
				t.Errorf("%s: %s was not compared", path, name)
			}
		}
	}
}

// The zero Generator stands for seed 0, and so does none.
func TestResetParametersWithoutGenerator(t *testing.T) {
	c := unroll.Config{InputSize: 3, HiddenSize: 4}
	want := newTrial[float32](t, c, 0).layer.Params()
	got := newTrial[float32](t, c, 1).layer
	got.ResetParameters(nil)
	for i, p := range got.Params() {
		testkit.BitsDense(t, p.Name, p.Value, want[i].Value)
	}
}
