package modelfile

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// TestAModelsWeightsTakeTheirMemory: weights with an embedding and a head beside a layer
// are read into the model: nothing else takes memory.
func TestAModelsWeightsTakeTheirMemory(t *testing.T) {
	cfg := nn.Config{NumEmbeddings: 300, EmbeddingDim: 200, OutFeatures: 300, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 300}}
	m, err := nn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.ResetParameters(rng.New(1))
	var set checkpoint.Set
	bytes := 0
	for name, v := range m.StateDict() {
		set = append(set, checkpoint.Of(name, v))
		bytes += 4 * len(v.Data)
	}
	file := filepath.Join(t.TempDir(), "m.safetensors")
	load := func() (l *Loaded, err error) {
		f, err := Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return f.Load(Options{})
	}
	if err := safetensors.WriteFile(file, set, nil); err != nil {
		t.Fatal(err)
	}
	var l *Loaded
	if got := testkit.Allocated(func() { l, err = load() }); err != nil || got > uint64(bytes)*21/20 {
		t.Errorf("%d bytes of memory for %d of parameters, %v", got, bytes, err)
	}
	for name, v := range l.Model.StateDict() {
		testkit.BitsDense(t, name, v, m.StateDict()[name])
	}
	if l.Layer != l.Model.RNN() || len(l.Left) > 0 || len(l.Notes) != 1 || l.Notes[0] != NoteHead {
		t.Errorf("left %q, notes %q", l.Left, l.Notes)
	}
	for i := range set {
		if set[i].Name == "fc.bias" {
			set[i] = checkpoint.Of("fc.bias", tensor.New(3))
		}
	}
	if err := safetensors.WriteFile(file, set, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := load(); !errors.Is(err, unroll.ErrParams) {
		t.Errorf("a head of 300 with a bias of 3: %v", err)
	}
}
