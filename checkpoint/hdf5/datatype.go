package hdf5

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// class is HDF5's number of a kind of element type.
type class uint8

const (
	classFixed class = iota
	classFloat
	classTime
	classString
	classBitfield
	classOpaque
	classCompound
	classReference
	classEnum
	classVariable
	classArray
	classComplex
)

var classNames = [...]string{
	"integer", "float", "time", "string", "bitfield", "opaque", "compound",
	"reference", "enumeration", "variable length", "array", "complex",
}

func (c class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// datatype is an element type. What is not read has dtype Unknown and is told
// by its class.
type datatype struct {
	class class
	size  int // bytes of an element in the file
	dtype checkpoint.DType
	big   bool
	dims  []int // of an array type

	padding  uint8 // of a string
	variable bool  // a string of variable length
}

const (
	padNull   = 0 // ends at the first zero
	padZeros  = 1 // zeros at the end are not part of it
	padSpaces = 2
)

// name is the element type for a listing.
func (d datatype) name() string {
	if d.text() {
		return "string"
	}
	if d.dtype != checkpoint.Unknown {
		return d.dtype.String()
	}
	return fmt.Sprintf("%s of %d bytes", d.class, d.size)
}

func (d datatype) text() bool { return d.class == classString || d.variable }

// changes reports whether elements in the file differ from those of a
// checkpoint.Tensor.
func (d datatype) changes() bool {
	return d.big && d.dtype.Size() > 1 || d.dtype == checkpoint.Bool
}

// littleEndian turns the elements in raw into those of a checkpoint.Tensor.
func (d datatype) littleEndian(raw []byte) error {
	if n := d.dtype.Size(); d.big && n > 1 {
		for i := 0; i+n <= len(raw); i += n {
			slices.Reverse(raw[i : i+n])
		}
	}
	if d.dtype == checkpoint.Bool {
		for i, b := range raw {
			if b > 1 {
				return fmt.Errorf("element %d of its booleans is %d, expected 0 or 1", i, b)
			}
		}
	}
	return nil
}

// datatype reads an element type; depth counts types within types.
func (c *cursor) datatype(depth int) (datatype, error) {
	at := c.here()
	if depth > maxTypes {
		return datatype{}, c.r.fail(at, "element types nest more than %d deep", maxTypes)
	}
	head := c.u8()
	bits := uint32(c.uint(3))
	size := c.u32()
	d := datatype{class: class(head & 15), size: int(size)}
	version := head >> 4
	if c.err != nil {
		return d, c.err
	}
	if version < 1 || version > 5 {
		return d, c.r.fail(at, "its element type has version %d, expected 1 to 5", version)
	}
	if size == 0 || int64(size) > c.r.f.size {
		return d, c.r.fail(at, "its element type has %d bytes, the file has %d", size, c.r.f.size)
	}
	var err error
	switch d.class {
	case classFixed:
		c.fixed(&d, bits)
	case classFloat:
		c.float(&d, bits)
	case classString:
		d.padding = uint8(bits & 15)
	case classOpaque:
		c.skip(int(bits & 0xff))
	case classEnum:
		err = c.enum(&d, version, int(bits&0xffff), depth)
	case classVariable:
		d.variable = bits&15 == 1
		d.padding = uint8(bits >> 4 & 15)
		if d.size != 8+c.r.f.offsets {
			err = c.r.fail(at, "its elements of variable length have %d bytes, expected %d", d.size, 8+c.r.f.offsets)
		}
	case classArray:
		err = c.array(&d, version, depth)
	}
	if err == nil {
		err = c.err
	}
	return d, err
}

func (c *cursor) fixed(d *datatype, bits uint32) {
	d.big = bits&1 != 0
	if offset, precision := c.u16(), c.u16(); offset != 0 || int(precision) != d.size*8 {
		return // bits of a larger word
	}
	switch {
	case bits&8 != 0:
		d.dtype = map[int]checkpoint.DType{1: checkpoint.I8, 2: checkpoint.I16, 4: checkpoint.I32, 8: checkpoint.I64}[d.size]
	default:
		d.dtype = map[int]checkpoint.DType{1: checkpoint.U8, 2: checkpoint.U16, 4: checkpoint.U32, 8: checkpoint.U64}[d.size]
	}
}

// layouts are the floats that are read: size in bytes, sign's bit, place and
// width of exponent and mantissa, bias.
var layouts = map[[7]int]checkpoint.DType{
	{8, 63, 52, 11, 0, 52, 1023}: checkpoint.F64,
	{4, 31, 23, 8, 0, 23, 127}:   checkpoint.F32,
	{2, 15, 10, 5, 0, 10, 15}:    checkpoint.F16,
	{2, 15, 7, 8, 0, 7, 127}:     checkpoint.BF16,
}

func (c *cursor) float(d *datatype, bits uint32) {
	offset, precision := c.u16(), c.u16()
	layout := [7]int{d.size, int(bits >> 8 & 0xff), int(c.u8()), int(c.u8()), int(c.u8()), int(c.u8()), int(c.u32())}
	implied := bits>>4&3 == 2 // the mantissa's first bit is 1 and not stored
	if offset != 0 || int(precision) != d.size*8 || !implied || bits&0x40 != 0 {
		return
	}
	d.big = bits&1 != 0
	d.dtype = layouts[layout]
}

// enum reads an enumeration. The one of FALSE and TRUE is h5py's bool; any
// other is read as the integers it names.
func (c *cursor) enum(d *datatype, version uint8, n, depth int) error {
	base, err := c.datatype(depth + 1)
	if err != nil {
		return err
	}
	if base.class != classFixed || base.size != d.size {
		return c.r.fail(c.here(), "an enumeration names %s, expected integers of %d bytes", base.name(), d.size)
	}
	d.dtype, d.big = base.dtype, base.big
	names := make([]string, 0, min(n, 2))
	for range n {
		end := bytes.IndexByte(c.b[c.pos:], 0)
		if end < 0 {
			return c.r.fail(c.here(), "the name of an enumeration's member has no end")
		}
		name := string(c.take(end))
		width := 1
		if version < 3 {
			width = (end+8)&^7 - end
		}
		if c.skip(width); c.err != nil {
			return c.err
		}
		if len(names) < 2 {
			names = append(names, name)
		}
	}
	values := c.take(n * d.size)
	if n == 2 && d.size == 1 && names[0] == "FALSE" && names[1] == "TRUE" && c.err == nil && values[0] == 0 && values[1] == 1 {
		d.dtype = checkpoint.Bool
	}
	return c.err
}

// array reads a type whose elements are arrays themselves: their dimensions
// come after the dataset's.
func (c *cursor) array(d *datatype, version uint8, depth int) error {
	at := c.here()
	rank := int(c.u8())
	if rank == 0 || rank > maxRank {
		return c.r.fail(at, "an array type has %d dimensions, expected 1 to %d", rank, maxRank)
	}
	if version < 3 {
		c.skip(3)
	}
	dims, n := make([]int, rank), int64(1)
	for i := range dims {
		dims[i] = int(c.u32())
		if n *= int64(dims[i]); n <= 0 || n > int64(d.size) {
			return c.r.fail(at, "an array type of %d bytes has dimensions %v", d.size, dims[:i+1])
		}
	}
	if version < 3 {
		c.skip(4 * rank) // a permutation that never was used
	}
	base, err := c.datatype(depth + 1)
	if err != nil {
		return err
	}
	if int64(base.size)*n != int64(d.size) {
		return c.r.fail(at, "an array type has %d bytes, its %d elements have %d each", d.size, n, base.size)
	}
	size := d.size
	*d = base
	d.dims, d.size = append(dims, base.dims...), size
	return nil
}
