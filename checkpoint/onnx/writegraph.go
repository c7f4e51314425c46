package onnx

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/unroll-ml/unroll/checkpoint"
)

// AddConstant adds an initializer to a graph that is to be written. It shares the
// tensor's data.
func (g *Graph) AddConstant(t checkpoint.Tensor) {
	g.tensors = append(g.tensors, &stored{Tensor: t})
}

// WriteGraph writes a graph as an ONNX file. Opsets are versions by domain, ""
// for ONNX's own. Attributes and constants may be of every kind that is read.
// Errors name the value or attribute that cannot be written, and the size of a file
// beyond 2 GiB.
func WriteGraph(w io.Writer, g *Graph, opsets map[string]int64) error {
	body, err := encodeGraph(g)
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	b := appendInt(nil, 1, irVersion(opsets[""]))
	b = appendString(b, 2, "unroll")
	for _, domain := range slices.Sorted(maps.Keys(opsets)) {
		b = appendMessage(b, 8, appendInt(appendString(nil, 1, domain), 2, opsets[domain]))
	}
	if len(body) > maxFile-len(b)-16 {
		return fmt.Errorf("onnx: the graph takes %d bytes, an ONNX file has at most %d", len(body), maxFile)
	}
	_, err = w.Write(appendMessage(b, 7, body))
	return err
}

// encodeGraph is a GraphProto.
func encodeGraph(g *Graph) ([]byte, error) {
	name := g.Name
	if name == "" { // the checker wants one
		name = "graph"
	}
	b := appendString(nil, 2, name)
	for i := range g.Nodes {
		n := &g.Nodes[i]
		body := encodeNode(Node{Name: n.Name, Op: n.Op, Inputs: n.Inputs, Outputs: n.Outputs})
		if n.Domain != "" {
			body = appendString(body, 7, n.Domain)
		}
		for _, a := range n.Attributes {
			attribute, err := encodeAnyAttribute(a)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", n, err)
			}
			body = appendMessage(body, 5, attribute)
		}
		b = appendMessage(b, 1, body)
	}
	for _, t := range g.tensors {
		if typeNumber(t.DType) == 0 || t.Data == nil && t.Bytes > 0 {
			return nil, fmt.Errorf("constant %q of type %s has no data to write", t.Name, t.Type())
		}
		b = appendMessage(b, 5, encodeTensor(t.Name, t.Tensor))
	}
	for num, list := range [][]Value{g.Inputs, g.Outputs} {
		for _, v := range list {
			b = appendMessage(b, protowire.Number(11+num), encodeTyped(v))
		}
	}
	return b, nil
}

// encodeTyped is a ValueInfoProto; without a known type it is a name alone.
func encodeTyped(v Value) []byte {
	elem := typeNumber(checkpoint.ParseDType(v.Type))
	switch {
	case elem == 0:
		return appendString(nil, 1, v.Name)
	case v.Shape == nil:
		return appendMessage(appendString(nil, 1, v.Name), 2, appendMessage(nil, 1, appendInt(nil, 1, elem)))
	}
	return encodeValue(v, elem)
}

// encodeAnyAttribute is encodeAttribute for tensors and graphs too.
func encodeAnyAttribute(a Attribute) ([]byte, error) {
	b := appendString(nil, 1, a.Name)
	switch a.Kind {
	case Tensor:
		b = appendMessage(b, 5, encodeTensor(a.T.Name, *a.T))
	case Tensors:
		for _, t := range a.Tensors {
			b = appendMessage(b, 10, encodeTensor(t.Name, *t))
		}
	case GraphKind:
		body, err := encodeGraph(a.G)
		if err != nil {
			return nil, err
		}
		b = appendMessage(b, 6, body)
	case Float, Int, String, Floats, Ints, Strings:
		return encodeAttribute(a), nil
	default:
		return nil, fmt.Errorf("attribute %q is of a kind that is not written", a.Name)
	}
	return appendInt(b, 20, int64(a.Kind)), nil
}
