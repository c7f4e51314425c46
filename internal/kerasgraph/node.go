package kerasgraph

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/graph"
)

// result is what one direction of a node gives: all outputs in the order of
// time, the output of the step it ended with, and its states, each [B,H].
type result struct {
	sequence value
	last     value
	states   []value
}

// run writes one recurrent node for cells that walk forward, backward, or one
// each way. start are the initial states of all directions, one after another;
// none: zeros.
func (b *builder) run(cells []*cell, back []bool, x value, start []value) ([]result, error) {
	c := cells[0]
	if err := rank(x, 3); err != nil {
		return nil, err
	}
	if x.dims[2] >= 0 && x.dims[2] != c.inputs {
		return nil, fmt.Errorf("its input has shape %s, its kernel is for %d inputs", shown(x.dims), c.inputs)
	}
	direction := "forward"
	switch {
	case len(cells) == 2:
		direction = "bidirectional"
	case back[0]:
		direction = "reverse"
	}
	attrs := graph.Attrs{"hidden_size": int64(c.units), "direction": direction}
	if c.op == "GRU" && c.after {
		attrs["linear_before_reset"] = int64(1)
	}
	inputs := []string{b.transpose(x, 1, 0, 2).name}
	for _, what := range []string{"kernel", "recurrent_kernel", "bias"} {
		if what == "bias" && !c.bias {
			inputs = append(inputs, "")
			continue
		}
		name, err := b.packed(cells, what)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, name)
	}
	n := c.states()
	inputs = append(inputs, "")
	if len(start) > 0 {
		if len(start) != n*len(cells) {
			return nil, fmt.Errorf("it is given %d initial states, expected %d", len(start), n*len(cells))
		}
		for s := range n {
			var parts []string
			for d := range cells {
				v := start[d*n+s]
				if err := rank(v, 2); err != nil {
					return nil, err
				}
				parts = append(parts, b.unsqueeze(v, 0).name)
			}
			all := parts[0]
			if len(parts) == 2 {
				all = b.Op("Concat", graph.Attrs{"axis": int64(0)}, parts...)
			}
			inputs = append(inputs, all)
		}
	}
	for inputs[len(inputs)-1] == "" {
		inputs = inputs[:len(inputs)-1]
	}
	domain := ""
	if x.mask != "" {
		domain = graph.Own
		for len(inputs) < graph.MaskInput {
			inputs = append(inputs, "")
		}
		inputs = append(inputs, b.Op("Transpose", graph.Attrs{"perm": []int64{1, 0}}, x.mask))
	}
	if b.activations(attrs, cells, domain) {
		domain = graph.Own
	}
	outs := b.Ops(c.op, 1+n, attrs, inputs...)
	b.Name(c.layer.Path)
	b.Domain(domain)
	T, B, H := x.dims[1], x.dims[0], c.units
	y := value{name: outs[0], typ: graph.F32, dims: []int{T, len(cells), B, H}}
	list := make([]result, len(cells))
	for d := range cells {
		one := y
		if len(cells) == 2 {
			one = b.slice(y, 1, int64(d), int64(d+1))
		}
		list[d].sequence = b.transpose(b.squeeze(one, 1), 1, 0, 2)
		for s := range n {
			h := value{name: outs[1+s], typ: graph.F32, dims: []int{len(cells), B, H}}
			if len(cells) == 2 {
				h = b.slice(h, 0, int64(d), int64(d+1))
			}
			list[d].states = append(list[d].states, b.squeeze(h, 0))
		}
		list[d].last = list[d].states[0]
	}
	return list, nil
}
