package graph

import (
	"fmt"
	"io"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
)

// Rounding says which precision the weights of a node have in a file; part is its name
// as Program.Parts has it, of a layer of several that of one layer.
type Rounding func(n *Node, part string) unroll.Precision

// WriteRounded is WriteVersion with the weights of what is Int8 as 8-bit integers and a
// scale for each output, as Layer.Quantize rounds them, behind a DequantizeLinear, so
// that every engine of ONNX runs the file, in float32. Weights are of recurrent nodes
// and layers, of MatMul, Gemm and Conv with a constant, and rows of a Gather's. Other
// precisions are written as float32, and so is what CompileIn does not round. The
// version has to be 13 or more.
func WriteRounded(w io.Writer, g *Graph, version int64, rounding Rounding) error {
	return writeGraph(w, g, version, rounding)
}

// leastAxis is the version from which on DequantizeLinear has an axis.
const leastAxis = 13

// roundedNode returns a node of the graph that reads its weights as integers; the node
// itself where it has none. It adds what stands before it.
func (l *lowerer) roundedNode(n *Node) (*Node, error) {
	axis, inputs := 0, []int{1}
	switch {
	case l.rounding == nil || domain(n.Domain) != "":
		return n, nil
	case n.IsRecurrent():
		axis, inputs = 1, []int{1, 2} // of [D,G*H,I]
	case n.Op == "MatMul":
		axis = 1
	case n.Op == "Gemm":
		if v, _ := n.Attrs["transB"].(int64); v == 0 {
			axis = 1
		}
	case n.Op == "Conv":
	case n.Op == "Gather":
		inputs = []int{0}
	default:
		return n, nil
	}
	to := *n
	to.Inputs = append([]string{}, n.Inputs...)
	for _, i := range inputs {
		c := l.constants[n.input(i)]
		if c == nil || c.Type != F32 || len(c.Shape) < 2 || n.Op == "MatMul" && len(c.Shape) != 2 {
			return n, nil
		}
		if len(c.Shape) == 2 && c.Shape[1-axis] > maxDepth8 || n.IsRecurrent() && c.Shape[len(c.Shape)-1] > maxDepth8 || l.rounding(n, n.Part()) != unroll.Int8 {
			return n, nil
		}
		v, err := c.value()
		if err != nil {
			return n, err
		}
		if n.Op == "Conv" && (v.Shape[0]/groupsOf(n) < leastChannels8 || v.n/v.Shape[0] > maxDepth8) {
			return n, nil
		}
		if n.Op == "Gather" {
			if a, _ := n.Attrs["axis"].(int64); a != 0 {
				return n, nil
			}
			return nil, l.gather(n, v)
		}
		if to.Inputs[i], err = l.integers(n.input(i), v, axis); err != nil {
			return n, err
		}
	}
	return &to, nil
}

func groupsOf(n *Node) int {
	if v, ok := n.Attrs["group"].(int64); ok && v > 0 {
		return int(v)
	}
	return 1
}

// value loads a constant.
func (c *Constant) value() (Value, error) {
	v := c.Value
	if c.Load != nil {
		var err error
		if v, err = c.Load(); err != nil {
			return v, err
		}
	}
	if v.IsZero() {
		return v, graphError(fmt.Sprintf("constant %q", c.Name), "it has no value")
	}
	return v, nil
}

// integers adds weights as integers, with a scale for each index of an axis, and what
// makes float32 of them, whose name it returns.
func (l *lowerer) integers(what string, v Value, axis int) (string, error) {
	if l.opset > 0 && l.opset < leastAxis {
		return "", &Error{Reason: fmt.Sprintf("opset %d: integers with a scale for each output are written from %d on", l.opset, leastAxis), Err: ErrOperator}
	}
	shape := v.Shape
	if len(shape) == 3 && axis == 1 && shape[0] > 1 { // of two directions: an axis has to hold both
		v.Shape, axis = []int{shape[0] * shape[1], shape[2]}, 0
	}
	q, scale, err := alongAxis(v, axis)
	if err != nil {
		return "", err
	}
	name := l.one("DequantizeLinear", Attrs{"axis": int64(axis)}, l.constant(what+".int8", q), l.constant(what+".scale", scale))
	if len(v.Shape) == len(shape) {
		return name, nil
	}
	whole := make([]int64, len(shape))
	for i, n := range shape {
		whole[i] = int64(n)
	}
	return l.one("Reshape", nil, name, l.ints(whole...)), nil
}

// gather writes a Gather of rows of integers, and what makes numbers of those alone.
func (l *lowerer) gather(n *Node, v Value) error {
	q, scale, err := alongAxis(v, 0)
	if err != nil {
		return err
	}
	for len(scale.Shape) < len(v.Shape) {
		scale.Shape = append(scale.Shape, 1)
	}
	rows := l.one("Gather", n.Attrs, l.constant(n.input(0)+".int8", q), n.input(1))
	rows = l.one("Cast", Attrs{"to": int64(1)}, rows)
	steps := l.one("Gather", n.Attrs, l.constant(n.input(0)+".scale", scale), n.input(1))
	l.node("Mul", nil, []string{rows, steps}, n.output(0))
	return nil
}

// alongAxis rounds weights to integers with a scale for each index of an axis.
func alongAxis(v Value, axis int) (q, scale Value, err error) {
	n, inner := v.Shape[axis], product(v.Shape[axis+1:])
	if q, err = New(I8, v.Shape...); err != nil {
		return q, scale, err
	}
	if scale, err = New(F32, n); err != nil {
		return q, scale, err
	}
	outer := 0
	if n*inner > 0 {
		outer = v.n / (n * inner)
	}
	row, ints := make([]float32, outer*inner), make([]int8, outer*inner)
	from, to := data[float32](&v), data[int8](&q)
	for j := range n {
		for o := range outer {
			copy(row[o*inner:(o+1)*inner], from[(o*n+j)*inner:])
		}
		data[float32](&scale)[j] = quantiseWeights(ints, row)
		for o := range outer {
			copy(to[(o*n+j)*inner:(o*n+j+1)*inner], ints[o*inner:])
		}
	}
	return q, scale, nil
}

// roundedTensor is integers for a parameter of a layer that is written.
func (l *lowerer) roundedTensor(what string, t checkpoint.Tensor) (string, error) {
	v, err := fromTensor(t)
	if err != nil {
		return "", err
	}
	return l.integers(what, v, 1)
}

// precisions are those of a stack's layers in the file: the layer's own, and what the
// rounding says of those that are full.
func (l *lowerer) precisions(n *Node, layer *unroll.Layer) []unroll.Precision {
	own := layer.Precisions()
	if l.rounding == nil {
		return make([]unroll.Precision, len(own))
	}
	c := layer.Config()
	for i, p := range own {
		if p != unroll.Full || max(c.InputSize, c.OutputSize(), c.HiddenSize) > maxDepth8 {
			continue
		}
		part := n.Part()
		if len(own) > 1 {
			part += fmt.Sprintf(".l%d", i)
		}
		own[i] = l.rounding(n, part)
	}
	return own
}
