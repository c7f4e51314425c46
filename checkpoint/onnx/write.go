package onnx

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Opsets that Write writes.
const (
	MinOpset     = 7
	MaxOpset     = 22
	DefaultOpset = 17
)

// Write writes a network as an ONNX file of the given opset (0: DefaultOpset).
// Time and batch are dynamic. The graph's inputs and outputs are
//
//	input  [T,B,I] or tokens [T,B] ([B,T,...] with BatchFirst)
//	h0     [L*D,B,H], and c0 of an LSTM
//	output [T,B,D*H], or logits [T,B,N] ([B,N] with Final)
//	h_n    like h0, and c_n
//
// so that a stream can be run by handing h_n and c_n back in. All tensors have
// to be F32. The names in n are not looked at. An initial state other than an
// input, and lengths, have no place in it.
func Write(w io.Writer, n *Network, opset int64) error {
	if opset == 0 {
		opset = DefaultOpset
	}
	if opset < MinOpset || opset > MaxOpset {
		return fmt.Errorf("onnx: opset %d, expected %d to %d", opset, MinOpset, MaxOpset)
	}
	e := &exporter{n: n, opset: opset}
	if err := e.graph(); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	file, err := encodeModel(e.b, opset)
	if err != nil {
		return err
	}
	_, err = w.Write(file)
	return err
}

// exporter appends a GraphProto.
type exporter struct {
	n     *Network
	opset int64
	b     []byte
	count int // nodes
}

func (e *exporter) node(op string, inputs, outputs []string, attrs ...Attribute) {
	e.b = appendMessage(e.b, 1, encodeNode(Node{Name: fmt.Sprintf("%s_%d", op, e.count), Op: op, Inputs: inputs, Outputs: outputs, Attributes: attrs}))
	e.count++
}

func (e *exporter) constant(name string, t checkpoint.Tensor) string {
	e.b = appendMessage(e.b, 5, encodeTensor(name, t))
	return name
}

func (e *exporter) ints(name string, v ...int64) string {
	return e.constant(name, checkpoint.OfInts(name, v))
}

func (e *exporter) graph() error {
	n := e.n
	if len(n.Layers) == 0 {
		return fmt.Errorf("there is no recurrent layer")
	}
	first := n.Layers[0]
	e.b = appendString(nil, 2, "unroll")
	seq, batch := Dim{Size: -1, Name: "seq_len"}, Dim{Size: -1, Name: "batch"}
	outer := []Dim{seq, batch}
	if n.BatchFirst {
		outer = []Dim{batch, seq}
	}
	fixed := func(d int) Dim { return Dim{Size: int64(d)} }
	f32, i64 := typeNumber(checkpoint.F32), typeNumber(checkpoint.I64)
	states := []Dim{fixed(len(n.Layers) * first.Directions()), batch, fixed(first.HiddenSize)}
	hasCell := first.Op == "LSTM"

	x := "input"
	if n.Embedding != nil {
		if err := isF32("embedding", n.Embedding); err != nil {
			return err
		}
		e.b = appendMessage(e.b, 11, encodeValue(Value{Name: "tokens", Shape: outer}, i64))
		x = "embedded"
		e.node("Gather", []string{e.constant("embedding.weight", *n.Embedding), "tokens"}, []string{x})
	} else {
		e.b = appendMessage(e.b, 11, encodeValue(Value{Name: x, Shape: append(slices.Clone(outer), fixed(first.InputSize))}, f32))
	}
	e.b = appendMessage(e.b, 11, encodeValue(Value{Name: "h0", Shape: states}, f32))
	if hasCell {
		e.b = appendMessage(e.b, 11, encodeValue(Value{Name: "c0", Shape: states}, f32))
	}
	swap := Attribute{Name: "perm", Kind: Ints, Ints: []int64{1, 0, 2}}
	if n.BatchFirst {
		e.node("Transpose", []string{x}, []string{"by_time"}, swap)
		x = "by_time"
	}
	y, err := e.stack(x, hasCell)
	if err != nil {
		return err
	}
	if n.Final {
		outer = []Dim{batch}
		e.node("Transpose", []string{e.last("h")}, []string{"by_batch"}, swap)
		e.node("Reshape", []string{"by_batch", e.ints("final_shape", 0, -1)}, []string{"final"})
		y = "final"
	} else if n.BatchFirst {
		e.node("Transpose", []string{y}, []string{"back"}, swap)
		y = "back"
	}
	out, width := "output", first.Directions()*first.HiddenSize
	if n.Head != nil {
		out, width = "logits", n.Head.Shape[0]
		if err := e.head(y, out); err != nil {
			return err
		}
	} else {
		e.node("Identity", []string{y}, []string{out})
	}
	e.b = appendMessage(e.b, 12, encodeValue(Value{Name: out, Shape: append(slices.Clone(outer), fixed(width))}, f32))
	e.b = appendMessage(e.b, 12, encodeValue(Value{Name: "h_n", Shape: states}, f32))
	if hasCell {
		e.b = appendMessage(e.b, 12, encodeValue(Value{Name: "c_n", Shape: states}, f32))
	}
	return nil
}

