package train_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// cutData are sequences cut in time, each window going on from the last.
type cutData struct {
	tokens  []int // [n*t+1,b]
	t, b, n int
}

func (d *cutData) Start(*rng.Generator)   {}
func (d *cutData) Len() int               { return d.n }
func (d *cutData) Order() []int           { return nil }
func (d *cutData) SetOrder(o []int) error { return nil }

func (d *cutData) Batch(i int, b *train.BatchOf[float64]) {
	size := d.t * d.b
	b.In = nn.InputOf[float64]{Tokens: d.tokens[i*size : (i+1)*size], T: d.t, B: d.b}
	b.Classes, b.Carry = d.tokens[i*size+d.b:(i+1)*size+d.b], i > 0
}

type carryFile struct {
	Tokens           []int
	T, B, V, E, H, W int
	Cases            []struct {
		Mode          string
		Layers, Proj  int
		First, Last   map[string]json.RawMessage
		Losses, Valid []float64
	}
}

// flatten joins nested lists.
func flatten(t *testing.T, raw json.RawMessage) (v []float64) {
	t.Helper()
	var rows [][]float64
	if json.Unmarshal(raw, &rows) == nil {
		return slices.Concat(rows...)
	}
	must(t, json.Unmarshal(raw, &v))
	return v
}

// The states of all layers are carried from window to window in training and in
// evaluation, as in PyTorch: every loss and the parameters at the end.
// testdata/carry.py made the numbers.
func TestCarriedStatesAreThoseOfPyTorch(t *testing.T) {
	b, err := os.ReadFile("testdata/carry.json")
	must(t, err)
	checkCarry(t, b)
}

func TestCarriedStatesAreThoseOfTheInstalledPyTorch(t *testing.T) {
	checkCarry(t, testkit.Torch(t, "testdata/carry.py", "2"))
}

func checkCarry(t *testing.T, golden []byte) {
	var f carryFile
	must(t, json.Unmarshal(golden, &f))
	if len(f.Cases) != 4 {
		t.Fatalf("%d cases", len(f.Cases))
	}
	for _, c := range f.Cases {
		mode, err := unroll.ParseMode(map[string]string{"RNN": "RNN_TANH"}[c.Mode] + map[bool]string{true: c.Mode}[c.Mode != "RNN"])
		must(t, err)
		m, err := nn.NewOf[float64](nn.Config{
			NumEmbeddings: f.V, EmbeddingDim: f.E, OutFeatures: f.V,
			RNN: unroll.Config{Mode: mode, HiddenSize: f.H, NumLayers: c.Layers, ProjSize: c.Proj},
		})
		must(t, err)
		first := map[string]tensor.DenseOf[float64]{}
		for n, v := range m.StateDict() {
			first[n] = tensor.DenseOf[float64]{Shape: v.Shape, Data: flatten(t, c.First[n])}
		}
		must(t, m.Load(first))
		newLoop := func(m *nn.ModelOf[float64]) *train.LoopOf[float64] {
			o, err := train.NewOptimizerOf[float64](train.NewSGD(1))
			must(t, err)
			data, loss := &cutData{f.Tokens, f.T, f.B, f.W}, &train.ClassesOf[float64]{}
			return &train.LoopOf[float64]{
				Model: m, Data: data, Objective: loss, Optimizer: o, Epochs: 2,
				Validate: func() (float64, error) { return train.Evaluate(m, data, loss, 1, nil) },
			}
		}
		l := newLoop(m)
		path := filepath.Join(t.TempDir(), "c.safetensors")
		var losses, valid []float64
		for i := 0; ; i++ { // stopped, saved and restored in the middle of both epochs
			for s, err := range l.Run(context.Background()) {
				must(t, err)
				losses = append(losses, s.Loss)
				if s.EpochDone {
					valid = append(valid, s.Valid)
				}
				if s.Number == 2 || s.Number == 7 {
					break
				}
			}
			if i == 2 {
				break
			}
			must(t, l.Save(path, ""))
			fresh, err := nn.NewOf[float64](m.Config())
			must(t, err)
			l = newLoop(fresh)
			must(t, l.Restore(path))
		}
		within(t, c.Mode+" loss", losses, c.Losses, 1e-10)
		within(t, c.Mode+" validation", valid, c.Valid, 1e-10)
		for n, v := range l.Model.StateDict() {
			within(t, c.Mode+" "+n, v.Data, flatten(t, c.Last[n]), 1e-9)
		}
	}
}
