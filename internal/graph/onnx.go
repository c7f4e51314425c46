package graph

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
)

// FromONNX makes the graph of a file. Constants are loaded when they are first
// needed. It is an ErrOperator if an input or output has an element type that
// values do not have, and for what no operator here has as an attribute.
func FromONNX(f *onnx.File) (*Graph, error) {
	r := fromFile{f: f}
	g, err := r.whole()
	if err != nil {
		return nil, err
	}
	g.tables()
	for _, list := range [][]Port{g.Inputs, g.Outputs} {
		for _, p := range list {
			if p.Type == None {
				return nil, &Error{Place: fmt.Sprintf("%q", p.Name), Reason: "it is an input or output whose element type is not one of those that are run", Err: ErrOperator}
			}
		}
	}
	return g, nil
}

// DescribeONNX is FromONNX for a graph that is only looked at: where FromONNX
// refuses, an element type is None and an attribute nil, which Summarize tells.
func DescribeONNX(f *onnx.File) *Graph {
	r := fromFile{f: f, loose: true}
	g, _ := r.whole() // nothing is refused
	return g
}

// fromFile makes graphs of those of a file; loose, what values cannot have becomes
// nothing.
type fromFile struct {
	f     *onnx.File
	loose bool
}

func (r fromFile) whole() (*Graph, error) {
	g, err := r.graph(&r.f.Graph)
	if err != nil {
		return nil, err
	}
	g.Opsets = r.f.Opsets
	if len(r.f.Opsets) == 0 { // before IR version 3 there was one
		g.Opsets = map[string]int64{"": 1}
	}
	return g, g.learnt(ports(r.f.Graph.Defaults))
}

// learnt makes those of the constants that a caller may replace inputs which
// recurrent nodes begin with, and whose last state the graph gives: states, which
// begin with what the file says. Others stay constants.
func (g *Graph) learnt(defaults []Port) error {
	with := *g
	with.Inputs = slices.Concat(g.Inputs, defaults)
	pairs, _ := carried(&with)
	for _, p := range pairs {
		if p[0] < len(g.Inputs) || !fits(&with.Inputs[p[0]], &with.Outputs[p[1]]) {
			continue
		}
		in := with.Inputs[p[0]]
		i := slices.IndexFunc(g.Constants, func(c Constant) bool { return c.Name == in.Name })
		if i < 0 || slices.ContainsFunc(g.Inputs, func(o Port) bool { return o.Name == in.Name }) {
			continue
		}
		var err error
		if in.Start, err = g.Constants[i].value(); err != nil {
			return graphError(fmt.Sprintf("constant %q", in.Name), "%v", err)
		}
		g.Inputs = append(g.Inputs, in)
		g.Constants = slices.Delete(g.Constants, i, i+1)
	}
	return nil
}

// storedTypes are the types of tensors in files.
var storedTypes = map[checkpoint.DType]Type{
	checkpoint.F32: F32, checkpoint.F64: F64, checkpoint.F16: F16, checkpoint.BF16: BF16,
	checkpoint.I64: I64, checkpoint.I32: I32, checkpoint.I8: I8, checkpoint.U8: U8, checkpoint.Bool: Bool,
	checkpoint.I16: I16, checkpoint.U16: U16, checkpoint.U32: U32, checkpoint.U64: U64,
}

func (r fromFile) graph(from *onnx.Graph) (*Graph, error) {
	g := &Graph{Name: from.Name, Inputs: ports(from.Inputs), Outputs: ports(from.Outputs)}
	for i, info := range from.Initializers() {
		g.Constants = append(g.Constants, Constant{Name: info.Name, Type: storedTypes[info.DType], Shape: info.Shape, Load: func() (Value, error) {
			t, err := r.f.Initializer(from, i)
			if err != nil {
				return Value{}, err
			}
			return fromTensor(t)
		}})
	}
	g.Nodes = make([]Node, len(from.Nodes))
	for i := range from.Nodes {
		n := &from.Nodes[i]
		to := &g.Nodes[i]
		*to = Node{Name: n.Name, Op: n.Op, Domain: n.Domain, Inputs: n.Inputs, Outputs: n.Outputs}
		for _, a := range n.Attributes {
			v, err := r.attribute(a)
			if r.loose && err != nil {
				v, err = nil, nil
			}
			if err != nil {
				return nil, at(to, err)
			}
			if to.Attrs == nil {
				to.Attrs = Attrs{}
			}
			to.Attrs[a.Name] = v
		}
	}
	g.Nodes = sorted(g.Nodes)
	return g, nil
}

// ports turns what a file says of inputs and outputs.
func ports(values []onnx.Value) []Port {
	var list []Port
	for _, v := range values {
		p := Port{Name: v.Name, Type: storedTypes[checkpoint.ParseDType(v.Type)]}
		if v.Shape != nil {
			p.Shape = make([]Dim, len(v.Shape))
			for i, d := range v.Shape {
				p.Shape[i] = Dim{Size: -1, Name: d.Name}
				if d.Size >= 0 && d.Size <= math.MaxInt {
					p.Shape[i].Size = int(d.Size)
				}
			}
		}
		list = append(list, p)
	}
	return list
}

