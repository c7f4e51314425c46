package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/internal/graph"
)

// slot says where an input or output of one sequence stands: among the flat
// numbers of x, y or a state, and in the value of a run for several rows.
type slot struct {
	port   int // of the program's inputs or outputs
	name   string
	typ    graph.Type
	shape  []int // of one sequence, without the axis of sequences
	axis   int   // of sequences in the value; -1: it is the same for all
	outer  int   // elements before the axis
	inner  int   // and behind it
	digits int   // numbers that hold one element
	at, n  int   // the first of the flat numbers, and how many
}

// Integers of a state are held exactly, by digits to this base, which float32
// holds: the sign is that of the first digit alone.
const (
	digitBits = 22
	digitBase = 1 << digitBits
)

// digitsOf returns how many float32 numbers hold an element of a state; 0 if none
// do.
func digitsOf(t graph.Type) int {
	switch t.Held() {
	case graph.F32, graph.I8, graph.U8, graph.Bool:
		return 1
	case graph.I32:
		return 2
	case graph.I64:
		return 3
	}
	return 0
}

// rows returns the shape of a value for n rows.
func (s *slot) rows(n int) []int {
	if s.axis < 0 {
		return s.shape
	}
	return slices.Insert(slices.Clone(s.shape), s.axis, n)
}

// put writes a sequence's numbers into row i of n of a value.
func (s *slot) put(v graph.Value, n, i int, flat []float32) error {
	flat = flat[s.at : s.at+s.n]
	switch v.Type {
	case graph.F32:
		to := graph.Data[float32](v)
		for o := range s.outer {
			copy(to[(o*n+i)*s.inner:][:s.inner], flat[o*s.inner:])
		}
		return nil
	case graph.F64:
		return putAs(s, graph.Data[float64](v), n, i, flat, func(x float32) (float64, bool) { return float64(x), true })
	case graph.I64:
		if s.digits > 1 {
			return putDigits(s, graph.Data[int64](v), n, i, flat)
		}
		return putAs(s, graph.Data[int64](v), n, i, flat, whole[int64])
	case graph.I32:
		if s.digits > 1 {
			return putDigits(s, graph.Data[int32](v), n, i, flat)
		}
		return putAs(s, graph.Data[int32](v), n, i, flat, whole[int32])
	case graph.I8:
		return putAs(s, graph.Data[int8](v), n, i, flat, whole[int8])
	case graph.U8:
		return putAs(s, graph.Data[uint8](v), n, i, flat, whole[uint8])
	}
	return putAs(s, graph.Data[bool](v), n, i, flat, func(x float32) (bool, bool) { return x == 1, x == 0 || x == 1 })
}

// whole brings a whole number to a type that holds it.
func whole[T int64 | int32 | int8 | uint8](x float32) (T, bool) {
	if x != float32(math.Trunc(float64(x))) || math.Abs(float64(x)) >= 1<<63 { // NaN too
		return 0, false
	}
	t := T(int64(x))
	return t, int64(t) == int64(x)
}

func putAs[T graph.Element](s *slot, to []T, n, i int, flat []float32, as func(float32) (T, bool)) error {
	for k, x := range flat {
		v, ok := as(x)
		if !ok {
			return fmt.Errorf("%w: number %d of %q is %v, which is no %s", ErrInput, k, s.name, x, s.typ)
		}
		to[(k/s.inner*n+i)*s.inner+k%s.inner] = v
	}
	return nil
}

func putDigits[T int64 | int32](s *slot, to []T, n, i int, flat []float32) error {
	for k := range s.n / s.digits {
		var v int64
		for _, d := range flat[k*s.digits : (k+1)*s.digits] {
			w, ok := whole[int64](d)
			if !ok {
				return fmt.Errorf("%w: the state %q holds %v where a whole number was", ErrInput, s.name, d)
			}
			v = v<<digitBits + w
		}
		if int64(T(v)) != v {
			return fmt.Errorf("%w: the state %q holds %d, which is no %s", ErrInput, s.name, v, s.typ)
		}
		to[(k/s.inner*n+i)*s.inner+k%s.inner] = T(v)
	}
	return nil
}

