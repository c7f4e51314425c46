package nn_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// Every parameter of a whole model, by finite differences, for both kinds of
// input, both kinds of output, and tied weights.
func TestModelGradients(t *testing.T) {
	pad := 1
	for name, cfg := range map[string]nn.Config{
		"tokens, all":   {NumEmbeddings: 5, EmbeddingDim: 3, PaddingIdx: &pad, OutFeatures: 4, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 4, NumLayers: 2}},
		"tokens, last":  {NumEmbeddings: 5, EmbeddingDim: 3, OutFeatures: 4, Output: "last", RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 4, Bidirectional: true, NumLayers: 2}},
		"tied":          {NumEmbeddings: 5, EmbeddingDim: 4, OutFeatures: 5, TieWeights: true, RNN: unroll.Config{Mode: unroll.RNNTanh, HiddenSize: 4}},
		"features, all": {OutFeatures: 3, NoHeadBias: true, RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 5, ProjSize: 2}},
		"batch first":   {NumEmbeddings: 5, EmbeddingDim: 3, OutFeatures: 4, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 4, BatchFirst: true}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := nn.NewOf[float64](cfg)
			if err != nil {
				t.Fatal(err)
			}
			g := rng.New(1)
			m.ResetParameters(g)
			in := nn.InputOf[float64]{Tokens: []int{0, 1, 2, 3, 4, 2, 0, 1}, T: 4, B: 2}
			if cfg.NumEmbeddings == 0 {
				in = nn.InputOf[float64]{Features: random(g, 4, 2, 3)}
			}
			p := nn.PassOf[float64]{Model: m, Train: true, Lengths: []int{4, 3}}
			targets := []int{0, 1, 2, 0, 1, 2, 0, -100}
			if cfg.Output == "last" {
				targets = targets[:2]
			}
			ce := nn.CrossEntropyOf[float64]{LabelSmoothing: .1}
			loss := func() float64 {
				m.Update(func() {})
				y, _, err := p.Forward(in, unroll.StateOf[float64]{})
				if err != nil {
					t.Fatal(err)
				}
				l, err := ce.Loss(y, targets, nil)
				if err != nil {
					t.Fatal(err)
				}
				return l
			}
			y, _, err := p.Forward(in, unroll.StateOf[float64]{})
			if err != nil {
				t.Fatal(err)
			}
			d := tensor.NewOf[float64](y.Shape...)
			if _, err := ce.Loss(y, targets, d.Data); err != nil {
				t.Fatal(err)
			}
			if err := p.Backward(d); err != nil {
				t.Fatal(err)
			}
			if err := p.Backward(d); !errors.Is(err, nn.ErrUsage) {
				t.Errorf("second Backward: %v", err)
			}
			for _, q := range p.Params() {
				if q.Name == "embedding.weight" && cfg.PaddingIdx != nil {
					continue // the padding row has no gradient by definition; its others are checked in the next case
				}
				testkit.Gradient(t, q.Name, loss, q.Value.Data, q.Grad.Data)
			}
		})
	}
}

// Workers split outputs, never sums.
func TestWorkersGiveTheSameBits(t *testing.T) {
	run := func(workers int) ([]float32, [][]float32) {
		m, err := nn.New(nn.Config{NumEmbeddings: 300, EmbeddingDim: 40, OutFeatures: 300, HeadDropout: .3, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 70, NumLayers: 2, Dropout: .2}})
		if err != nil {
			t.Fatal(err)
		}
		m.ResetParameters(rng.New(1))
		p := nn.Pass{Model: m, Train: true, Workers: workers, Generator: rng.New(2)}
		in := nn.Input{T: 12, B: 20, Tokens: make([]int, 240)}
		for i := range in.Tokens {
			in.Tokens[i] = i * 7 % 300
		}
		y, _, err := p.Forward(in, unroll.State{})
		if err != nil {
			t.Fatal(err)
		}
		out := y.Clone()
		if err := p.Backward(out); err != nil {
			t.Fatal(err)
		}
		var grads [][]float32
		for _, q := range p.Params() {
			grads = append(grads, q.Grad.Data)
		}
		return out.Data, grads
	}
	y1, g1 := run(1)
	y2, g2 := run(2)
	testkit.Bits(t, "logits", y2, y1)
	for i := range g1 {
		testkit.Bits(t, "gradient", g2[i], g1[i])
	}
}