// attribute returns an attribute as Attrs has it. One of a kind that no
// operator here has becomes nil, which its row refuses.
func (r fromFile) attribute(a onnx.Attribute) (any, error) {
	switch a.Kind {
	case onnx.Float:
		return a.F, nil
	case onnx.Int:
		return a.I, nil
	case onnx.String:
		return a.S, nil
	case onnx.Floats:
		return a.Floats, nil
	case onnx.Ints:
		return a.Ints, nil
	case onnx.Strings:
		return a.Strings, nil
	case onnx.Tensor:
		v, err := fromTensor(*a.T)
		return v, err
	case onnx.GraphKind:
		return r.graph(a.G)
	}
	return nil, nil
}

// fromTensor converts a stored tensor; halves become float32.
func fromTensor(t checkpoint.Tensor) (Value, error) {
	typ, ok := storedTypes[t.DType]
	if !ok {
		return Value{}, &Error{Reason: fmt.Sprintf("a tensor of element type %s", t.Type()), Err: ErrOperator}
	}
	if err := t.Check(); err != nil {
		return Value{}, err
	}
	if typ == F16 || typ == BF16 {
		d, err := checkpoint.FloatOf[float32](t)
		if err != nil {
			return Value{}, err
		}
		v, err := Of(d.Data, d.Shape...)
		v.as = typ
		return v, err
	}
	if typ != typ.Held() {
		return fromNarrow(t, typ)
	}
	if v, ok := shared(t, typ); ok {
		return v, nil
	}
	v, err := New(typ, t.Shape...)
	if err != nil {
		return Value{}, err
	}
	swap(v.bytes(), t.Data, typ.size())
	if typ == Bool {
		for i, b := range v.bytes() {
			if b > 1 {
				v.bytes()[i] = 1
			}
		}
	}
	return v, nil
}

// minShared is from how many bytes on a value takes over the bytes of a tensor.
const minShared = 1 << 12

// shared is the value of a tensor in the tensor's own bytes, which nobody writes, where
// they are many and lie as numbers do in this machine's memory.
func shared(t checkpoint.Tensor, typ Type) (Value, bool) {
	if len(t.Data) < minShared || typ == Bool || binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return Value{}, false
	}
	v := Value{Type: typ.Held(), Shape: slices.Clone(t.Shape), n: t.Len(), p: unsafe.Pointer(&t.Data[0])}
	return v, uintptr(v.p)%8 == 0 && v.Bytes() == t.Bytes
}

// fromNarrow converts a stored tensor of integers that are held as longer ones.
func fromNarrow(t checkpoint.Tensor, typ Type) (Value, error) {
	v, err := New(typ, t.Shape...)
	if err != nil {
		return Value{}, err
	}
	v.as = typ
	size := len(t.Data) / max(v.n, 1)
	for i := range v.n {
		var bits [8]byte
		copy(bits[:], t.Data[i*size:][:size])
		x := int64(binary.LittleEndian.Uint64(bits[:]))
		switch {
		case typ == I16:
			data[int32](&v)[i] = int32(int16(x))
		case typ == U16:
			data[int32](&v)[i] = int32(x)
		case x < 0: // of U64
			return Value{}, &Error{Reason: fmt.Sprintf("a tensor of uint64 holds %d; below 2^63 they are run", uint64(x)), Err: ErrOperator}
		default:
			data[int64](&v)[i] = x
		}
	}
	return v, nil
}

// swap copies numbers between this machine's order of bytes and little-endian.
func swap(dst, src []byte, size int) {
	if size == 1 || binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		copy(dst, src)
		return
	}
	for i := range src {
		dst[i] = src[i/size*size+size-1-i%size]
	}
}

// stored is fromTensor's inverse: the value's bytes, little-endian; they are shared
// where this machine has them so.
func stored(name string, v *Value) checkpoint.Tensor {
	t := checkpoint.Tensor{Info: checkpoint.Info{Name: name, Shape: v.Shape, Bytes: v.Bytes(), DType: storedAs(v.Type)}}
	if v.as != None && !v.as.isFloat() {
		return narrow(t, v)
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		t.Data = v.bytes()
		return t
	}
	t.Data = make([]byte, v.Bytes())
	swap(t.Data, v.bytes(), v.Type.size())
	return t
}

// storedAs is the type of tensors in files that holds t.
func storedAs(t Type) checkpoint.DType {
	for from, to := range storedTypes {
		if to == t {
			return from
		}
	}
	return checkpoint.Unknown
}

// narrow is fromNarrow's inverse.
func narrow(t checkpoint.Tensor, v *Value) checkpoint.Tensor {
	t.DType = storedAs(v.as)
	list, _ := v.ints() // of integers alone
	t.Data = make([]byte, 0, len(list)*t.DType.Size())
	for _, x := range list {
		t.Data = append(t.Data, binary.LittleEndian.AppendUint64(nil, uint64(x))[:t.DType.Size()]...)
	}
	t.Bytes = int64(len(t.Data))
	return t
}
