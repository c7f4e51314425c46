package model

import (
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/tensor"
)

// maxExample bounds the elements of an input that axes are looked for with.
const maxExample = 1 << 22

// BatchAxes returns the axis of each input and output along which sequences stand
// that do not see each other, in the order of Inputs and Outputs; -1 for an input
// that all share. It is false for a model that has no such axis, or where none is
// found with inputs of small sizes.
func (m *Model) BatchAxes() (in, out []int, ok bool) {
	g, features := m.program.Graph(), m.features()
	for _, scale := range []int{1, 16, 256} { // a convolution may need many steps
		symbols := map[string]int{}
		example := make([]graph.Value, len(g.Inputs))
		fits := true
		for i, p := range g.Inputs {
			shape := make([]int, len(p.Shape))
			for k, d := range p.Shape {
				if shape[k] = d.Size; d.Size >= 0 {
					continue
				}
				if d.Name == "" && k > 0 && k == len(shape)-1 && features > 0 {
					shape[k] = features
					continue
				}
				if symbols[d.Name] == 0 || d.Name == "" {
					symbols[d.Name] = scale * (2 + len(symbols))
				}
				shape[k] = symbols[d.Name]
			}
			n, err := tensor.Size(shape)
			if fits = fits && err == nil && n <= maxExample && p.Shape != nil; !fits {
				break
			}
			if example[i], err = graph.New(p.Type, shape...); err != nil {
				return nil, nil, false
			}
		}
		if !fits {
			return nil, nil, false
		}
		if in, out, ok, _, err := m.program.BatchAxes(example); err == nil {
			return in, out, ok
		}
	}
	return nil, nil, false
}

// features is what the first recurrent layer reads, which is the likeliest size of a
// last dimension that the model does not say; 0: there is none.
func (m *Model) features() int {
	if list, err := m.Layers(); err == nil && len(list) > 0 {
		return list[0].Config().InputSize
	}
	return 0
}
