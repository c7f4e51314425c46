package nn_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/ref"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// lowModels are models of every form of input and head.
var lowModels = []nn.Config{
	{RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 5, HiddenSize: 40, NumLayers: 2}, OutFeatures: 70},
	{NumEmbeddings: 30, RNN: unroll.Config{Mode: unroll.GRU, InputSize: 12, HiddenSize: 20, BatchFirst: true}, OutFeatures: 3, Output: "last"},
	{NumEmbeddings: 25, RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 24, HiddenSize: 24}, OutFeatures: 25, TieWeights: true},
}

func lowModel(t *testing.T, c nn.Config, p unroll.Precision, keep ...string) (low, full *nn.Model, in nn.Input) {
	t.Helper()
	full, err := nn.New(c)
	must(t, err)
	full.ResetParameters(rng.New(1))
	low, err = full.Quantize(p, keep...)
	must(t, err)
	const steps, batch = 6, 3
	if c.NumEmbeddings > 0 {
		in = nn.Input{T: steps, B: batch}
		for i := range steps * batch {
			in.Tokens = append(in.Tokens, i*7%c.NumEmbeddings)
		}
		return low, full, in
	}
	in.Features = tensor.New(steps, batch, c.RNN.InputSize)
	rng.Randn(rng.New(2), in.Features.Data)
	return low, full, in
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func logits(t *testing.T, m *nn.Model, in nn.Input, workers int) []float32 {
	t.Helper()
	p := nn.Pass{Model: m, Workers: workers}
	y, _, err := p.Forward(in, unroll.State{})
	must(t, err)
	return slices.Clone(y.Data)
}

// TestQuantizedModelSavesAndOpens: a folder of a quantised model opens with the same
// bits, at every level and for any number of workers, and its weights take a
// quarter of the bytes (half with bfloat16) but for biases and scales.
func TestQuantizedModelSavesAndOpens(t *testing.T) {
	for i, c := range lowModels {
		for _, p := range []unroll.Precision{unroll.Int8, unroll.BFloat16} {
			for _, keep := range [][]string{nil, {"rnn"}, {"fc"}} {
				if c.TieWeights && slices.Contains(keep, "fc") {
					continue
				}
				t.Run(fmt.Sprint(i, p, keep), func(t *testing.T) {
					low, full, in := lowModel(t, c, p, keep...)
					dir := t.TempDir()
					must(t, low.Save(dir, ""))
					opened, err := nn.Open(dir)
					must(t, err)
					want := logits(t, low, in, 1)
					levels.Each(func(level string) {
						for _, workers := range []int{1, 3} {
							testkit.Bits(t, level, logits(t, opened, in, workers), want)
						}
					})
					if got := opened.Config().Precision; fmt.Sprint(got) != fmt.Sprint(low.Config().Precision) || len(got) == 0 {
						t.Errorf("opened with precision %v", got)
					}
					far := 0.0
					for i, v := range logits(t, full, in, 1) {
						far = max(far, math.Abs(float64(v-want[i])))
					}
					if far == 0 || far > 0.05 {
						t.Errorf("the largest error is %g", far)
					}
					if len(keep) > 0 {
						return
					}
					must(t, full.Save(filepath.Join(dir, "full"), ""))
					most := map[unroll.Precision]int64{unroll.Int8: 45, unroll.BFloat16: 58}[p] // biases, scales and the header stay
					if a, b := size(t, dir), size(t, filepath.Join(dir, "full")); a*100 > b*most {
						t.Errorf("%d bytes, of float32 %d", a, b)
					}
				})
			}
		}
	}
}

func size(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, nn.WeightsFile))
	must(t, err)
	return info.Size()
}

// TestQuantizedModelIsItsParts: logits are those of the quantised layer, and of a
// head whose rows were rounded and whose inputs are.
func TestQuantizedModelIsItsParts(t *testing.T) {
	low, _, in := lowModel(t, lowModels[0], unroll.Int8)
	y, _, err := low.RNN().Forward(in.Features, unroll.State{})
	must(t, err)
	got, w, b := logits(t, low, in, 1), low.Head().Weight(), low.Head().Bias()
	in2, out := w.Shape[1], w.Shape[0]
	for r := range len(y.Data) / in2 {
		x := make([]float64, in2)
		for k := range x {
			x[k] = float64(y.Data[r*in2+k])
		}
		x = ref.Steps(x)
		for o := range out {
			sum := float64(b.Data[o])
			for k, v := range x {
				sum += v * float64(w.Data[o*in2+k])
			}
			if d := math.Abs(sum - float64(got[r*out+o])); d > 1e-6 {
				t.Fatalf("row %d, column %d: %g, want %g", r, o, got[r*out+o], sum)
			}
		}
	}
}

// TestQuantizedModelStreams: a stream gives the bits of a pass.
func TestQuantizedModelStreams(t *testing.T) {
	low, _, in := lowModel(t, lowModels[0], unroll.Int8)
	want := logits(t, low, in, 1)
	s, err := low.NewStream(3)
	must(t, err)
	y := make([]float32, 3*70)
	for i := range 6 {
		must(t, s.Step(y, in.Features.Data[i*15:(i+1)*15]))
		testkit.Bits(t, fmt.Sprint("step ", i), y, want[i*210:(i+1)*210])
	}
	if n := testing.AllocsPerRun(5, func() { must(t, s.Step(y, in.Features.Data[:15])) }); n != 0 {
		t.Errorf("%v allocations a step", n)
	}
}

// TestQuantizeRefusesModels: training, parts that are not there, and damaged scales.
func TestQuantizeRefusesModels(t *testing.T) {
	low, full, in := lowModel(t, lowModels[0], unroll.Int8, "rnn")
	p := nn.Pass{Model: low, Train: true}
	if _, _, err := p.Forward(in, unroll.State{}); !errors.Is(err, nn.ErrUsage) || !strings.Contains(err.Error(), "fc:int8") {
		t.Errorf("training: %v", err)
	}
	if _, err := full.Quantize(unroll.Int8, "rnn.l2"); !errors.Is(err, nn.ErrUsage) || !strings.Contains(err.Error(), "rnn.l0, rnn.l1, fc") {
		t.Errorf("a part too many: %v", err)
	}
	x := tensor.New(1, 40)
	if _, err := low.Head().Backward(x, tensor.New(1, 70), tensor.New(70, 40), tensor.New(70)); !errors.Is(err, nn.ErrUsage) {
		t.Errorf("backward: %v", err)
	}
	c := lowModels[2]
	c.Precision = map[string]unroll.Precision{"fc": unroll.Int8}
	if _, err := nn.New(c); !errors.Is(err, nn.ErrConfig) {
		t.Errorf("tied weights of two precisions: %v", err)
	}
	c.Precision = map[string]unroll.Precision{"head": unroll.Int8}
	if _, err := nn.New(c); !errors.Is(err, nn.ErrConfig) {
		t.Errorf("an unknown part: %v", err)
	}
}
