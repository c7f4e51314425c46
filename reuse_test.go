package unroll

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// TestNoInputGrad: without the gradient of the input all others keep their bits.
func TestNoInputGrad(t *testing.T) {
	for _, cfg := range []Config{
		{Mode: LSTM, InputSize: 1, HiddenSize: 17, NumLayers: 2},
		{Mode: GRU, InputSize: 3, HiddenSize: 5, Bidirectional: true, BatchFirst: true},
	} {
		l, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		g := rng.New(7)
		l.ResetParameters(g)
		x := tensor.New(4, 3, cfg.InputSize)
		rng.Randn(g, x.Data)
		dy := tensor.New(4, 3, cfg.OutputSize())
		rng.Randn(g, dy.Data)
		all, none := &Pass{Layer: l, Record: true}, &Pass{Layer: l, Record: true, NoInputGrad: true}
		var ds [2]State
		for i, p := range []*Pass{all, none} {
			if _, _, err := p.Forward(x, State{}); err != nil {
				t.Fatal(err)
			}
			dx, s, err := p.Backward(dy, State{})
			if err != nil {
				t.Fatal(err)
			}
			if dx.IsZero() != p.NoInputGrad {
				t.Errorf("%v, NoInputGrad %v: dx has shape %v", cfg, p.NoInputGrad, dx.Shape)
			}
			ds[i] = s
		}
		testkit.Bits(t, fmt.Sprint(cfg, " dh_0"), ds[1].H.Data, ds[0].H.Data)
		for i, p := range all.Grads.Params() {
			testkit.Bits(t, fmt.Sprint(cfg, " ", p.Name), none.Grads.Params()[i].Value.Data, p.Value.Data)
		}
	}
}

// TestPassKeepsNothingOfCallsBefore: a pass keeps the layout of its last call. Whatever
// calls went before, of other shapes, workers and options, the next one gives the bits
// of a new pass.
func TestPassKeepsNothingOfCallsBefore(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	for _, cfg := range []Config{
		{Mode: LSTM, InputSize: 3, HiddenSize: 17, NumLayers: 2},
		{Mode: GRU, InputSize: 3, HiddenSize: 5, Bidirectional: true, BatchFirst: true},
		{Mode: RNNTanh, InputSize: 2, HiddenSize: 4, NumLayers: 2},
		{Mode: LSTM, InputSize: 3, HiddenSize: 9, ProjSize: 4, BatchFirst: true},
	} {
		l, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		g := rng.New(7)
		l.ResetParameters(g)
		kept := &Pass{Layer: l}
		for call := range 80 {
			steps, batch := 1+r.IntN(3), 1+r.IntN(3)
			fresh := &Pass{Layer: l, Workers: 1 + r.IntN(2), Record: r.IntN(3) == 0}
			if r.IntN(5) == 0 {
				for range batch {
					fresh.Lengths = append(fresh.Lengths, 1+r.IntN(steps))
				}
			}
			if r.IntN(5) == 0 {
				fresh.Resets = make([]bool, steps*batch)
				fresh.Resets[r.IntN(len(fresh.Resets))] = true
			}
			kept.Workers, kept.Record, kept.Lengths, kept.Resets = fresh.Workers, fresh.Record, fresh.Lengths, fresh.Resets
			if call%20 == 10 { // parameters of another version
				l.ResetParameters(g)
			}
			x := tensor.New(steps, batch, cfg.InputSize)
			if cfg.BatchFirst {
				x = tensor.New(batch, steps, cfg.InputSize)
			}
			rng.Randn(g, x.Data)
			y, sn, err := kept.Forward(x, State{})
			want, wantN, wantErr := fresh.Forward(x, State{})
			if err != nil || wantErr != nil {
				t.Fatal(err, wantErr)
			}
			what := fmt.Sprintf("%v, call %d, T=%d B=%d lengths %v: ", cfg, call, steps, batch, fresh.Lengths)
			testkit.Bits(t, what+"y", y.Data, want.Data)
			testkit.Bits(t, what+"h_n", sn.H.Data, wantN.H.Data)
			testkit.Bits(t, what+"c_n", sn.C.Data, wantN.C.Data)
			if !fresh.Record {
				continue
			}
			dy := tensor.New(y.Shape...)
			rng.Randn(g, dy.Data)
			dx, ds, err := kept.Backward(dy, State{})
			wantX, wantS, wantErr := fresh.Backward(dy, State{})
			if err != nil || wantErr != nil {
				t.Fatal(err, wantErr)
			}
			testkit.Bits(t, what+"dx", dx.Data, wantX.Data)
			testkit.Bits(t, what+"dh_0", ds.H.Data, wantS.H.Data)
		}
	}
}
