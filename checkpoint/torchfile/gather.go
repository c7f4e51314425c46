package torchfile

import (
	"errors"
	"io"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// axis is one dimension of a view: its length and how far apart, in elements,
// neighbours are in the storage and in the result.
type axis struct{ n, from, to int64 }

// gather returns the tensor's elements in row-major order, reversing each
// element's bytes if swap is set. Booleans come out as 0 or 1.
func (t *stored) gather(swap bool) ([]byte, error) {
	g := &gatherer{rec: t.rec, size: t.dtype.size, out: make([]byte, t.numel*t.dtype.size)}
	if t.numel == 0 {
		return g.out, nil
	}
	var axes []axis
	to := int64(1)
	for i := len(t.shape) - 1; i >= 0; i-- {
		if n := int64(t.shape[i]); n > 1 {
			axes = append(axes, axis{n, t.stride[i], to})
			to *= n
		}
	}
	slices.Reverse(axes)
	if err := g.read(axes, t.offset, 0); err != nil {
		return nil, err
	}
	if swap {
		for i := int64(0); i < int64(len(g.out)); i += g.size {
			slices.Reverse(g.out[i : i+g.size])
		}
	}
	if t.dtype.dtype == checkpoint.Bool {
		for i, b := range g.out {
			g.out[i] = min(b, 1)
		}
	}
	return g.out, nil
}

type gatherer struct {
	rec  *record
	size int64
	out  []byte
	buf  []byte
}

// read copies the elements of a view that begins at element from of the record
// to those that begin at element to of the result. A view that spans more than
// gatherBytes is halved along the dimension that spans most, so that memory is
// bounded and nearly every byte is read once.
func (g *gatherer) read(axes []axis, from, to int64) error {
	span, widest := int64(1), 0
	for i, a := range axes {
		span += (a.n - 1) * a.from
		if (a.n-1)*a.from > (axes[widest].n-1)*axes[widest].from {
			widest = i
		}
	}
	if bytes := span * g.size; bytes <= gatherBytes {
		g.buf = slices.Grow(g.buf[:0], int(bytes))[:bytes]
		if n, err := g.rec.r.ReadAt(g.buf, g.rec.off+from*g.size); n < len(g.buf) {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		g.scatter(axes, 0, to)
		return nil
	}
	low, high := slices.Clone(axes), slices.Clone(axes)
	a := axes[widest]
	low[widest].n = a.n / 2
	high[widest].n = a.n - a.n/2
	if err := g.read(low, from, to); err != nil {
		return err
	}
	return g.read(high, from+low[widest].n*a.from, to+low[widest].n*a.to)
}

// scatter copies from buf, which holds the whole view, to the result.
func (g *gatherer) scatter(axes []axis, from, to int64) {
	s := g.size
	if len(axes) == 0 {
		copy(g.out[to*s:(to+1)*s], g.buf[from*s:(from+1)*s])
		return
	}
	a := axes[0]
	if len(axes) == 1 && a.from == 1 && a.to == 1 {
		copy(g.out[to*s:(to+a.n)*s], g.buf[from*s:(from+a.n)*s])
		return
	}
	for range a.n {
		g.scatter(axes[1:], from, to)
		from += a.from
		to += a.to
	}
}
