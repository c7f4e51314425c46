package data

import "math"

// Scaling standardises feature columns: (x - Mean)/Std.
type Scaling struct {
	Columns []string  `json:"columns"`
	Mean    []float64 `json:"mean"`
	Std     []float64 `json:"std"`
}

// NewScaling is the mean and deviation (divided by n, not n-1) of rows.
func NewScaling(columns []string, rows [][]float64) *Scaling {
	s := &Scaling{Columns: columns}
	n := len(rows)
	for c := range columns {
		sum, sq := 0.0, 0.0
		for _, r := range rows {
			sum += r[c]
		}
		mean := sum / float64(n)
		for _, r := range rows {
			d := r[c] - mean
			sq += float64(d * d)
		}
		std := math.Sqrt(sq / float64(n))
		if std == 0 { // a constant column stays a constant
			std = 1
		}
		s.Mean, s.Std = append(s.Mean, mean), append(s.Std, std)
	}
	return s
}

// Usable reports whether every column has a mean and a deviation that can be
// divided by.
func (s *Scaling) Usable() bool {
	if len(s.Mean) != len(s.Std) || len(s.Columns) != len(s.Mean) {
		return false
	}
	for i, v := range s.Std {
		if !(v > 0) || math.IsInf(v, 0) || math.IsNaN(s.Mean[i]) || math.IsInf(s.Mean[i], 0) {
			return false
		}
	}
	return true
}

// Beyond returns the first column whose mean or deviation float64 does not hold,
// or -1: numbers of about 1e154 have such a square.
func (s *Scaling) Beyond() int {
	for i := range s.Std {
		if math.IsInf(s.Std[i], 0) || math.IsNaN(s.Std[i]) || math.IsInf(s.Mean[i], 0) || math.IsNaN(s.Mean[i]) {
			return i
		}
	}
	return -1
}

// Apply standardises a sequence and lays its steps one after another. Each row
// has as many numbers as the scaling.
func (s *Scaling) Apply(rows [][]float64) (x []float32) {
	for _, r := range rows {
		for c, v := range r {
			x = append(x, float32((v-s.Mean[c])/s.Std[c]))
		}
	}
	return x
}
