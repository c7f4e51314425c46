package onnx

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// A file is one protobuf message, and messages lie inside messages. They are
// walked in place: a field is a slice of the file, and a length that goes
// beyond its message ends the walk. Nothing is allocated by what a length says.

// field is one field of a message: its number and its value, u for the wire
// types that are numbers, b for the one that is bytes.
type field struct {
	num protowire.Number
	typ protowire.Type
	u   uint64
	b   []byte
}

// damaged is what bytes are that are no fields.
const damaged = "the file is cut off or damaged, or is no ONNX file"

// walk calls f for each field of the message b, in order.
func walk(b []byte, message string, f func(field) error) error {
	for at := 0; at < len(b); {
		num, typ, n := protowire.ConsumeTag(b[at:])
		if n < 0 {
			return fmt.Errorf("%s, byte %d: %w: %s", message, at, protowire.ParseError(n), damaged)
		}
		v := field{num: num, typ: typ}
		rest, m := b[at+n:], 0
		switch typ {
		case protowire.VarintType:
			v.u, m = protowire.ConsumeVarint(rest)
		case protowire.Fixed32Type:
			var x uint32
			x, m = protowire.ConsumeFixed32(rest)
			v.u = uint64(x)
		case protowire.Fixed64Type:
			v.u, m = protowire.ConsumeFixed64(rest)
		case protowire.BytesType:
			v.b, m = protowire.ConsumeBytes(rest)
		default: // groups, which no ONNX message has
			return fmt.Errorf("%s, byte %d: field %d has wire type %d, which ONNX does not use: %s", message, at, num, typ, damaged)
		}
		if m < 0 {
			return fmt.Errorf("%s, byte %d: field %d: %w: %s", message, at, num, protowire.ParseError(m), damaged)
		}
		if err := f(v); err != nil {
			return err
		}
		at += n + m
	}
	return nil
}

func (v field) wrong(message string) error {
	return fmt.Errorf("%s: field %d has wire type %d, not the one ONNX gives it", message, v.num, v.typ)
}

// bytes returns the value of a field that holds a message or bytes.
func (v field) bytes(message string) ([]byte, error) {
	if v.typ != protowire.BytesType {
		return nil, v.wrong(message)
	}
	return v.b, nil
}

// str reads a string; one of more than maxName bytes is refused, for strings
// are names, and names appear in errors and listings.
func (v field) str(message string, to *string) error {
	b, err := v.bytes(message)
	if err == nil && len(b) > maxName {
		err = fmt.Errorf("%s: field %d is a string of %d bytes, at most %d are read", message, v.num, len(b), maxName)
	}
	if err == nil {
		*to = string(b)
	}
	return err
}

func (v field) int(message string, to *int64) error {
	if v.typ != protowire.VarintType {
		return v.wrong(message)
	}
	*to = int64(v.u)
	return nil
}

// ints appends the values of a repeated integer field, packed or not.
func (v field) ints(message string, to *[]int64) error {
	switch v.typ {
	case protowire.VarintType:
		*to = append(*to, int64(v.u))
		return nil
	case protowire.BytesType:
		for b := v.b; len(b) > 0; {
			x, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return fmt.Errorf("%s: field %d: %w", message, v.num, protowire.ParseError(n))
			}
			*to, b = append(*to, int64(x)), b[n:]
		}
		return nil
	}
	return v.wrong(message)
}

// fixed appends the bytes of a repeated field of size-byte numbers, packed or
// not: little-endian, as the wire has them.
func (v field) fixed(message string, size int, to *[]byte) error {
	switch {
	case v.typ == protowire.BytesType && len(v.b)%size == 0:
		if len(*to) == 0 {
			*to = v.b[:len(v.b):len(v.b)] // appending copies
			return nil
		}
		*to = append(*to, v.b...)
		return nil
	case v.typ == protowire.Fixed32Type && size == 4:
		*to = protowire.AppendFixed32(*to, uint32(v.u))
		return nil
	case v.typ == protowire.Fixed64Type && size == 8:
		*to = protowire.AppendFixed64(*to, v.u)
		return nil
	}
	return v.wrong(message)
}

func (v field) float(message string, to *float32) error {
	if v.typ != protowire.Fixed32Type {
		return v.wrong(message)
	}
	*to = math.Float32frombits(uint32(v.u))
	return nil
}
