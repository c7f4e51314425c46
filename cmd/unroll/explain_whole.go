//go:build !js

package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/explain"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/tensor"
)

// wholeRun is a whole model on an input: its recurrent layers, and what stands
// around them.
type wholeRun struct {
	boxes []explain.Box
	parts []explain.Part

	sequence, limit int
	page            bool                // the layers' runs are wanted whole
	narrow          bool                // nothing but the layers is wanted
	made            map[string][]string // of a value, the boxes that it comes from
	outputs         map[string]bool
}

// moves are operators that only put numbers elsewhere, or into another type.
var moves = []string{"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Cast", "Flatten", "Dropout", "If", "Loop", "Scan"}

// maxBoxes bounds what a page draws around the layers.
const maxBoxes = 400

// errEnough ends a run of which the rest is not shown.
var errEnough = errors.New("all layers were seen")

// watchModel runs the model of a file, which it closes, on what the command line
// gives, and adds to w what it sees.
func watchModel(cmd *cobra.Command, f *modelfile.File, args []string, o runOptions, w *wholeRun) (*wholeRun, error) {
	m, err := openModel(cmd, f, o)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	in, err := gather(cmd, m, args, o)
	if err != nil {
		return nil, err
	}
	w.made, w.outputs = map[string][]string{}, map[string]bool{}
	for _, p := range m.Outputs() {
		w.outputs[p.Name] = true
	}
	for _, p := range m.Inputs() {
		if v, ok := in.given[p.Name]; ok {
			w.box(explain.Box{Name: p.Name, Op: "input"}, []string{p.Name}, v)
		}
	}
	err = m.Watch(in.given, func(s model.Seen) error {
		if err := w.see(s); err != nil || !w.narrow || !s.Last {
			return err
		}
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if len(w.parts) == 0 {
		return nil, usagef("%s has no recurrent layer that reads float32; explain is about those, and run runs the model", args[0])
	}
	return w, nil
}

// see makes a box of an operator, and a part of a recurrent layer.
func (w *wholeRun) see(s model.Seen) error {
	if s.Constant || len(s.Out) == 0 {
		return nil
	}
	b := explain.Box{Name: s.Name, Op: s.Op}
	if s.Own && s.Layer != nil {
		b.Op = s.Layer.Config().Mode.String()
	}
	for i, name := range s.Inputs {
		from, ok := w.made[name]
		switch {
		case ok:
			for _, f := range from {
				if !slices.Contains(b.From, f) {
					b.From = append(b.From, f)
				}
			}
		case name != "" && s.Layer == nil && !s.In[i].IsZero() && len(s.In[i].Shape()) > 0:
			b.Weights = append(b.Weights, fmt.Sprint(s.In[i].Shape()))
		}
	}
	gives := slices.ContainsFunc(s.Outputs, func(o string) bool { return w.outputs[o] })
	if slices.Contains(moves, s.Op) && !gives || floatsOf(s.Out[0]) == nil {
		for _, o := range s.Outputs {
			w.made[o] = b.From
		}
		return nil
	}
	if s.Layer != nil {
		if err := w.part(s); err != nil {
			return fmt.Errorf("%s: %w", visible(s.Name), err)
		}
		b.Part = len(w.parts)
	}
	w.box(b, s.Outputs, s.Out[0])
	return nil
}

// box adds a box that gives values.
func (w *wholeRun) box(b explain.Box, gives []string, v model.Value) {
	for _, o := range gives {
		w.made[o] = []string{b.Name}
		if w.outputs[o] && b.Op != "input" {
			b.Output = cmp.Or(b.Output, o)
		}
	}
	if len(w.boxes) >= maxBoxes && b.Part == 0 {
		return
	}
	b.Shape, b.Values = slices.Clone(v.Shape()), floatsOf(v)
	b.Values = slices.Clone(b.Values[:min(len(b.Values), explain.BoxValues)])
	w.boxes = append(w.boxes, b)
}

// floatsOf returns the numbers of a value that are drawn; nil for what only counts
// or chooses.
func floatsOf(v model.Value) []float32 {
	var out []float32
	for _, x := range model.Data[float64](v) {
		out = append(out, float32(x))
	}
	for _, x := range model.Data[int64](v) { // tokens
		out = append(out, float32(x))
	}
	for _, x := range model.Data[int32](v) {
		out = append(out, float32(x))
	}
	return append(out, model.Data[float32](v)...)
}

// part runs a recurrent layer on one sequence of what reached it.
func (w *wholeRun) part(s model.Seen) error {
	cfg := s.Layer.Config()
	x, err := sequence(s.In[0].Dense(), w.sequence, cfg.BatchFirst)
	if err != nil {
		return err
	}
	states, lengths := [2]int{1, 2}, 3 // of unroll's own layer
	if !s.Own {                        // ONNX: X W R B sequence_lens initial_h initial_c P
		states, lengths = [2]int{5, 6}, 4
	}
	if n := w.length(s, lengths); n > 0 && n < x.Shape[0] {
		x = tensor.Dense{Shape: []int{n, x.Shape[1]}, Data: x.Data[:n*x.Shape[1]]}
	}
	if mask := 8; !s.Own && mask < len(s.In) && !s.In[mask].IsZero() { // of unroll's own LSTM and its kin
		x = w.counted(x, s.In[mask], cfg.BatchFirst)
	}
	if w.limit > 0 && w.limit < x.Shape[0] {
		x = tensor.Dense{Shape: []int{w.limit, x.Shape[1]}, Data: x.Data[:w.limit*x.Shape[1]]}
	}
	var s0 unroll.State
	for k, d := range []*tensor.Dense{&s0.H, &s0.C} {
		at := states[k]
		if at >= len(s.In) || s.In[at].IsZero() || k == 1 && !cfg.HasCell() {
			continue
		}
		// ONNX's layout 1 has the batch first in states too.
		if *d, err = sequence(s.In[at].Dense(), w.sequence, cfg.BatchFirst && !s.Own); err != nil {
			return err
		}
	}
	t, err := explain.NewTrace(s.Layer, tensor.Dense{Shape: x.Shape, Data: slices.Clone(x.Data)}, s0)
	if err != nil {
		return err
	}
	w.parts = append(w.parts, explain.Part{Name: s.Name, Trace: t})
	if !w.page { // Text computes what it writes
		return nil
	}
	return t.Run(nil)
}

// counted is x without the steps that a mask leaves out: they do nothing.
func (w *wholeRun) counted(x tensor.Dense, mask model.Value, batchFirst bool) tensor.Dense {
	counts, n := model.Data[bool](mask), x.Shape[1]
	sequences := len(counts) / max(1, x.Shape[0])
	kept := tensor.Dense{Shape: []int{0, n}}
	for t := range x.Shape[0] {
		at := t*sequences + w.sequence
		if batchFirst {
			at = w.sequence*x.Shape[0] + t
		}
		if at < len(counts) && counts[at] {
			kept.Shape[0]++
			kept.Data = append(kept.Data, x.Data[t*n:(t+1)*n]...)
		}
	}
	return kept
}

// length is how many steps the sequence has, 0 where all of them.
func (w *wholeRun) length(s model.Seen, at int) int {
	if at >= len(s.In) {
		return 0
	}
	if l := model.Data[int32](s.In[at]); w.sequence < len(l) {
		return int(l[w.sequence])
	}
	if l := model.Data[int64](s.In[at]); w.sequence < len(l) {
		return int(l[w.sequence])
	}
	return 0
}
