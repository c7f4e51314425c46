package onnx

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/unroll-ml/unroll/checkpoint"
)

// The messages that WriteGraph needs, each appended to bytes; see parse.go for the
// numbers of their fields.

func appendMessage(b []byte, num protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), body)
}

func appendString(b []byte, num protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
}

func appendInt(b []byte, num protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), uint64(v))
}

// encodeTensor is a TensorProto with raw data.
func encodeTensor(name string, t checkpoint.Tensor) []byte {
	var b []byte
	for _, d := range t.Shape {
		b = appendInt(b, 1, int64(d))
	}
	b = appendInt(b, 2, typeNumber(t.DType))
	b = appendString(b, 8, name)
	return appendMessage(b, 9, t.Data)
}

func encodeAttribute(a Attribute) []byte {
	b := appendString(nil, 1, a.Name)
	switch a.Kind {
	case Float:
		b = protowire.AppendFixed32(protowire.AppendTag(b, 2, protowire.Fixed32Type), math.Float32bits(a.F))
	case Int:
		b = appendInt(b, 3, a.I)
	case String:
		b = appendString(b, 4, a.S)
	case Floats:
		for _, f := range a.Floats {
			b = protowire.AppendFixed32(protowire.AppendTag(b, 7, protowire.Fixed32Type), math.Float32bits(f))
		}
	case Ints:
		for _, i := range a.Ints {
			b = appendInt(b, 8, i)
		}
	case Strings:
		for _, s := range a.Strings {
			b = appendString(b, 9, s)
		}
	}
	return appendInt(b, 20, int64(a.Kind))
}

func encodeNode(n Node) []byte {
	var b []byte
	for _, s := range n.Inputs {
		b = appendString(b, 1, s)
	}
	for _, s := range n.Outputs {
		b = appendString(b, 2, s)
	}
	b = appendString(appendString(b, 3, n.Name), 4, n.Op)
	for _, a := range n.Attributes {
		b = appendMessage(b, 5, encodeAttribute(a))
	}
	return b
}

// encodeValue is a ValueInfoProto of a tensor.
func encodeValue(v Value, elem int64) []byte {
	var shape []byte
	for _, d := range v.Shape {
		var dim []byte
		if d.Size >= 0 {
			dim = appendInt(nil, 1, d.Size)
		} else if d.Name != "" {
			dim = appendString(nil, 2, d.Name)
		}
		shape = appendMessage(shape, 1, dim)
	}
	tensorType := appendMessage(appendInt(nil, 1, elem), 2, shape)
	return appendMessage(appendString(nil, 1, v.Name), 2, appendMessage(nil, 1, tensorType))
}

// irVersion is the version of the format that came with an opset, or before it:
// a runtime that knows the opset reads it.
func irVersion(opset int64) int64 {
	switch {
	case opset < 10: // before 4, every initializer had to be an input too
		return 4
	case opset < 11:
		return 5
	case opset < 12:
		return 6
	case opset < 15:
		return 7
	case opset < 19:
		return 8
	case opset < 21:
		return 9
	}
	return 10
}