// take reads row i of n of a value. Of an output that is no float32 the nearest
// are taken.
func (s *slot) take(v graph.Value, n, i int, flat []float32) {
	flat = flat[s.at : s.at+s.n]
	if s.axis < 0 {
		n, i = 1, 0
	}
	switch v.Type {
	case graph.F32:
		from := graph.Data[float32](v)
		for o := range s.outer {
			copy(flat[o*s.inner:][:s.inner], from[(o*n+i)*s.inner:])
		}
	case graph.F64:
		takeAs(s, graph.Data[float64](v), n, i, flat)
	case graph.I64:
		if s.digits > 1 {
			takeDigits(s, graph.Data[int64](v), n, i, flat)
			return
		}
		takeAs(s, graph.Data[int64](v), n, i, flat)
	case graph.I32:
		if s.digits > 1 {
			takeDigits(s, graph.Data[int32](v), n, i, flat)
			return
		}
		takeAs(s, graph.Data[int32](v), n, i, flat)
	case graph.I8:
		takeAs(s, graph.Data[int8](v), n, i, flat)
	case graph.U8:
		takeAs(s, graph.Data[uint8](v), n, i, flat)
	case graph.Bool:
		from := graph.Data[bool](v)
		for k := range flat {
			flat[k] = 0
			if from[(k/s.inner*n+i)*s.inner+k%s.inner] {
				flat[k] = 1
			}
		}
	}
}

func takeAs[T float64 | int64 | int32 | int8 | uint8](s *slot, from []T, n, i int, flat []float32) {
	for k := range flat {
		flat[k] = float32(from[(k/s.inner*n+i)*s.inner+k%s.inner])
	}
}

func takeDigits[T int64 | int32](s *slot, from []T, n, i int, flat []float32) {
	for k := range s.n / s.digits {
		v := int64(from[(k/s.inner*n+i)*s.inner+k%s.inner])
		for d := s.digits - 1; d > 0; d-- {
			flat[k*s.digits+d] = float32(v & (digitBase - 1))
			v >>= digitBits
		}
		flat[k*s.digits] = float32(v)
	}
}

// finite reports whether row i of n of a value has finite numbers.
func (s *slot) finite(v graph.Value, n, i int) bool {
	if v.Type != graph.F32 {
		return true
	}
	from := graph.Data[float32](v)
	for o := range s.outer {
		if !allFinite(from[(o*n+i)*s.inner:][:s.inner]) {
			return false
		}
	}
	return true
}

// fill writes a sequence's x and state into row i of n.
func (r *Rows) fill(g *group, n, i int, x, state []float32) error {
	for k := range r.inputs {
		if err := r.inputs[k].put(g.in[r.inputs[k].port], n, i, x); err != nil {
			return err
		}
	}
	for k := range r.from {
		if err := r.from[k].put(g.in[r.from[k].port], n, i, state); err != nil {
			return err
		}
	}
	return nil
}

// take reads row i of n into a sequence's y and state. It is an error, and nothing
// is read, if an output has another size than in the first run.
func (r *Rows) take(g *group, n, i int, y, state []float32) error {
	for _, list := range [][]slot{r.outputs, r.to} {
		for k := range list {
			if v := g.out[list[k].port]; !list[k].fits(v, n) {
				return fmt.Errorf("output %q is %v in this step and was of one sequence %v before", list[k].name, v, list[k].shape)
			}
		}
	}
	for k := range r.outputs {
		r.outputs[k].take(g.out[r.outputs[k].port], n, i, y)
	}
	for k := range r.to {
		r.to[k].take(g.out[r.to[k].port], n, i, state)
	}
	return nil
}

// fits reports whether a value has the slot's shape for n rows.
func (s *slot) fits(v graph.Value, n int) bool {
	if s.axis < 0 {
		return slices.Equal(v.Shape, s.shape)
	}
	if len(v.Shape) != len(s.shape)+1 || v.Shape[s.axis] != n {
		return false
	}
	return slices.Equal(v.Shape[:s.axis], s.shape[:s.axis]) && slices.Equal(v.Shape[s.axis+1:], s.shape[s.axis:])
}

func (r *Rows) finiteState(g *group, n, i int) bool {
	for k := range r.to {
		if s := &r.to[k]; s.fits(g.out[s.port], n) && !s.finite(g.out[s.port], n, i) {
			return false
		}
	}
	return true
}
