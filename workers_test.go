package unroll

import (
	"fmt"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// The tests share even the smallest steps among as many workers as they ask
// for; outside tests such steps run on fewer.
func init() { shareMin = 0 }

// Long sequences of small layers: workers take whole layers in a wavefront, or
// a direction each, and the bits are those of one worker.
func TestEveryWayToShareGivesTheSameBits(t *testing.T) {
	for _, cfg := range []Config{
		{Mode: RNNTanh, InputSize: 5, HiddenSize: 70, NumLayers: 2},
		{Mode: LSTM, InputSize: 5, HiddenSize: 33, NumLayers: 4, BatchFirst: true},
		{Mode: GRU, InputSize: 5, HiddenSize: 16, NumLayers: 2},
		{Mode: LSTM, InputSize: 5, HiddenSize: 24, NumLayers: 2, ProjSize: 7},
		{Mode: GRU, InputSize: 5, HiddenSize: 40, NumLayers: 2, Bidirectional: true},
		{Mode: LSTM, InputSize: 5, HiddenSize: 24, NumLayers: 1, Bidirectional: true, ProjSize: 7},
		{Mode: LSTM, InputSize: 5, HiddenSize: 600, NumLayers: 1}, // many weights
	} {
		for _, b := range []int{1, 3} {
			for _, lengths := range [][]int{nil, {180, 156, 176}} {
				if lengths != nil && b != 3 || cfg.HiddenSize > 500 && b > 1 {
					continue
				}
				steps := 520 // a wavefront needs 512 rows
				switch {
				case cfg.HiddenSize > 500:
					steps = 20
				case b == 3:
					steps = 180
				}
				l, err := New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				g := rng.New(3)
				l.ResetParameters(g)
				shape := []int{steps, b, 5}
				if cfg.BatchFirst {
					shape[0], shape[1] = b, steps
				}
				x := tensor.New(shape...)
				rng.Randn(g, x.Data)
				one := Pass{Layer: l, Workers: 1, Lengths: lengths}
				want, wantState, err := one.Forward(x, State{})
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range []int{2, 3, 4} {
					p := Pass{Layer: l, Workers: n, Lengths: lengths}
					for range 2 { // the second time in the same memory
						y, sn, err := p.Forward(x, State{})
						if err != nil {
							t.Fatal(err)
						}
						what := fmt.Sprintf("%v, B=%d, lengths %v, %d workers: ", cfg, b, lengths, n)
						testkit.Bits(t, what+"y", y.Data, want.Data)
						testkit.Bits(t, what+"h_n", sn.H.Data, wantState.H.Data)
						testkit.Bits(t, what+"c_n", sn.C.Data, wantState.C.Data)
					}
				}
			}
		}
	}
}
