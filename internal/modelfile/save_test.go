package modelfile

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// drawn returns layers and models of every kind with drawn parameters.
func drawn(t *testing.T) map[string]*Loaded {
	t.Helper()
	all := map[string]*Loaded{}
	for i, c := range []unroll.Config{
		{Mode: unroll.RNNTanh, InputSize: 3, HiddenSize: 5},
		{Mode: unroll.RNNReLU, InputSize: 3, HiddenSize: 5, NumLayers: 2, Bidirectional: true},
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 3, BatchFirst: true},
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 2, Bidirectional: true, NoBias: true},
		{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NumLayers: 2, Bidirectional: true, BatchFirst: true},
		{Mode: unroll.GRU, InputSize: 1, HiddenSize: 1},
	} {
		layer, err := unroll.New(c)
		if err != nil {
			t.Fatal(err)
		}
		layer.ResetParameters(rng.New(uint64(i)))
		all[fmt.Sprintf("%d %s", i, c)] = &Loaded{Layer: layer}
	}
	for i, c := range []nn.Config{
		{RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 4, NumLayers: 2}, NumEmbeddings: 7, EmbeddingDim: 3, OutFeatures: 7},
		{RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 4, Bidirectional: true, BatchFirst: true}, NumEmbeddings: 7, EmbeddingDim: 3, OutFeatures: 2, Output: "last"},
		{RNN: unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NumLayers: 2}, OutFeatures: 2, Output: "last", NoHeadBias: true},
	} {
		m, err := nn.New(c)
		if err != nil {
			t.Fatal(err)
		}
		m.ResetParameters(rng.New(uint64(i)))
		all[fmt.Sprintf("model %d", i)] = &Loaded{Layer: m.RNN(), Model: m}
	}
	return all
}

func TestWhatONNXWritesReadsBackTheSame(t *testing.T) {
	for name, l := range drawn(t) {
		for _, opset := range []int64{7, 9, 10, 13, 17, 22} {
			t.Run(fmt.Sprint(name, " opset ", opset), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "x.onnx")
				if _, err := l.Save(path, ONNX, opset); err != nil {
					t.Fatal(err)
				}
				f, err := Open(path)
				if err != nil {
					t.Fatal(err)
				}
				if f.ONNX.Opset != opset {
					t.Errorf("opset %d", f.ONNX.Opset)
				}
				again, err := f.Load(Options{})
				if err != nil {
					t.Fatal(err)
				}
				same(t, again, l)
			})
		}
	}
}

// same wants equal configs and the same bits.
func same(t *testing.T, got, want *Loaded) {
	t.Helper()
	a, b := got.Layer.Config(), want.Layer.Config()
	a.NumLayers, b.NumLayers = a.Layers(), b.Layers()
	if a != b || (got.Model == nil) != (want.Model == nil) {
		t.Fatalf("got %s, want %s", a, b)
	}
	if want.Model != nil && got.Model.Config().Output != want.Model.Config().Output {
		t.Errorf("output %s, want %s", got.Model.Config().Output, want.Model.Config().Output)
	}
	x, y := got.Tensors(), want.Tensors()
	if len(x) != len(y) {
		t.Fatalf("%d tensors, want %d", len(x), len(y))
	}
	for i := range y {
		if x[i].Name != y[i].Name || !bytes.Equal(x[i].Data, y[i].Data) {
			t.Errorf("%s differs from %s", x[i].Name, y[i].Name)
		}
	}
}

func TestEveryFormatReadsBackTheSame(t *testing.T) {
	for name, l := range drawn(t) {
		for _, to := range []string{"m.safetensors", "m.npz", "m.pt", "m.onnx", "folder"} {
			if to == "folder" && l.Model == nil {
				continue
			}
			t.Run(name+" "+to, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), to)
				format, err := FormatOf(path)
				if err != nil {
					t.Fatal(err)
				}
				left, err := l.Save(path, format, 0)
				if err != nil {
					t.Fatal(err)
				}
				opt := Options{}
				m := l.Layer.Config().Mode
				opt.Mode, opt.BatchFirst = &m, l.Layer.Config().BatchFirst
				if to != "m.onnx" && to != "folder" && l.Model != nil {
					if len(left) == 0 {
						t.Error("it does not say that the config is left out")
					}
					opt.Head = l.Model.Config().Output // the very thing that is left out
				}
				same(t, load(t, path, opt), l)
			})
		}
	}
}

// run draws inputs and runs a layer or model on them.
func run(t *testing.T, l *Loaded) (feed checkpoint.Set, y tensor.Dense, sn unroll.State) {
	t.Helper()
	const T, B = 6, 3
	g, c := rng.New(5), l.Layer.Config()
	draw := func(shape ...int) tensor.Dense {
		d := tensor.New(shape...)
		rng.Randn(g, d.Data)
		return d
	}
	rows := c.Layers() * c.Directions()
	s0 := unroll.State{H: draw(rows, B, c.HiddenSize)}
	feed = append(feed, checkpoint.Of("h0", s0.H))
	if c.HasCell() {
		s0.C = draw(rows, B, c.HiddenSize)
		feed = append(feed, checkpoint.Of("c0", s0.C))
	}
	outer := []int{T, B}
	if c.BatchFirst {
		outer = []int{B, T}
	}
	var err error
	switch {
	case l.Model == nil:
		x := draw(append(outer, c.InputSize)...)
		feed = append(feed, checkpoint.Of("input", x))
		y, sn, err = l.Layer.Forward(x, s0)
	case l.Model.Embedding() == nil:
		x := draw(append(outer, c.InputSize)...)
		feed = append(feed, checkpoint.Of("input", x))
		p := nn.Pass{Model: l.Model}
		y, sn, err = p.Forward(nn.Input{Features: x}, s0)
	default:
		tokens := make([]int, T*B)
		wide := make([]int64, T*B)
		for i := range tokens {
			tokens[i] = i * 5 % l.Model.Config().NumEmbeddings
			wide[i] = int64(tokens[i])
		}
		feed = append(feed, checkpoint.OfInts("tokens", wide, outer...))
		p := nn.Pass{Model: l.Model}
		y, sn, err = p.Forward(nn.Input{Tokens: tokens, T: T, B: B}, s0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return feed, y, sn
}

// What commit 1caf50d wrote is still the layer or model that it was written of.
func TestFilesWrittenBeforeAreRead(t *testing.T) {
	const onnx = "../../checkpoint/onnx/testdata/"
	for written, from := range map[string]string{
		"language": "golden/lstm_language_model", "final": "exporters/torch_lstm_bi_final", "batch_first": "golden/gru_3layers_batchfirst",
		"relu": "golden/rnn_relu_2layers_hx", "peepholes": "operators/lstm_bi_peepholes_clip",
	} {
		t.Run(written, func(t *testing.T) {
			same(t, load(t, "testdata/written/"+written+".onnx", Options{}), load(t, onnx+from+".onnx", Options{}))
		})
	}
}