func TestFolder(t *testing.T) {
	for _, tie := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "model")
		cfg := nn.Config{
			NumEmbeddings: 5, EmbeddingDim: 4, OutFeatures: 5, TieWeights: tie,
			RNN:  unroll.Config{Mode: unroll.LSTM, HiddenSize: 4, NumLayers: 1},
			Meta: map[string]json.RawMessage{"about": json.RawMessage(`"<é>"`)},
		}
		m, err := nn.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m.ResetParameters(rng.New(1))
		if err := m.Save(dir, "# A model\n"); err != nil {
			t.Fatal(err)
		}
		n, err := nn.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Config(); string(got.Meta["about"]) != `"<é>"` || got.RNN != m.Config().RNN || got.TieWeights != tie {
			t.Errorf("config came back as %+v", got)
		}
		for name, v := range m.StateDict() {
			testkit.BitsDense(t, name, n.StateDict()[name], v)
		}
		// a link out of the folder
		outside := filepath.Join(t.TempDir(), "w")
		if err := os.Rename(filepath.Join(dir, nn.WeightsFile), outside); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(dir, nn.WeightsFile)); err != nil {
			t.Skip(err)
		}
		if _, err := nn.Open(dir); !errors.Is(err, nn.ErrFolder) {
			t.Errorf("weights outside the folder: %v", err)
		}
		if err := m.Save(dir, ""); !errors.Is(err, nn.ErrFolder) {
			t.Errorf("saving through a link to outside: %v", err)
		}
	}
}

// A config that asks for more than the weights file holds takes no memory.
func TestFolderThatLies(t *testing.T) {
	dir := t.TempDir()
	m, _ := nn.New(nn.Config{NumEmbeddings: 5, EmbeddingDim: 4, OutFeatures: 5, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 4}})
	if err := m.Save(dir, ""); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		`{"num_embeddings":100000,"embedding_dim":20000,"out_features":5,"rnn":{"mode":"LSTM","hidden_size":4}}`,
		`{"num_embeddings":5,"embedding_dim":4,"out_features":5,"rnn":{"mode":"LSTM","hidden_size":200000000,"num_layers":200000000}}`,
		`{"num_embeddings":5,"embedding_dim":4,"out_features":-5,"rnn":{"mode":"LSTM","hidden_size":4}}`,
		`{"num_embeddings":5,"embedding_dim":4,"out_features":5,"rnn":{"mode":"XSTM","hidden_size":4}}`,
		`{`, ``, `[]`,
	} {
		if err := os.WriteFile(filepath.Join(dir, nn.ConfigFile), []byte(bad), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := nn.Open(dir); err == nil {
			t.Errorf("%s was opened", bad)
		}
	}
}

func TestPassRefuses(t *testing.T) {
	m, _ := nn.New(nn.Config{NumEmbeddings: 5, EmbeddingDim: 4, OutFeatures: 5, HeadDropout: .5, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 4}})
	for name, c := range map[string]struct {
		m     *nn.Model
		train bool
		in    nn.Input
		kind  error
	}{
		"no model":                 {nil, false, nn.Input{}, nn.ErrUsage},
		"token beyond the table":   {m, false, nn.Input{Tokens: []int{5}, T: 1, B: 1}, nn.ErrIndex},
		"tokens that are no T*B":   {m, false, nn.Input{Tokens: []int{1}, T: 2, B: 1}, nn.ErrShape},
		"dropout without a source": {m, true, nn.Input{Tokens: []int{1}, T: 1, B: 1}, nn.ErrUsage},
	} {
		p := nn.Pass{Model: c.m, Train: c.train}
		if _, _, err := p.Forward(c.in, unroll.State{}); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
