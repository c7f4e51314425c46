package unroll

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// TestFallingLengthsAsPyTorchSorts compares with what torch.sort gave, ties
// included: it is not stable from 17 sequences on.
func TestFallingLengthsAsPyTorchSorts(t *testing.T) {
	b, err := os.ReadFile("testdata/order.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Torch   string
		Dropout struct {
			Lengths []int
			Y       []float32
		}
		Cases []struct{ Lengths, Order []int }
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	unstable := 0
	for _, c := range all.Cases {
		got := make([]int, len(c.Lengths))
		for i := range got {
			got[i] = i
		}
		stable := slices.Clone(got)
		fallingLengths(got, c.Lengths)
		if !slices.Equal(got, c.Order) {
			t.Errorf("%v: %v, PyTorch %s has %v", c.Lengths, got, all.Torch, c.Order)
		}
		slices.SortStableFunc(stable, func(a, b int) int { return c.Lengths[b] - c.Lengths[a] })
		if !slices.Equal(stable, c.Order) {
			unstable++
		}
	}
	if len(all.Cases) < 80 || unstable < 30 {
		t.Errorf("%d cases, of which %d differ from a stable sort", len(all.Cases), unstable)
	}
	layer, err := New(Config{Mode: LSTM, InputSize: 2, HiddenSize: 3, NumLayers: 2, Dropout: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	g := rng.New(5)
	layer.ResetParameters(g)
	x := tensor.New(4, len(all.Dropout.Lengths), 2)
	rng.Rand(g, x.Data)
	pass := &Pass{Layer: layer, Train: true, Generator: g, Lengths: all.Dropout.Lengths}
	y, _, err := pass.Forward(x, State{})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, "output with dropout", y.Data, all.Dropout.Y, testkit.Tol{Abs: 1e-6})
}
