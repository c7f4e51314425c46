package unroll_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/ref"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// lowConfigs are layers of every cell, with projection, settings and directions.
var lowConfigs = []unroll.Config{
	{Mode: unroll.RNNTanh, InputSize: 5, HiddenSize: 20, NumLayers: 2},
	{Mode: unroll.LSTM, InputSize: 7, HiddenSize: 33, NumLayers: 2},
	{Mode: unroll.LSTM, InputSize: 16, HiddenSize: 32, ProjSize: 11, Bidirectional: true},
	{Mode: unroll.GRU, InputSize: 9, HiddenSize: 40, NumLayers: 3},
	{Mode: unroll.GRU, InputSize: 9, HiddenSize: 17, Variant: unroll.Variant{ResetBefore: true}},
	{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 64, Variant: unroll.Variant{Peepholes: true, Clip: 0.5}},
}

// lowSeed draws the layers of these tests.
const lowSeed = 5

// quantized returns a trial of a layer in a precision, and that of the layer
// itself.
func quantized(t *testing.T, c unroll.Config, p unroll.Precision, keep ...int) (low, full trial[float32]) {
	t.Helper()
	full = newTrial[float32](t, c, lowSeed)
	full.t, full.b = 5, 2
	full.fill(true)
	low = full
	l, err := full.layer.Quantize(p, keep...)
	must(t, err)
	low.layer, low.low = l, true
	return low, full
}

