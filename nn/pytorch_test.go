package nn_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
)

// A saved folder loads into PyTorch with load_state_dict(strict=True) and
// gives the same loss.
func TestPyTorchLoadsTheFolder(t *testing.T) {
	for name, cfg := range map[string]nn.Config{
		"LSTM with projection": {NumEmbeddings: 9, EmbeddingDim: 5, OutFeatures: 9, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 8, NumLayers: 2, ProjSize: 3}},
		"last state, both":     {NumEmbeddings: 9, EmbeddingDim: 5, OutFeatures: 4, Output: "last", RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 8, Bidirectional: true, NumLayers: 2}},
		"tied":                 {NumEmbeddings: 9, EmbeddingDim: 8, OutFeatures: 9, TieWeights: true, RNN: unroll.Config{Mode: unroll.RNNReLU, HiddenSize: 8}},
	} {
		dir := t.TempDir()
		m, err := nn.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m.ResetParameters(rng.New(3))
		if err := m.Save(dir, "# A test\n"); err != nil {
			t.Fatal(err)
		}
		in := nn.Input{T: 6, B: 2}
		tokens, targets := make([][]int, 6), []int{}
		for k := range 12 {
			in.Tokens = append(in.Tokens, k*5%9)
			tokens[k/2] = append(tokens[k/2], k*5%9)
			if cfg.Output != "last" || k < 2 {
				targets = append(targets, k%cfg.OutFeatures)
			}
		}
		p := nn.Pass{Model: m}
		y, _, err := p.Forward(in, unroll.State{})
		if err != nil {
			t.Fatal(err)
		}
		loss, err := (&nn.CrossEntropy{}).Loss(y, targets, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(map[string]any{"tokens": tokens, "targets": targets, "loss": loss})
		if err := os.WriteFile(filepath.Join(dir, "case.json"), b, 0o666); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s", name, testkit.Torch(t, "../examples/pytorch/load_in_pytorch.py", dir, filepath.Join(dir, "case.json")))
	}
}
