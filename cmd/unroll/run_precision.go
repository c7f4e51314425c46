package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/tensor"
)

// precisionHelp is what --precision says of itself in each command.
const precisionHelp = "of the weights: float32, int8 or bfloat16, which round them; docs/numerics.md says how"

// keepHelp is what --keep says of itself where whole models are opened.
const keepHelp = "with --precision: parts that stay float32: nodes of a whole model, parts of a model folder (embedding, rnn.l0, fc)"

// weights are the precision that --precision names, and what --keep leaves out.
func (o runOptions) weights() (unroll.Precision, []string, error) {
	if o.precision == "" { // of a command without the flag
		return unroll.Full, nil, nil
	}
	p, err := unroll.ParsePrecision(o.precision)
	if err != nil {
		return p, nil, ofFlag("precision", err)
	}
	if p == unroll.Full && len(o.keep) > 0 {
		return p, nil, usagef("--keep says what --precision leaves out, and there is no --precision")
	}
	return p, o.keep, nil
}

// keepsParts refuses a name of --keep that is no part of a model that has run: it
// would keep nothing.
func keepsParts(m *model.Model, keep []string) error {
	parts := m.Parts()
	for _, name := range keep {
		if !slices.ContainsFunc(parts, func(p string) bool { return p == name || strings.HasPrefix(p, name+".l") }) {
			return usagef("--keep %s: %s has no such part; the run had %s", name, m.Path(), strings.Join(parts, ", "))
		}
	}
	return nil
}

// asSaved is a layer in the precision that its file has; of float64 the rounded
// numbers in full.
func asSaved[F tensor.Float](l *unroll.LayerOf[F], saved []unroll.Precision) (*unroll.LayerOf[F], error) {
	_, single := any(F(0)).(float32)
	if !single || !slices.ContainsFunc(saved, func(p unroll.Precision) bool { return p != unroll.Full }) {
		return l, nil
	}
	return l.QuantizeEach(saved)
}

// withPrecision is a recurrent layer in the precision of the flags.
func withPrecision[F tensor.Float](l *unroll.LayerOf[F], o runOptions) (*unroll.LayerOf[F], error) {
	p, names, err := o.weights()
	if err != nil || p == unroll.Full {
		return l, err
	}
	var keep []int
	for _, name := range names {
		n, err := strconv.Atoi(name)
		if err != nil {
			return nil, usagef("--keep %s: a recurrent layer has layers 0 to %d", name, l.Config().Layers()-1)
		}
		keep = append(keep, n)
	}
	q, err := l.Quantize(p, keep...)
	if err != nil {
		return nil, usageError{err}
	}
	return q, nil
}
