package hdf5

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Attribute is a named value of a group or dataset: numbers, strings, or one
// of a type that is not read.
type Attribute struct {
	Name string
	// Type is the element type for a listing: "F32", "string", "reference of 8
	// bytes".
	Type string
	// Shape is empty for a single value. An empty value has a dimension of 0.
	Shape []int
	// Strings has the elements in row-major order if they are strings,
	// otherwise it is nil.
	Strings []string
	// Numbers has the elements if they are numbers; its DType is Unknown
	// otherwise.
	Numbers checkpoint.Tensor
}

// Text returns the value of an attribute that is one string.
func (a Attribute) Text() (string, bool) {
	if len(a.Strings) == 1 {
		return a.Strings[0], true
	}
	return "", false
}

// attribute reads the message of an attribute.
func (r *reader) attribute(m *cursor) (Attribute, error) {
	at := m.here()
	version, flags := m.u8(), m.u8()
	if m.err == nil && (version < 1 || version > 3) {
		return Attribute{}, r.fail(at, "an attribute has version %d, expected 1 to 3", version)
	}
	if version == 1 {
		flags = 0
	}
	sizes := [3]int{int(m.u16()), int(m.u16()), int(m.u16())}
	if version == 3 {
		m.skip(1) // ASCII or UTF-8, which holds both
	}
	var parts [3]*cursor
	for i, what := range []string{"attribute's name", "attribute's type", "attribute's shape"} {
		parts[i] = m.sub(sizes[i], what)
		if version == 1 {
			m.skip(-sizes[i] & 7)
		}
	}
	if m.err != nil {
		return Attribute{}, m.err
	}
	name, _, _ := bytes.Cut(parts[0].b, []byte{0})
	a := Attribute{Name: clean(name)}
	for i, kind := range []uint16{msgDatatype, msgDataspace} {
		if flags&(1<<i) == 0 {
			continue
		}
		to, err := r.follow(parts[1+i], kind)
		if err != nil {
			return a, err
		}
		parts[1+i] = to.cursor
	}
	d, err := parts[1].datatype(0)
	if err != nil {
		return a, err
	}
	s, err := parts[2].dataspace()
	if err != nil {
		return a, err
	}
	return a, r.value(&a, d, s, m)
}

// value reads an attribute's elements.
func (r *reader) value(a *Attribute, d datatype, s dataspace, c *cursor) error {
	if s.count > int64(c.rest())/int64(d.size) {
		return r.fail(c.here(), "attribute %s of %d elements of %d bytes has %d bytes", short(a.Name), s.count, d.size, c.rest())
	}
	if err := r.spend(c.here(), int64(len(a.Name))+objectCost); err != nil {
		return err
	}
	a.Type = d.name()
	a.Shape = shape(s, d)
	raw := c.take(int(s.count) * d.size)
	switch {
	case d.text():
		list, err := r.strings(d, raw, s.count)
		a.Strings = list
		return err
	case d.dtype == checkpoint.Unknown:
		return nil
	}
	info, err := checkpoint.NewInfo(a.Name, d.dtype, a.Shape)
	if err != nil {
		return r.fail(c.at, "attribute %s: %v", short(a.Name), err)
	}
	if err := r.spend(c.here(), int64(len(raw))); err != nil {
		return err
	}
	a.Numbers = checkpoint.Tensor{Info: info, Data: bytes.Clone(raw)}
	if a.Numbers.Data == nil {
		a.Numbers.Data = []byte{}
	}
	if err := d.littleEndian(a.Numbers.Data); err != nil {
		return r.fail(c.at, "attribute %s: %v", short(a.Name), err)
	}
	return nil
}

// shape is that of a dataset or attribute: its space's, then its type's.
func shape(s dataspace, d datatype) []int {
	out := make([]int, 0, len(s.dims)+len(d.dims))
	if s.null {
		return append(out, 0)
	}
	for _, n := range s.dims {
		out = append(out, int(n))
	}
	return append(out, d.dims...)
}

// strings decodes count elements of a string type.
func (r *reader) strings(d datatype, raw []byte, count int64) ([]string, error) {
	if err := r.spend(-1, count*16); err != nil {
		return nil, err
	}
	list := make([]string, count)
	for i := range list {
		b := raw[i*d.size : (i+1)*d.size]
		if d.variable {
			var err error
			if b, err = r.global(b); err != nil {
				return nil, err
			}
		}
		switch d.padding {
		case padNull:
			b, _, _ = bytes.Cut(b, []byte{0})
		case padZeros:
			b = bytes.TrimRight(b, "\x00")
		case padSpaces:
			b = bytes.TrimRight(b, " ")
		}
		if err := r.spend(-1, int64(len(b))); err != nil {
			return nil, err
		}
		list[i] = clean(b)
	}
	return list, nil
}

// clean is text from a file; what is not UTF-8 has U+FFFD in its place.
func clean(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// short is a name from a file, safe to print in an error.
func short(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return fmt.Sprintf("%q", s)
}
