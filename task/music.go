package task

import (
	"context"
	"fmt"
	"io"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

// Music predicts the next step of a piano roll, and so composes. Its files are
// cut into parts already: of Cut, only Batch is used.
type Music struct {
	Cut

	Keys int // of a step, learnt
}

// NewMusic returns the task with default options.
func NewMusic() *Music { return &Music{Cut: newCut()} }

var musicKind = Kind{
	Name: "music", Title: "A model of music", Causal: true,
	Reads: `piano rolls, {"dim":88,"train":[...],"valid":[...],"test":[...]}`,
	New:   func() Task { return NewMusic() },
}

// Kind implements Task.
func (t *Music) Kind() Kind { return musicKind }

// Arguments implements Task.
func (t *Music) Arguments() []Argument { return t.arguments() }

// Load implements Task.
func (t *Music) Load(path string) (*Set, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	r, err := data.ReadRolls(t.file(path))
	if err != nil {
		return nil, err
	}
	if t.Keys != 0 && t.Keys != r.Dim {
		return nil, data.Fault(path, 0, "it has %d keys, the model %d", r.Dim, t.Keys)
	}
	t.Keys = r.Dim
	of := func(p [][][]int) train.Data {
		if len(p) == 0 {
			return nil
		}
		return data.BatchRolls(p, r.Dim, t.Batch)
	}
	s := &Set{
		Objective: &train.KeysOf[float32]{}, Loss: "keys", Unit: "nats a step", Items: "steps",
		Train: of(r.Train), Valid: of(r.Valid), Test: of(r.Test),
		About: fmt.Sprintf("piano rolls of %d keys: %d pieces for training, %d for validation, %d for test", r.Dim, len(r.Train), len(r.Valid), len(r.Test)),
	}
	return s, data.CheckPadding(path, s.Train, s.Valid, s.Test)
}

// Network implements Task.
func (t *Music) Network() (c nn.Config) {
	c.RNN.InputSize, c.OutFeatures = t.Keys, t.Keys
	return c
}

func (t *Music) metadata() metadata { return metadata{Source: t.source()} }

func (t *Music) restore(m metadata) { t.Cut.restore(m.Source) }

func (t *Music) misfit(c nn.Config) string {
	t.Keys = c.OutFeatures // config.json says it nowhere else
	var m misfits
	m.output(c, "all")
	m.number("num_embeddings", c.NumEmbeddings, 0, "for keys are played")
	m.number("input_size", c.RNN.InputSize, c.OutFeatures, "out_features")
	return m.first
}

func (t *Music) watch(*Set, *Measurement) func(*train.Batch, tensor.Dense) error { return nil }

// given is how many steps of a piece Answer begins with.
const given = 16

// Answer implements Task: it composes q.Length steps into the MIDI file q.File,
// from the first 16 steps of the first piece of the test part of q.Input, or
// from a chord.
func (t *Music) Answer(_ context.Context, m *nn.Model, q Query) error {
	if q.File == "" {
		return badArg("output", "is missing: where should the music go? give FILE.mid")
	}
	var begin [][]int
	if q.Input != "" {
		r, err := data.ReadRolls(fileOf(q.Input, q.In))
		if err != nil {
			return err
		}
		if r.Dim != t.Keys {
			return fmt.Errorf("%s has %d keys, the model %d", q.Input, r.Dim, t.Keys)
		}
		piece := shown(r)[0]
		begin = piece[:min(given, len(piece))]
	}
	steps, err := t.Compose(m, begin, q)
	if err != nil {
		return err
	}
	if q.File == std {
		err = WriteMIDI(q.Out, steps)
	} else {
		err = atomicfile.Write(q.File, func(w io.Writer) error { return WriteMIDI(w, steps) })
	}
	if err == nil {
		q.log("%d steps in %s", len(steps), q.File)
	}
	return err
}

// shown are the pieces to show: of the test part, or where there is none of the
// validation part.
func shown(r data.Rolls) [][][]int {
	if len(r.Test) == 0 {
		return r.Valid
	}
	return r.Test
}

// Compose goes on from begin, or from a chord if that is empty, until there are
// q.Length steps; the keys of each step are drawn one by one from their
// probabilities. A step is the list of its keys. It is an ErrArgument if a key
// of begin or a field of q cannot be.
func (t *Music) Compose(m *nn.Model, begin [][]int, q Query) ([][]int, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	for i, step := range begin {
		for _, k := range step {
			if k < 0 || k >= t.Keys {
				return nil, badArg("begin", "has key %d in step %d, expected 0 to %d", k, i, t.Keys-1)
			}
		}
	}
	steps := append([][]int{}, begin...)
	if len(steps) == 0 {
		steps = append(steps, []int{39, 46, 51, 55}) // a chord to begin with
		if t.Keys < 56 {
			steps[0] = []int{0}
		}
	}
	pass := nn.Pass{Model: m, Workers: 1}
	g := rng.New(q.Seed)
	x := tensor.New(1, 1, t.Keys)
	var s unroll.State
	for i := 0; len(steps) < q.Length; i++ {
		clear(x.Data)
		for _, k := range steps[i] {
			x.Data[k] = 1
		}
		y, sn, err := pass.Forward(nn.Input{Features: x}, s)
		if err != nil {
			return nil, err
		}
		s = sn.Clone()
		if i+1 < len(steps) {
			continue
		}
		var next []int
		u := make([]float64, t.Keys)
		rng.Rand(g, u)
		for k, v := range y.Data {
			if u[k] < 1/(1+nn.Exp(-float64(v)/q.Temperature)) {
				next = append(next, k)
			}
		}
		steps = append(steps, next)
	}
	return steps, nil
}

// Sequence implements Task: the nth piece of a .json file's test part, or where
// there is none of its validation part.
func (t *Music) Sequence(path string, nth int) (in Reading, ok bool, err error) {
	if ending(path) != ".json" {
		return in, false, nil
	}
	r, err := data.ReadRolls(data.File{Path: path})
	if err != nil {
		return in, true, err
	}
	part := shown(r)
	if nth < 0 || nth >= len(part) {
		return in, true, badArg("sequence", "is %d, and the file has %d pieces to show", nth, len(part))
	}
	if r.Dim != t.Keys {
		return in, true, fmt.Errorf("%s has %d keys, the model reads %d", path, r.Dim, t.Keys)
	}
	in.Kind = "notes"
	in.Features = tensor.New(len(part[nth]), 1, r.Dim)
	for i, keys := range part[nth] {
		for _, k := range keys {
			in.Features.Data[i*r.Dim+k] = 1
		}
	}
	return in, true, nil
}
