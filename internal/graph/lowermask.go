package graph

import (
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint/onnx"
)

// A mask of steps, which ONNX's recurrent operators do not have, is a Scan whose
// body is one step of the layer: where a step is masked the states stay, and the
// output is that of the step before, zeros before the first.

// masked writes a layer with a mask [T,B], true for the steps that count.
func (l *lowerer) masked(r *onnx.Recurrent, w [4]string, x, mask string, states [2]string) (y string, last [2]string) {
	var ys []string
	var ends [2][]string
	zeros := l.zeros(r, x)
	for d := range r.Directions() {
		one := direction(r, d)
		var start [2]string
		for k, s := range states {
			switch {
			case s == "":
				start[k] = zeros
			case r.Directions() == 1:
				start[k] = s
			default:
				start[k] = l.slice(s, d, d+1)
			}
		}
		weights := w
		if r.Directions() > 1 {
			for k, name := range w {
				if name != "" {
					weights[k] = l.slice(name, d, d+1)
				}
			}
		}
		out, end := l.scan(one, weights, x, mask, start, zeros, r.Direction == "reverse" || d == 1)
		ys = append(ys, out)
		for k := range ends {
			ends[k] = append(ends[k], end[k])
		}
	}
	if len(ys) == 1 {
		return ys[0], [2]string{ends[0][0], ends[1][0]}
	}
	last[0] = l.node("Concat", Attrs{"axis": int64(0)}, ends[0], "")[0]
	if r.Op == "LSTM" {
		last[1] = l.node("Concat", Attrs{"axis": int64(0)}, ends[1], "")[0]
	}
	return l.node("Concat", Attrs{"axis": int64(2)}, ys, "")[0], last
}

// direction returns the settings of direction d as a node of its own that goes
// forward.
func direction(r *onnx.Recurrent, d int) *onnx.Recurrent {
	one, per := *r, len(r.Activations)/r.Directions()
	one.Direction, one.Activations = "forward", r.Activations[d*per:(d+1)*per]
	return &one
}

// zeros are a state [1,B,H] to begin with.
func (l *lowerer) zeros(r *onnx.Recurrent, x string) string {
	sizes := l.one("Shape", nil, x)
	batch := l.one("Slice", nil, sizes, l.ints(1), l.ints(2), l.ints(0))
	shape := l.one("Concat", Attrs{"axis": int64(0)}, l.ints(1), batch, l.ints(int64(r.HiddenSize)))
	return l.one("ConstantOfShape", Attrs{"value": Vector(float32(0))}, shape)
}

// scan writes one direction.
func (l *lowerer) scan(r *onnx.Recurrent, w [4]string, x, mask string, start [2]string, zeros string, backward bool) (y string, last [2]string) {
	size := func(n int) Dim { return Dim{Size: n} }
	batch := Dim{Size: -1, Name: "B"}
	state := []Dim{size(1), batch, size(r.HiddenSize)}
	body := &Graph{Name: l.fresh("step")}
	hasCell := r.Op == "LSTM"
	port := func(what string, t Type, shape []Dim) string {
		name := l.fresh(what)
		body.Inputs = append(body.Inputs, Port{Name: name, Type: t, Shape: shape})
		return name
	}
	h := port("h", F32, state)
	c := ""
	inputs := []string{start[0]}
	if hasCell {
		c = port("c", F32, state)
		inputs = append(inputs, start[1])
	}
	before := port("before", F32, state)
	xt := port("x", F32, []Dim{batch, size(r.InputSize)})
	mt := port("m", Bool, []Dim{batch})
	inputs = append(inputs, zeros, x, mask)

	op := func(op string, inputs ...string) string { return l.add(&body.Nodes, op, nil, inputs, "")[0] }
	in, out := []string{op("Unsqueeze", xt, l.ints(0)), w[0], w[1], w[2], "", h}, []string{"-", ""}
	if hasCell {
		in, out = append(in, c, w[3]), append(out, "")
	}
	out = l.add(&body.Nodes, r.Op, attributes(r), in, out...)
	counts := op("Unsqueeze", mt, l.ints(0, 2))
	give := func(value string, shape []Dim) {
		body.Outputs = append(body.Outputs, Port{Name: value, Type: F32, Shape: shape})
	}
	give(op("Where", counts, out[1], h), state)
	if hasCell {
		give(op("Where", counts, out[2], c), state)
	}
	shown := op("Where", counts, out[1], before)
	give(shown, state)
	give(op("Squeeze", shown, l.ints(0)), state[1:])

	attrs := Attrs{"body": body, "num_scan_inputs": int64(2)}
	if backward {
		attrs["scan_input_directions"], attrs["scan_output_directions"] = []int64{1, 1}, []int64{1}
	}
	outputs := []string{"", "", ""}
	if hasCell {
		outputs = []string{"", "", "", ""}
	}
	outputs = l.node("Scan", attrs, inputs, outputs...)
	last[0] = outputs[0]
	if hasCell {
		last[1] = outputs[1]
	}
	return outputs[len(outputs)-1], last
}

// maskOpset is the first version in which what a mask is written with has its form.
const maskOpset = 13

func (l *lowerer) canMask() error {
	if l.opset > 0 && l.opset < maskOpset {
		return &Error{Reason: fmt.Sprintf("a mask of steps is written in version %d of the operators and later, not in %d", maskOpset, l.opset), Err: ErrOperator}
	}
	return nil
}