// last returns the name of the top layer's final state h or c.
func (e *exporter) last(state string) string {
	if len(e.n.Layers) == 1 {
		return state + "_n"
	}
	return fmt.Sprintf("%s_n_l%d", state, len(e.n.Layers)-1)
}

// stack writes the recurrent nodes and returns the name of [T,B,D*H].
func (e *exporter) stack(x string, hasCell bool) (string, error) {
	many := len(e.n.Layers) > 1
	finals := map[string][]string{}
	for i, r := range e.n.Layers {
		if r.Op != e.n.Layers[0].Op {
			return "", fmt.Errorf("layers of different kinds")
		}
		l := fmt.Sprintf("_l%d", i)
		names, err := e.weights(r, l)
		if err != nil {
			return "", err
		}
		part := func(state string) string {
			if !many {
				return state + "0"
			}
			e.slice(state+"0", state+"0"+l, int64(i*r.Directions()), int64((i+1)*r.Directions()))
			return state + "0" + l
		}
		final := func(state string) string {
			if !many {
				return state + "_n"
			}
			finals[state] = append(finals[state], state+"_n"+l)
			return state + "_n" + l
		}
		in := []string{x, names["W"], names["R"], names["B"], "", part("h")}
		out := []string{"y" + l, final("h")}
		if hasCell {
			in, out = append(in, part("c")), append(out, final("c"))
			if names["P"] != "" {
				in = append(in, names["P"])
			}
		}
		e.node(r.Op, in, out, r.Attributes()...)
		e.node("Transpose", []string{"y" + l}, []string{"yt" + l}, Attribute{Name: "perm", Kind: Ints, Ints: []int64{0, 2, 1, 3}})
		e.node("Reshape", []string{"yt" + l, e.ints("shape"+l, 0, 0, -1)}, []string{"out" + l})
		x = "out" + l
	}
	for _, state := range []string{"h", "c"} {
		if len(finals[state]) > 0 {
			e.node("Concat", finals[state], []string{state + "_n"}, Attribute{Name: "axis", Kind: Int})
		}
	}
	return x, nil
}

// slice cuts [lo,hi) of the first dimension; before opset 10 the bounds were
// attributes.
func (e *exporter) slice(from, to string, lo, hi int64) {
	if e.opset < 10 {
		list := func(name string, v int64) Attribute {
			return Attribute{Name: name, Kind: Ints, Ints: []int64{v}}
		}
		e.node("Slice", []string{from}, []string{to}, list("axes", 0), list("starts", lo), list("ends", hi))
		return
	}
	e.node("Slice", []string{from, e.ints(to+"_start", lo), e.ints(to+"_end", hi), e.ints(to+"_axis", 0)}, []string{to})
}

// weights writes W, R, B and P of a layer from its parameters.
func (e *exporter) weights(r *Recurrent, suffix string) (map[string]string, error) {
	set, err := r.Weights()
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, t := range set {
		names[t.Name] = e.constant(t.Name+suffix, t)
	}
	return names, nil
}

func isF32(what string, t *checkpoint.Tensor) error {
	if t.DType != checkpoint.F32 {
		return fmt.Errorf("%s is %s, expected F32", what, t.Type())
	}
	return t.Check()
}

// head writes the linear layer on y.
func (e *exporter) head(y, out string) error {
	n := e.n
	if err := isF32("head", n.Head); err != nil {
		return err
	}
	if len(n.Head.Shape) != 2 {
		return fmt.Errorf("the head has shape %v, expected [N,D*H]", n.Head.Shape)
	}
	to := out
	if n.Bias != nil {
		to = out + "_product"
	}
	e.node("MatMul", []string{y, e.constant("fc.weight", transposed(n.Head))}, []string{to})
	if n.Bias != nil {
		if err := isF32("bias", n.Bias); err != nil {
			return err
		}
		e.node("Add", []string{to, e.constant("fc.bias", *n.Bias)}, []string{out})
	}
	return nil
}

// transposed returns [b,a] of an F32 matrix [a,b].
func transposed(t *checkpoint.Tensor) checkpoint.Tensor {
	a, b := t.Shape[0], t.Shape[1]
	out := checkpoint.Tensor{Info: t.Info, Data: make([]byte, len(t.Data))}
	out.Shape = []int{b, a}
	for i := range a {
		for j := range b {
			binary.LittleEndian.PutUint32(out.Data[4*(j*a+i):], binary.LittleEndian.Uint32(t.Data[4*(i*b+j):]))
		}
	}
	return out
}

// Layer makes one layer of a stack to be written: params under PyTorch's names
// with _l0, activation Tanh or Relu for an RNN, empty for the operator's own.
func Layer(op string, inputSize, hiddenSize int, bidirectional, noBias bool, activation string, params checkpoint.Set) *Recurrent {
	r := &Recurrent{Op: op, InputSize: inputSize, HiddenSize: hiddenSize, Direction: "forward", NoBias: noBias, LinearBeforeReset: op == "GRU", Params: params}
	if bidirectional {
		r.Direction = "bidirectional"
	}
	names := operators[op].functions
	if activation != "" {
		names = []string{activation}
	}
	for range r.Directions() {
		for _, name := range names {
			r.Activations = append(r.Activations, Activation{Name: name})
		}
	}
	return r
}
