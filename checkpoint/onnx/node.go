package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Attributes returns the attributes of a node that is r, with layout 0.
func (r *Recurrent) Attributes() []Attribute {
	all := []Attribute{
		{Name: "hidden_size", Kind: Int, I: int64(r.HiddenSize)},
		{Name: "direction", Kind: String, S: r.Direction},
	}
	act := Attribute{Name: "activations", Kind: Strings}
	alpha, beta := Attribute{Name: "activation_alpha", Kind: Floats}, Attribute{Name: "activation_beta", Kind: Floats}
	def := slices.Repeat(operators[r.Op].functions, r.Directions())
	given := !slices.EqualFunc(r.Activations, def, func(a Activation, name string) bool { return a.Name == name })
	for _, a := range r.Activations {
		if !given {
			break // they are the operator's own
		}
		act.Strings = append(act.Strings, a.Name)
		i := slices.IndexFunc(functions, func(f function) bool { return f.name == a.Name })
		if i >= 0 && functions[i].alpha {
			alpha.Floats = append(alpha.Floats, a.Alpha)
		}
		if i >= 0 && functions[i].beta {
			beta.Floats = append(beta.Floats, a.Beta)
		}
	}
	for _, a := range []Attribute{act, alpha, beta} {
		if len(a.Strings)+len(a.Floats) > 0 {
			all = append(all, a)
		}
	}
	if r.Clip != 0 {
		all = append(all, Attribute{Name: "clip", Kind: Float, F: r.Clip})
	}
	if r.InputForget {
		all = append(all, Attribute{Name: "input_forget", Kind: Int, I: 1})
	}
	if r.LinearBeforeReset {
		all = append(all, Attribute{Name: "linear_before_reset", Kind: Int, I: 1})
	}
	return all
}

// Weights returns W, R and, where they are there, B and P of a node that is r, in
// ONNX's order of gates; their names are those letters. All of Params have to be F32.
func (r *Recurrent) Weights() (checkpoint.Set, error) {
	op, ok := operators[r.Op]
	if !ok {
		return nil, fmt.Errorf("%q is not RNN, LSTM or GRU", r.Op)
	}
	gates, h, d := len(op.torch), r.HiddenSize, r.Directions()
	data := map[string][]byte{}
	for dir := range d {
		end := []string{"_l0", "_l0_reverse"}[dir]
		for _, p := range []struct {
			to, name, from, order string
			shape                 []int
		}{
			{"W", "weight_ih", op.torch, op.onnx, []int{gates * h, r.InputSize}},
			{"R", "weight_hh", op.torch, op.onnx, []int{gates * h, h}},
			{"B", "bias_ih", op.torch, op.onnx, []int{gates * h}},
			{"B", "bias_hh", op.torch, op.onnx, []int{gates * h}},
			{"P", "weight_peephole", "ifo", peepholes, []int{3 * h}},
		} {
			if p.to == "B" && r.NoBias || p.to == "P" && !r.Peepholes {
				continue
			}
			t, err := r.Params.Tensor(p.name + end)
			if err != nil {
				return nil, err
			}
			if t.DType != checkpoint.F32 {
				return nil, fmt.Errorf("%s is %s, expected F32", t.Name, t.Type())
			}
			if !slices.Equal(t.Shape, p.shape) || t.Check() != nil {
				return nil, fmt.Errorf("%s has shape %v, expected %v", t.Name, t.Shape, p.shape)
			}
			data[p.to] = append(data[p.to], reorder(t.Data, p.from, p.order)...)
		}
	}
	var set checkpoint.Set
	for _, to := range []string{"W", "R", "B", "P"} { // a file has one order
		if data[to] == nil && !(to == "W" && r.InputSize == 0) {
			continue
		}
		shape := map[string][]int{"W": {d, gates * h, r.InputSize}, "R": {d, gates * h, h}, "B": {d, 2 * gates * h}, "P": {d, 3 * h}}[to]
		info, err := checkpoint.NewInfo(to, checkpoint.F32, shape)
		if err != nil {
			return nil, err
		}
		set = append(set, checkpoint.Tensor{Info: info, Data: data[to]})
	}
	return set, nil
}
