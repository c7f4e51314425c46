package hdf5

import (
	"math"

	"github.com/unroll-ml/unroll/checkpoint"
)

// dataset says where the elements of a dataset are.
type dataset struct {
	info  checkpoint.Info
	kind  datatype
	space dataspace
	count int64  // elements, those of an array type counted as one
	bytes int64  // of all elements as they are in the file
	fill  []byte // one element where nothing was written; nil: zeros
	layout
	filters []filter
}

// dataset reads a dataset from the messages of its header; nil if the object
// is none (a named element type).
func (r *reader) dataset(messages []message, attributes []Attribute, at int64) (*dataset, error) {
	d := &dataset{}
	var types, spaces, layouts int
	for _, m := range messages {
		m, err := r.sharedPart(m)
		if err != nil {
			return nil, err
		}
		switch m.kind {
		case msgDatatype:
			types++
			d.kind, err = m.datatype(0)
		case msgDataspace:
			spaces++
			d.space, err = m.dataspace()
		case msgLayout:
			layouts++
			d.layout, err = m.layout()
		case msgFilters:
			d.filters, err = m.filters()
		case msgFill:
			d.fill, err = m.fill()
		case msgOldFill:
			if d.fill == nil {
				d.fill, err = m.sized()
			}
		case msgExternal:
			err = r.fail(at, "its elements are in other files, which are not read")
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case spaces == 0 && layouts == 0:
		return nil, nil
	case types != 1 || spaces != 1 || layouts != 1:
		return nil, r.fail(at, "it has %d element types, %d shapes and %d layouts, expected one of each", types, spaces, layouts)
	}
	for _, a := range attributes {
		// Keras marks numbers of which h5py knows only their two bytes.
		if s, _ := a.Text(); a.Name == "dtype" && s == "bfloat16" && d.kind.class == classOpaque && d.kind.size == 2 {
			d.kind.dtype = checkpoint.BF16
		}
	}
	return d, r.complete(d, at)
}

// sharedPart follows the messages of a dataset that may be shared.
func (r *reader) sharedPart(m message) (message, error) {
	switch m.kind {
	case msgDatatype, msgDataspace, msgFilters, msgFill:
		return r.shared(m)
	}
	return m, nil
}

// complete checks a dataset's parts against each other and against the limit
// on what all datasets become.
func (r *reader) complete(d *dataset, at int64) error {
	f := r.f
	d.count = d.space.count
	if d.count > math.MaxInt64/int64(d.kind.size) {
		return r.fail(at, "its shape %v has more bytes than an int64 counts", d.space.dims)
	}
	d.bytes = d.count * int64(d.kind.size)
	if d.fill != nil && len(d.fill) != d.kind.size {
		if len(d.fill) != 0 {
			return r.fail(at, "its fill value has %d bytes, its elements %d", len(d.fill), d.kind.size)
		}
		d.fill = nil
	}
	d.info = checkpoint.Info{Name: r.path, DType: d.kind.dtype, Shape: shape(d.space, d.kind), Bytes: d.bytes}
	if d.kind.text() {
		d.info.DType = checkpoint.Unknown
	}
	if d.info.DType != checkpoint.Unknown {
		info, err := checkpoint.NewInfo(r.path, d.kind.dtype, d.info.Shape)
		if err != nil {
			return r.fail(at, "%v", err)
		}
		if info.Bytes != d.bytes {
			return r.fail(at, "its shape %v of %s needs %d bytes, it says %d", info.Shape, info.DType, info.Bytes, d.bytes)
		}
	} else {
		d.info.TypeName = d.kind.name()
	}
	padded, err := r.layoutFits(d, at)
	if err != nil {
		return err
	}
	most := dataFixed + dataFactor*f.size
	if padded > most-f.promised {
		return r.fail(at, "its %d bytes and those of the datasets before are more than %d, which is %d times the file's size and 1 MiB", padded, most, dataFactor)
	}
	f.promised += padded
	return nil
}

// fill reads the value of elements that were not written; nil if none is set.
func (c *cursor) fill() ([]byte, error) {
	at := c.here()
	switch version := c.u8(); version {
	case 1, 2:
		c.skip(2)
		if defined := c.u8(); defined == 0 && version == 2 {
			return nil, c.err
		}
		return c.sized()
	case 3:
		if flags := c.u8(); flags&0x20 == 0 {
			return nil, c.err
		}
		return c.sized()
	default:
		return nil, c.r.fail(at, "its fill value has version %d, expected 1 to 3", version)
	}
}

// sized reads a length and as many bytes; a negative length is none.
func (c *cursor) sized() ([]byte, error) {
	n := int32(c.u32())
	if n <= 0 {
		return nil, c.err
	}
	return c.take(int(n)), c.err
}
