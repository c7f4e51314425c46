package unroll_test

import (
	"errors"
	"math"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/scan"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

var everyMode = []unroll.Mode{unroll.RNNTanh, unroll.RNNReLU, unroll.LSTM, unroll.GRU}

// The gradients of biases are summed in pieces where a layer has more sums than
// a worker's scratch: with limits so low that 160 sums are three pieces, and with
// one piece, the gradients are the sums of the gradients of all steps.
func TestBiasGradientsInPieces(t *testing.T) {
	for _, mode := range everyMode {
		grads := func(workers int) []unroll.Param {
			layer := newTrial[float32](t, unroll.Config{Mode: mode, InputSize: 3, HiddenSize: 40, NumLayers: 2}, 1).layer
			p := &unroll.Pass{Layer: layer, Record: true, Workers: workers, Grads: layer.NewGrads()}
			x := tensor.New(5, 3, 3)
			rng.Randn(rng.New(2), x.Data)
			y, _, err := p.Forward(x, unroll.State{})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := p.Backward(y, unroll.State{}); err != nil {
				t.Fatal(err)
			}
			return p.Grads.Params()
		}
		want := grads(1)
		low := scan.LimitsInUse()
		low.GroupSums, low.RowTile = 1, 1 // scratch of 64 sums
		func() {
			defer scan.SetLimits(scan.SetLimits(low))
			for _, workers := range []int{1, 3} {
				for i, g := range grads(workers) {
					testkit.Bits(t, mode.String()+" "+g.Name, g.Value.Data, want[i].Value.Data)
				}
			}
		}()
	}
}

// Initial states closer to zero than 2^-100 are +0, in a pass, packed and in a
// stream: weights of 2^90 would make them visible.
func TestTinyInitialStatesAreZero(t *testing.T) {
	const tiny = 0x1p-110
	for _, mode := range everyMode {
		layer := newTrial[float32](t, unroll.Config{Mode: mode, InputSize: 2, HiddenSize: 3}, 1).layer
		layer.Update(func(params []unroll.Param) {
			for _, p := range params {
				for i := range p.Value.Data {
					switch p.Name {
					case "weight_hh_l0":
						p.Value.Data[i] = 0x1p100
					default:
						// what the LSTM adds to its cell state is so small that a
						// tiny one beside it would show
						p.Value.Data[i] *= 0x1p-96
					}
				}
			}
		})
		x := tensor.New(2, 1, 2)
		x.Data[0], x.Data[3] = .5, -.25
		state := func(v float32) unroll.State {
			s := unroll.State{H: tensor.New(1, 1, 3)}
			if mode == unroll.LSTM {
				s.C = tensor.New(1, 1, 3)
			}
			for _, d := range [][]float32{s.H.Data, s.C.Data} {
				for i := range d {
					d[i] = v
				}
			}
			return s
		}
		run := func(s unroll.State) (all []float32) {
			y, sn, err := layer.Forward(x, s)
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(append(all, y.Data...), sn.H.Data...), sn.C.Data...)
			ps, err := unroll.PackPadded(x, []int{2}, false, true)
			if err != nil {
				t.Fatal(err)
			}
			packed, _, err := (&unroll.Pass{Layer: layer}).ForwardPacked(ps, s)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, packed.Data.Data...)
			st, err := layer.NewStream(1)
			if err != nil {
				t.Fatal(err)
			}
			if err := st.SetState(s); err != nil {
				t.Fatal(err)
			}
			got := st.State()
			all = append(append(all, got.H.Data...), got.C.Data...)
			out := make([]float32, 3)
			if err := st.Step(out, x.Data[:2]); err != nil {
				t.Fatal(err)
			}
			return append(append(all, out...), st.State().C.Data...)
		}
		want := run(state(0))
		for _, v := range []float32{tiny, -tiny, math.SmallestNonzeroFloat32, float32(math.Copysign(0, -1))} {
			testkit.Bits(t, mode.String(), run(state(v)), want)
		}
		if got := run(state(0x1p-99)); equalBits(got, want) {
			t.Errorf("%v: a state of 2^-99 changes nothing, so this test sees nothing", mode)
		}
	}
}

func equalBits(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}

// Indices of a packed sequence that are no permutation are refused, whoever
// reads them.
func TestSortedIndicesAreAPermutation(t *testing.T) {
	layer := newTrial[float32](t, unroll.Config{InputSize: 2, HiddenSize: 3}, 1).layer
	for name, bad := range map[string][]int{
		"one twice": {0, 0, 2}, "last twice": {2, 1, 2}, "too few": {0, 1}, "too many": {0, 1, 2, 0},
		"negative": {-1, 0, 1}, "beyond": {0, 1, 3}, "none": {},
	} {
		ps := unroll.PackedSequence{Data: tensor.New(5, 2), BatchSizes: []int{3, 2}, SortedIndices: bad}
		if _, _, err := unroll.PadPacked(ps, false, 0, 0); !isArg(err, unroll.ErrLengths) {
			t.Errorf("PadPacked, %s: %v", name, err)
		}
		if _, _, err := (&unroll.Pass{Layer: layer}).ForwardPacked(ps, unroll.State{}); !errors.Is(err, unroll.ErrLengths) {
			t.Errorf("ForwardPacked, %s: %v", name, err)
		}
	}
	ps := unroll.PackedSequence{Data: tensor.New(5, 2), BatchSizes: []int{3, 2}, SortedIndices: []int{2, 0, 1}, UnsortedIndices: []int{2, 0, 1}}
	if _, _, err := unroll.PadPacked(ps, false, 0, 0); !isArg(err, unroll.ErrLengths) {
		t.Errorf("indices that are not each other's inverse: %v", err)
	}
}

// What docs/numerics.md says of the derivative of a ReLU: a sum between 0 and 2^-100
// is 0 and has none here, where PyTorch takes all of dh; from 2^-100 on it has it.
func TestReLUHasNoGradientBelowTheFlush(t *testing.T) {
	layer, err := unroll.New(unroll.Config{Mode: unroll.RNNReLU, InputSize: 1, HiddenSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	for sum, want := range map[float32]float32{0x1p-101: 0, 0x1p-100: 1, 0x1p-99: 1, -0x1p-99: 0} {
		layer.Update(func(params []unroll.Param) {
			for _, p := range params {
				p.Value.Data[0] = 0
				if p.Name == "bias_ih_l0" {
					p.Value.Data[0] = sum
				}
			}
		})
		p := &unroll.Pass{Layer: layer, Record: true, Grads: layer.NewGrads()}
		if _, _, err := p.Forward(tensor.New(1, 1), unroll.State{}); err != nil {
			t.Fatal(err)
		}
		one := tensor.New(1, 1)
		one.Data[0] = 1
		if _, _, err := p.Backward(one, unroll.State{}); err != nil {
			t.Fatal(err)
		}
		for _, g := range p.Grads.Params() {
			if g.Name == "bias_ih_l0" && g.Value.Data[0] != want {
				t.Errorf("a sum of %g: gradient %g, want %g", sum, g.Value.Data[0], want)
			}
		}
	}
}
