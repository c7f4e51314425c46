package data

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
)

// maxFeatures bounds the numbers of a step.
const maxFeatures = 4096

// ParseNumbers reads a sequence of numbers: each line is a step, numbers stand
// between white space, commas or semicolons; a single line is a sequence of
// single numbers. NaN, infinities and lines of different lengths are errors.
func ParseNumbers(s string) (rows [][]float64, err error) {
	for line := range strings.Lines(s) {
		f := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
		if len(f) == 0 {
			continue
		}
		row := make([]float64, len(f))
		for i, v := range f {
			if row[i], err = strconv.ParseFloat(v, 64); err != nil || math.IsNaN(row[i]) || math.IsInf(row[i], 0) {
				return nil, fmt.Errorf("%q is no number that can be computed with; correct it, or read words with --level word", v)
			}
		}
		if len(rows) > 0 && len(row) != len(rows[0]) {
			return nil, fmt.Errorf("step %d has %d numbers, the steps before have %d", len(rows)+1, len(row), len(rows[0]))
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, errors.New("there are no numbers")
	}
	if len(rows) == 1 {
		for _, v := range rows[0][1:] {
			rows = append(rows, []float64{v})
		}
		rows[0] = rows[0][:1]
	}
	return rows, nil
}

// checkRows reports steps of different sizes.
func checkRows(l *Labelled) error {
	for i, r := range l.Rows {
		if len(r) == 0 || len(r) != len(l.Rows[0]) {
			return fault(l.File, l.Line, "step %d has %d numbers, step 1 has %d; all need the same, at least one", i+1, len(r), len(l.Rows[0]))
		}
	}
	return nil
}

// numbers completes the config of a model that reads numbers: their count a
// step and, unless the model is trained already, mean and deviation over the
// training part.
func numbers(cfg *nn.Config, all []Labelled, training []int) error {
	w := len(all[0].Rows[0])
	if cfg.Scaling != nil {
		w = len(cfg.Scaling.Mean)
	}
	for _, l := range all {
		if n := len(l.Rows[0]); n != w || n > maxFeatures {
			return fault(l.File, l.Line, "%d numbers a step, expected %d as in the first item, at most %d", n, w, maxFeatures)
		}
	}
	cfg.RNN.InputSize = w
	if cfg.Scaling != nil {
		return nil
	}
	t := Table{Columns: make([]string, w)}
	for c := range w {
		t.Columns[c] = strconv.Itoa(c + 1)
	}
	for _, i := range training {
		t.Rows = append(t.Rows, all[i].Rows...)
	}
	cfg.Scaling = scaling(&t, len(t.Rows))
	return nil
}

// scaled standardises a sequence and lays its steps one after another.
func scaled(s *nn.Scaling, rows [][]float64) (x []float32) {
	for _, r := range rows {
		for c, v := range r {
			x = append(x, float32((v-s.Mean[c])/s.Std[c]))
		}
	}
	return x
}

// Item is what a classifier or tagger of this config reads for a text, and the
// text's tokens (none at level "number").
func Item(cfg nn.Config, text string) (in nn.Input, tokens []string, err error) {
	if cfg.Vocabulary != nil {
		tokens = Split(text, cfg.Vocabulary.Level)
		return nn.Input{Tokens: Encode(cfg.Vocabulary, tokens), T: len(tokens), B: 1}, tokens, nil
	}
	rows, err := ParseNumbers(text)
	if err != nil {
		return in, nil, err
	}
	if w := len(cfg.Scaling.Mean); len(rows[0]) != w {
		if len(rows[0]) != 1 || len(rows)%w != 0 {
			return in, nil, fmt.Errorf("%d numbers, the model reads %d a step", len(rows)*len(rows[0]), w)
		}
		flat := rows
		rows = nil
		for i := 0; i < len(flat); i += w { // one line: step after step
			var r []float64
			for _, v := range flat[i : i+w] {
				r = append(r, v[0])
			}
			rows = append(rows, r)
		}
	}
	x, err := tensor.Of(scaled(cfg.Scaling, rows), len(rows), 1, len(rows[0]))
	return nn.Input{Features: x}, nil, err
}