// TestInt8IsTheTextbook: a layer of int8 gives what scalar loops in float64 give of
// its rounded weights and of inputs and states that are rounded before each
// product. The bound is that of float32. (Where a number lies within a float32
// rounding of the middle between two steps the two may differ by a whole step; it
// does for none of these.)
func TestInt8IsTheTextbook(t *testing.T) {
	for _, c := range lowConfigs {
		for _, keep := range [][]int{nil, {0}} {
			t.Run(fmt.Sprint(c, keep), func(t *testing.T) {
				k, _ := quantized(t, c, unroll.Int8, keep...)
				p := k.pass()
				p.Record = true
				y, sn, err := p.Forward(k.x, k.s0)
				must(t, err)
				want := ref.Run(k.textbook(t, p))
				const rel = 64 * 0x1p-23
				for name, err := range map[string]error{
					"y": near(k.timeFirst(y), want.Y, rel), "h_n": near(sn.H.Data, want.HN, rel), "c_n": near(sn.C.Data, want.CN, rel),
				} {
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
	}
}

// TestBFloat16IsItsRoundedWeights: such a layer has the bits of one of float32 with
// the parameters it shows, and those have 8 binary digits.
func TestBFloat16IsItsRoundedWeights(t *testing.T) {
	for _, c := range lowConfigs {
		low, full := quantized(t, c, unroll.BFloat16)
		full.layer.Update(func(params []unroll.Param) {
			for i, p := range low.layer.Params() {
				copy(params[i].Value.Data, p.Value.Data)
				if isMatrix := len(p.Value.Shape) == 2; !isMatrix {
					continue
				}
				for _, v := range p.Value.Data {
					if math.Float32bits(v)&0xffff != 0 {
						t.Fatalf("%s holds %x", p.Name, v)
					}
				}
			}
		})
		if err := low.forward(t, low.pass()).same(full.forward(t, full.pass())); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

// TestQuantizeKeepsResultsClose: outputs stay within a few steps of a 127th, and are
// not those of full precision.
func TestQuantizeKeepsResultsClose(t *testing.T) {
	for _, c := range lowConfigs {
		k, full := quantized(t, c, unroll.Int8)
		got, want := k.forward(t, k.pass()), full.forward(t, full.pass())
		far := 0.0
		for i, v := range got[0].data {
			far = max(far, math.Abs(float64(v-want[0].data[i])))
		}
		if far == 0 || far > 0.03 {
			t.Errorf("%s: the largest error is %g", c, far)
		}
	}
}

// TestQuantizedParametersAreWhatComputes: the parameters of a quantised layer are a
// fixed point, which a layer loads and has the same bits.
func TestQuantizedParametersAreWhatComputes(t *testing.T) {
	for _, c := range lowConfigs {
		k, full := quantized(t, c, unroll.Int8)
		loaded, err := unroll.New(c)
		must(t, err)
		tensors := map[string]tensor.Dense{}
		for _, p := range k.layer.Params() {
			tensors[p.Name] = p.Value
		}
		must(t, loaded.Load(tensors))
		again, err := loaded.Quantize(unroll.Int8)
		must(t, err)
		if again.Digest() != k.layer.Digest() {
			t.Errorf("%s: rounding rounded weights changed them", c)
		}
		want := k.forward(t, k.pass())
		for name, l := range map[string]*unroll.Layer{"loaded": again, "of the full one": mustQuantize(t, full.layer)} {
			k.layer = l
			if err := k.forward(t, k.pass()).same(want); err != nil {
				t.Errorf("%s, %s: %v", c, name, err)
			}
		}
	}
}

func mustQuantize(t *testing.T, l *unroll.Layer) *unroll.Layer {
	t.Helper()
	q, err := l.Quantize(unroll.Int8)
	must(t, err)
	return q
}

// TestQuantizeSharesNothing: neither layer sees what happens to the other.
func TestQuantizeSharesNothing(t *testing.T) {
	low, full := quantized(t, lowConfigs[1], unroll.Int8)
	want, wantFull := low.forward(t, low.pass()), full.forward(t, full.pass())
	double := func(params []unroll.Param) {
		for _, p := range params {
			for i := range p.Value.Data {
				p.Value.Data[i] *= 2
			}
		}
	}
	full.layer.Update(double)
	if err := low.forward(t, low.pass()).same(want); err != nil {
		t.Errorf("the quantised layer changed: %v", err)
	}
	low.layer.Update(double) // which rounds the doubled weights: exactly twice
	if low.forward(t, low.pass()).same(want) == nil {
		t.Error("the quantised layer does not see its own update")
	}
	full.layer.ResetParameters(rng.New(lowSeed))
	if err := full.forward(t, full.pass()).same(wantFull); err != nil {
		t.Errorf("the full layer changed: %v", err)
	}
}

// TestPrecisionIsPartOfTheLayer: signature, digest and Split tell it.
func TestPrecisionIsPartOfTheLayer(t *testing.T) {
	low, full := quantized(t, lowConfigs[3], unroll.Int8, 1)
	if got := fmt.Sprint(low.layer.Precisions()); got != "[int8 float32 int8]" {
		t.Errorf("precisions %s", got)
	}
	if s := low.layer.Signature(); !strings.HasSuffix(s, " weights[int8,float32,int8]") {
		t.Errorf("signature %s", s)
	}
	if s := full.layer.Signature(); strings.Contains(s, "weights") {
		t.Errorf("signature %s", s)
	}
	for n, parts := range low.layer.Split() {
		if got, want := parts[0].Precisions()[0], low.layer.Precisions()[n]; got != want {
			t.Errorf("layer %d is %v, want %v", n, got, want)
		}
	}
	// Precision alone changes the digest, also where the numbers are the same.
	same, err := unroll.New(lowConfigs[3])
	must(t, err)
	same.Update(func(params []unroll.Param) {
		for i, p := range low.layer.Params() {
			copy(params[i].Value.Data, p.Value.Data)
		}
	})
	if same.Digest() == low.layer.Digest() {
		t.Error("a layer of float32 has the digest of one of int8")
	}
	for p := unroll.Full; p <= lastPrecision; p++ {
		if got, err := unroll.ParsePrecision(p.String()); got != p || err != nil {
			t.Errorf("%v is parsed as %v, %v", p, got, err)
		}
	}
}

// TestQuantizeRefuses says what cannot be, and names it.
func TestQuantizeRefuses(t *testing.T) {
	low, full := quantized(t, lowConfigs[1], unroll.Int8)
	train := low.pass()
	train.Train = true
	_, _, trained := train.Forward(low.x, low.s0)
	_, ofDouble := newTrial[float64](t, lowConfigs[0], 1).layer.Quantize(unroll.Int8)
	_, unknown := full.layer.Quantize(9)
	_, missing := full.layer.Quantize(unroll.Int8, 2)
	_, word := unroll.ParsePrecision("int4")
	_, unmade := new(unroll.Layer).Quantize(unroll.Int8)
	for what, c := range map[string]struct {
		err  error
		says string
	}{
		"training":           {trained, "layer 0 of LSTM(7, 33, num_layers=2) in int8"},
		"float64":            {ofDouble, "float64"},
		"no precision":       {unknown, "Precision(9)"},
		"a layer too many":   {missing, "layer 2"},
		"a name":             {word, `"int4"`},
		"a layer never made": {unmade, "zero value"},
	} {
		if !errors.Is(c.err, unroll.ErrUsage) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v", what, c.err)
		}
	}
}

// TestInt8StreamAllocatesNothing after its first step, nor does a pass.
func TestInt8StreamAllocatesNothing(t *testing.T) {
	low, _ := quantized(t, lowConfigs[3], unroll.Int8)
	s, err := low.layer.NewStream(3)
	must(t, err)
	x, y := make([]float32, 3*9), make([]float32, 3*40)
	p := low.pass()
	if n := testing.AllocsPerRun(5, func() {
		must(t, s.Step(y, x))
		_, _, err := p.Forward(low.x, low.s0)
		must(t, err)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestInt8NaNStaysInItsStep: a row with a NaN has no result, and no other row minds.
func TestInt8NaNStaysInItsSequence(t *testing.T) {
	low, _ := quantized(t, lowConfigs[1], unroll.Int8)
	want := low.forward(t, low.pass())
	low.x.Data[low.at(1, 1, 7)+2] = float32(math.NaN())
	got := low.forward(t, low.pass())
	for i := range low.t {
		for b := range low.b {
			at := low.at(i, b, 33)
			y, w := got[0].data[at:at+33], want[0].data[at:at+33]
			if b == 1 && i >= 1 {
				for _, v := range y {
					if v == v {
						t.Fatalf("step %d of the sequence with a NaN has %g", i, v)
					}
				}
			} else if err := testkit.SameBits(y, w); err != nil {
				t.Fatalf("step %d of sequence %d: %v", i, b, err)
			}
		}
	}
}
