package data

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MaxFeatures bounds the numbers of a step.
const MaxFeatures = 4096

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
				return nil, fmt.Errorf("%q is no number that can be computed with", v)
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
			return Fault(l.File, l.Line, "step %d has %d numbers, step 1 has %d; all need the same, at least one", i+1, len(r), len(l.Rows[0]))
		}
	}
	return nil
}
