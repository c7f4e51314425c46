package graph

import (
	"maps"
	"slices"
)

// Widen returns a graph that computes in float64 what g computes in float32: its
// inputs, outputs and constants of float32 are float64, and so is what nodes make
// of them. A parameter keeps the value that it has in float32. It is an
// ErrOperator, with the node's name, for a node that is of half precision or
// quantised: those have no float64 form. What else has none is found by the plan.
// g is not changed.
func Widen(g *Graph) (*Graph, error) {
	w := *g
	w.Inputs, w.Outputs = widePorts(g.Inputs), widePorts(g.Outputs)
	w.Constants = slices.Clone(g.Constants)
	for i := range w.Constants {
		c := &w.Constants[i]
		if c.Type.Held() != F32 {
			continue
		}
		value, load := c.Value, c.Load
		c.Type, c.Value = F64, Value{}
		c.Load = func() (Value, error) {
			if load != nil {
				var err error
				if value, err = load(); err != nil {
					return Value{}, err
				}
			}
			return wide(value), nil
		}
	}
	w.Nodes = slices.Clone(g.Nodes)
	for i := range w.Nodes {
		var err error
		if w.Nodes[i].Attrs, err = wideAttrs(&w.Nodes[i]); err != nil {
			return nil, at(&w.Nodes[i], err)
		}
	}
	return &w, nil
}

func widePorts(list []Port) []Port {
	list = slices.Clone(list)
	for i := range list {
		if list[i].Type.Held() == F32 {
			list[i].Type, list[i].Start = F64, wide(list[i].Start)
		}
	}
	return list
}

// wide returns a float32 value as float64.
func wide(v Value) Value {
	if v.Type != F32 {
		return v
	}
	out := make([]float64, v.n)
	for i, x := range Data[float32](v) {
		out[i] = float64(x)
	}
	return must(Of(out, v.Shape...))
}

// Numbers that ONNX has for element types, of attributes.
const (
	onnxFloat, onnxHalf, onnxDouble, onnxBfloat = 1, 10, 11, 16
)

// wideAttrs are a node's attributes with float64 where float32 was.
func wideAttrs(n *Node) (Attrs, error) {
	none := func(what string) error { return &Error{Reason: what + " has no float64 form", Err: ErrOperator} }
	switch n.Op {
	case "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "DynamicQuantizeLSTM":
		return nil, none("a quantised node")
	}
	attrs := maps.Clone(n.Attrs)
	if attrs == nil {
		attrs = Attrs{}
	}
	for name, a := range attrs {
		if i, ok := a.(int); ok {
			a = int64(i)
		}
		switch a := a.(type) {
		case Value:
			attrs[name] = wide(a)
		case *Graph:
			g, err := Widen(a)
			if err != nil {
				return nil, err
			}
			attrs[name] = g
		case float32, []float32:
			if n.Op != "Constant" {
				continue
			}
			delete(attrs, name)
			if x, ok := a.(float32); ok {
				attrs["value"] = Scalar(float64(x))
			} else {
				list := a.([]float32)
				attrs["value"] = wide(must(Of(list, len(list))))
			}
		case int64:
			if name == "to" || name == "dtype" {
				switch a {
				case onnxFloat:
					attrs[name] = int64(onnxDouble)
				case onnxHalf, onnxBfloat:
					return nil, none("half precision")
				}
			}
		}
	}
	if n.Op == "ConstantOfShape" && attrs["value"] == nil { // zeros of float32
		attrs["value"] = Vector(float64(0))
	}
	return attrs, nil
}
