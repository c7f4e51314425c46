package hdf5

import "bytes"

// raw reads a dataset's elements as they are in the file, in row-major order.
// The dataset's size was bounded when the file was opened.
func (r *reader) raw(d *dataset) ([]byte, error) {
	out := make([]byte, d.bytes)
	switch {
	case d.inline:
		copy(out, d.compact)
		return out, nil
	case d.chunk == nil && d.info.Offset > 0:
		return out, r.f.readAt(r.path, out, d.info.Offset)
	}
	if len(bytes.Trim(d.fill, "\x00")) > 0 {
		for i := 0; i < len(out); i += len(d.fill) {
			copy(out[i:], d.fill)
		}
	}
	if d.chunk == nil || len(out) == 0 {
		return out, nil
	}
	size := d.element
	for _, n := range d.chunk {
		size *= n
	}
	p := patch{d: d, out: out}
	var work work
	var stored []byte
	err := r.chunks(d, func(c chunk) error {
		at, err := r.place(c.address, c.stored, "chunk")
		if err != nil {
			return err
		}
		if int64(cap(stored)) < c.stored {
			stored = make([]byte, c.stored)
		}
		b := stored[:c.stored]
		if err := r.f.readAt(r.path, b, at); err != nil {
			return err
		}
		if b, err = work.undo(d.filters, c.mask, b, int(size), int(d.element)); err != nil {
			return r.fail(at, "chunk %v: %v", c.place, err)
		}
		p.put(c.place, b)
		return nil
	})
	return out, err
}

// patch puts chunks to their place in a dataset.
type patch struct {
	d   *dataset
	out []byte
}

// put copies the part of a chunk that lies in the dataset.
func (p patch) put(place []int64, b []byte) { p.rows(place, b, 0, 0, 0) }

// rows copies along dimension i; from and to count elements before it in the
// chunk and in the dataset.
func (p patch) rows(place []int64, b []byte, i int, from, to int64) {
	d := p.d
	begin := place[i] * d.chunk[i]
	n := min(d.chunk[i], d.space.dims[i]-begin)
	from, to = from*d.chunk[i], to*d.space.dims[i]+begin
	if i == len(place)-1 {
		copy(p.out[to*d.element:(to+n)*d.element], b[from*d.element:])
		return
	}
	for k := range n {
		p.rows(place, b, i+1, from+k, to+k)
	}
}
