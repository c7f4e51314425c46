package live

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
)

// opened is a model that was saved in a folder and opened.
func opened(t testing.TB, cfg nn.Config, seed uint64) *model.Model {
	t.Helper()
	m, err := nn.New(cfg)
	must(t, err)
	m.ResetParameters(rng.New(seed))
	dir := filepath.Join(t.TempDir(), "m")
	must(t, m.Save(dir, ""))
	whole, err := model.Open(dir)
	must(t, err)
	t.Cleanup(func() { whole.Close() })
	return whole
}

var tokens = nn.Config{NumEmbeddings: 9, EmbeddingDim: 4, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 6, NumLayers: 2}, OutFeatures: 9}

// A whole model's sequences in company have the bits of its stream of each alone,
// through restarts; a resend is answered although no state has the output.
func TestModelsAreTargets(t *testing.T) {
	m := opened(t, tokens, 1)
	target, err := OfModel(m, model.RowsOptions{})
	must(t, err)
	path := filepath.Join(t.TempDir(), "snapshot")
	const n = 50
	alone := make([]*model.Stream, n)
	for i := range alone {
		alone[i], err = m.NewStream(model.RowsOptions{})
		must(t, err)
	}
	for restart := range 2 {
		p, err := Over(target, Options{Shards: 2, Snapshot: path})
		must(t, err)
		var hands sync.WaitGroup
		for i := range n {
			hands.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), uint64(restart)))
				y, want := make([]float32, 9), make([]float32, 9)
				for at := range uint64(6) {
					x := []float32{float32(rnd.IntN(9))}
					must(t, alone[i].Step(want, x))
					for range 2 { // and again, as after a lost answer
						clear(y)
						if err := p.StepAt(ctx, fmt.Sprint(i), 6*uint64(restart)+at, y, x); err != nil || !sameBits(y, want) {
							t.Errorf("%v, %v, alone %v", err, y, want)
						}
					}
				}
			})
		}
		hands.Wait()
		if restart == 0 {
			must(t, p.Close())
			continue
		}
		b, err := p.Capsule("3")
		must(t, err)
		f, err := safetensors.NewReader(bytes.NewReader(b), int64(len(b)))
		must(t, err)
		if got := f.Names(); len(got) != len(target.State())+1 || !slices.Contains(got, lastOutput) {
			t.Errorf("the capsule has %v", got)
		}
		must(t, p.Restore("copy", b))
		must(t, p.Close())
	}
}

// A token that there is not is refused alone, and neither marks nor changes its
// sequence.
func TestModelsRefuseOneRow(t *testing.T) {
	target, err := OfModel(opened(t, tokens, 1), model.RowsOptions{})
	must(t, err)
	p, err := Over(target, Options{Shards: 1})
	must(t, err)
	defer p.Close()
	y, want := make([]float32, 27), make([]float32, 9)
	keys := []string{"a", "b", "c"}
	err = p.StepAll(ctx, keys, y, []float32{1, 9, 1})
	var rows RowErrors
	var e *Error
	if !errors.As(err, &rows) || len(rows) != 1 || rows[0].Row != 1 || !errors.As(rows[0].Err, &e) || e.Kind != ErrInput || !strings.Contains(e.Error(), "9") {
		t.Errorf("%v", err)
	}
	if !sameBits(y[:9], y[18:]) {
		t.Errorf("neighbours have %v and %v after the same step", y[:9], y[18:])
	}
	copy(want, y)
	if err := p.StepAt(ctx, "b", 0, y[:9], []float32{1}); err != nil || !sameBits(y[:9], want) {
		t.Errorf("%v, %v, expected a first step %v", err, y[:9], want)
	}
}

// Options of a model belong to what it is.
func TestModelOptionsAreIdentity(t *testing.T) {
	m := opened(t, nn.Config{RNN: unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3}, OutFeatures: 2}, 1)
	plain, err := OfModel(m, model.RowsOptions{})
	must(t, err)
	if plain.Digest() != m.Digest() || plain.Signature() != m.Signature() {
		t.Error("a model without options is not itself")
	}
	same, err := OfModel(m, model.RowsOptions{})
	must(t, err)
	other, err := OfModel(opened(t, nn.Config{RNN: unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3}, OutFeatures: 2}, 2), model.RowsOptions{})
	must(t, err)
	if plain.Digest() != same.Digest() || plain.Digest() == other.Digest() || plain.Signature() != other.Signature() {
		t.Errorf("digests %.8s %.8s %.8s, signatures %q %q", plain.Digest(), same.Digest(), other.Digest(), plain.Signature(), other.Signature())
	}
	_, err = OfModel(opened(t, nn.Config{RNN: unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3, Bidirectional: true}, OutFeatures: 2}, 1), model.RowsOptions{})
	wants(t, "both directions", err, unroll.ErrUsage)
}
