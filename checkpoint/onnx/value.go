package onnx

import (
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// A graph is read by following its values with what is known of each before
// any number is there: constants are computed, sizes are followed as symbols,
// and of data it is known from which stage it comes and which axis is which.
// So a Transpose, Squeeze or Reshape means what it does to the axes, whatever
// exporter wrote it, and a wrong order of axes cannot pass.

// axis is a dimension of data by its origin.
type axis int

// Axes of the graph's input are 0, 1, 2; a stage makes new ones of these.
const (
	axisRow       axis = 99        // the length of a vector that is an input, B
	axisDirection axis = iota + 99 // D, of recurrent nodes
	axisFeature                    // + stage: the features of that stage; H of a recurrent node
)

func featureOf(stage int) axis { return axisFeature + axis(stage) }

// kind of a value.
type kind int

const (
	isConstant kind = iota
	isSizes         // a vector or number of sizes, followed as symbols
	isZeros         // floating-point zeros of some shape
	isData          // what the input became
	isFinal         // final states: Y_h or Y_c of nodes, one after the other
	isInput         // another input of the graph: initial states, lengths
	isOrder         // the order that sorts the batch by its lengths, or the way back
	isRange         // 0, 1, 2, ... up to a size
	isMask          // of tokens, what no token has or all have: to be below 0
	isNothing       // what is overwritten, or multiplied by zero, before it matters
)

// value is what is known of a value of the graph.
type value struct {
	kind  kind
	t     *checkpoint.Tensor // isConstant
	sizes []size             // isSizes
	rank  int                // isSizes: 0 for a number

	// isData: the stage it comes from, its axes; each dimension is the axes
	// merged in it, none for a size of 1.
	stage int
	dims  [][]axis
	part  int  // 1+d where one direction was cut out
	last  bool // isData: the final state was cut out

	// isInput, isData, isFinal: 1 + the axis of the batch where it is in the order
	// of its lengths.
	sorted axis

	// isFinal: which nodes' states, and whether they are cells.
	nodes []int
	cell  bool
	// isFinal: [B,D,H] of a node with layout 1, not [D,B,H].
	byBatch bool

	// isInput: its name, and the part lo..hi of its first axis (hi -1: all).
	name   string
	lo, hi int64
	tokens bool // only tokens may be made of it

	yes     bool // isMask: all tokens have it
	inverse bool // isOrder: the way back
}

// size is a symbol: n times the sizes of axes; n is -1 if nothing is known.
type size struct {
	n    int64
	axes []axis
}

func (v value) clone() value {
	v.dims = slices.Clone(v.dims)
	return v
}

// reshape regroups the axes of dims to the target sizes: 0 copies a dimension,
// -1 takes what is left. known gives an axis's size, 0 if unknown. It reports
// false where the target does not follow the axes.
func reshape(dims [][]axis, target []size, known func(axis) int64) ([][]axis, bool) {
	var flat []axis
	for _, d := range dims {
		flat = append(flat, d...)
	}
	out := make([][]axis, len(target))
	take := func(s size, i int, from func(n int) []axis, drop func(n int)) bool {
		switch {
		case s.n == 0 && len(s.axes) == 0:
			if i >= len(dims) {
				return false
			}
			s = size{n: 1, axes: dims[i]}
		case s.n < 0:
			return false
		}
		if len(s.axes) > 0 {
			n := len(s.axes)
			if n > len(flat) || !slices.Equal(from(n), s.axes) {
				return false
			}
			product := int64(1)
			for product < s.n && n < len(flat) { // sizes of features may come as numbers
				n++
				x := from(n)
				a := x[len(x)-1]
				if known(a) == 0 {
					return false
				}
				product *= known(a)
			}
			if product != s.n {
				return false
			}
			out[i] = slices.Clone(from(n))
			drop(n)
			return true
		}
		product := int64(1)
		n := 0
		for product < s.n && n < len(flat) {
			n++
			x := from(n)
			k := int64(0)
			if &x[0] == &flat[0] {
				k = known(x[len(x)-1])
			} else {
				k = known(x[0])
			}
			if k == 0 {
				return false
			}
			product *= k
		}
		if product != s.n {
			return false
		}
		if s.n == 1 && len(flat) > 0 && known(from(1)[0]) == 1 {
			n = 1
		}
		out[i] = slices.Clone(from(n))
		drop(n)
		return true
	}
	rest := -1
	for i, s := range target {
		if s.n == -1 && len(s.axes) == 0 {
			if rest >= 0 {
				return nil, false
			}
			rest = i
		}
	}
	end := len(target)
	if rest >= 0 {
		end = rest
	}
	for i := range end {
		if !take(target[i], i, func(n int) []axis { return flat[:n] }, func(n int) { flat = flat[n:] }) {
			return nil, false
		}
	}
	if rest < 0 {
		return out, len(flat) == 0
	}
	for i := len(target) - 1; i > rest; i-- {
		if !take(target[i], i, func(n int) []axis { return flat[len(flat)-n:] }, func(n int) { flat = flat[:len(flat)-n] }) {
			return nil, false
		}
	}
	out[rest] = slices.Clone(flat)
	return out, true
}
