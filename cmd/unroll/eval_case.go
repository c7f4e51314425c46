package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// caseFile is one batch of the test part and the loss on it: what
// examples/pytorch/load_in_pytorch.py compares with PyTorch.
type caseFile struct {
	Kind     string        `json:"kind"` // cross_entropy, keys, mse, l1 or huber
	Tokens   [][]int       `json:"tokens,omitempty"`
	Features [][][]float32 `json:"features,omitempty"`
	Lengths  []int         `json:"lengths,omitempty"`
	Targets  []int         `json:"targets,omitempty"`
	Values   []float32     `json:"values,omitempty"` // of the logits' shape, flat
	Loss     float64       `json:"loss"`
}

// writeCase writes the first batch of the test part to a file.
func writeCase(cmd *cobra.Command, path string, m *nn.Model, set *task.Set) error {
	part, _ := set.Part()
	var b train.Batch
	part.Start(nil)
	part.Batch(0, &b)
	p := nn.Pass{Model: m, Lengths: b.Lengths}
	y, _, err := p.Forward(b.In, unroll.State{})
	if err != nil {
		return err
	}
	sum, count, err := set.Objective.Loss(y, &b, nil)
	if err != nil {
		return err
	}
	c := caseFile{Kind: set.Loss, Lengths: b.Lengths, Targets: b.Classes, Values: b.Values.Data, Loss: sum / count}
	if b.In.Tokens != nil {
		for t := range b.In.T {
			c.Tokens = append(c.Tokens, b.In.Tokens[t*b.In.B:(t+1)*b.In.B])
		}
	} else {
		c.Features = nested(b.In.Features)
	}
	return writeOutput(cmd, path, func(w io.Writer) error { return json.NewEncoder(w).Encode(c) })
}

// nested is x [T,B,I] as lists.
func nested(x tensor.Dense) (out [][][]float32) {
	n, w := x.Shape[1], x.Shape[2]
	for t := range x.Shape[0] {
		var step [][]float32
		for i := range n {
			step = append(step, x.Data[(t*n+i)*w:(t*n+i+1)*w])
		}
		out = append(out, step)
	}
	return out
}
