package model

import (
	"fmt"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
)

// Seen is an operator in the course of a run: what went into it and what came out.
type Seen struct {
	// Name is the node's, or that of its first output; Op is ONNX's operator.
	Name, Op string
	// Inputs and Outputs name values; an absent one has no name.
	Inputs, Outputs []string
	// In and Out are the values, zero where there are none. They belong to the run.
	In, Out []Value
	// Constant says that no input of the model reaches it.
	Constant bool
	// Layer is a recurrent operator's layer, nil for every other operator and for
	// one in float64. It must not be changed. In then has x, and the states and
	// lengths where ONNX has them; of a layer of unroll's own x, h_0, c_0, lengths.
	Layer *unroll.Layer
	// Own says that Layer is a stacked layer and not ONNX's operator.
	Own bool
	// Last says that no recurrent operator comes any more.
	Last bool
}

// Watch runs the model once, as Run does and with its bits, and hands over each
// operator in the order in which they run, also those inside the branch of an If
// that was taken. The values may be read until see returns. An error of see ends
// the run and is returned. It is for looking into a model, several times slower
// than Run.
func (m *Model) Watch(inputs map[string]Value, see func(Seen) error) error {
	p := m.NewPass()
	for name, v := range inputs {
		if err := p.Set(name, v); err != nil {
			return err
		}
	}
	if err := p.complete(); err != nil {
		return err
	}
	var stopped error
	_, err := m.program.Watch(p.run, func(s graph.Seen) error {
		stopped = see(seenOf(s))
		return stopped
	})
	if stopped != nil {
		return stopped
	}
	if err != nil {
		return fmt.Errorf("%s: %w", m.path, err)
	}
	return nil
}

func seenOf(s graph.Seen) Seen {
	out := Seen{Name: s.Name, Op: s.Op, Inputs: s.Node.Inputs, Outputs: s.Node.Outputs, Constant: s.Constant, Layer: s.Layer, Own: s.IsStack(), Last: s.Last}
	for _, o := range s.Node.Outputs {
		if out.Name == "" {
			out.Name = o
		}
	}
	for _, v := range s.Inputs {
		out.In = append(out.In, Value{v})
	}
	for _, v := range s.Outputs {
		out.Out = append(out.Out, Value{v})
	}
	return out
}
