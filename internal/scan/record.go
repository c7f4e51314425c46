package scan

import "github.com/unroll-ml/unroll/internal/kernel"

// Hidden writes h [T,B,H'] of a recorded run's layer l, direction d to dst, in
// the caller's order of sequences; steps beyond a sequence's end are left
// alone. Step t of sequence b goes to dst.Data[t*Step+b*Seq].
func (r *Run[F]) Hidden(l, d int, dst Strided[F]) {
	size := r.Stack.Out()
	r.read(dst, size, func(row int, out []F) {
		copy(out, r.layers[l].y[(row*r.Stack.D+d)*size:])
	})
}

// Cell is Hidden for the cell states c [T,B,H].
func (r *Run[F]) Cell(l, d int, dst Strided[F]) {
	h := r.Stack.H
	r.read(dst, h, func(row int, out []F) { copy(out, r.lane(l, d).cells[row*h:]) })
}

// Full is Hidden for the hidden states [T,B,H] before the projection.
func (r *Run[F]) Full(l, d int, dst Strided[F]) {
	h := r.Stack.H
	r.read(dst, h, func(row int, out []F) { copy(out, r.lane(l, d).full[row*h:]) })
}

// Gate is Hidden for gate g [T,B,H] after its activation, counted in parameter
// order; g equal to their number is the recurrent part of the last gate, where
// the cell keeps it apart. Only for cells with Activations.
func (r *Run[F]) Gate(l, d, g int, dst Strided[F]) {
	ln := r.lane(l, d)
	src, cols := ln.sums, ln.w.ih.MaxCols()
	if g == r.Stack.Traits.Gates {
		src, cols, g = ln.apart, ln.w.hh.UnitsPer(), 0
	}
	r.read(dst, r.Stack.H, func(row int, out []F) {
		for u := 0; u < len(out); u += kernel.Lane {
			at := (u/kernel.Lane*r.N+row)*cols + g*kernel.Lane
			copy(out[u:min(u+kernel.Lane, len(out))], src[at:])
		}
	})
}

// Mask writes the factors [T,B,D*H'] that dropout multiplied the output of
// layer l with.
func (r *Run[F]) Mask(l int, dst Strided[F]) {
	width := r.Stack.D * r.Stack.Out()
	r.read(dst, width, func(row int, out []F) { copy(out, r.Masks[l][row*width:]) })
}

func (r *Run[F]) read(dst Strided[F], size int, each func(row int, out []F)) {
	for row, t := range r.rows(0, r.N) {
		each(row, dst.vector(&r.Batch, row, t, size))
	}
}
