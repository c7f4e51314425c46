//go:build !js

package main

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/explain"
	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/tensor"
)

// maxNames bounds the names that a page has for the outputs of a model.
const maxNames = 1 << 12

// aroundLayer is a model folder on one sequence: what stands before and after its
// recurrent layer, t, which has run. of may be nil: then the outputs have no names.
func aroundLayer(m *nn.Model, of task.Task, in explainInput, t *explain.Trace) (*wholeRun, error) {
	w := &wholeRun{parts: []explain.Part{{Name: "rnn", Trace: t}}}
	add := func(b explain.Box, v tensor.Dense) string {
		b.Shape, b.Values = v.Shape, v.Data[:min(len(v.Data), explain.BoxValues)]
		w.boxes = append(w.boxes, b)
		return b.Name
	}
	x := explain.Box{Name: "input", Op: "input"}
	if in.tokens != nil {
		v := tensor.New(len(in.tokens))
		for i, token := range in.tokens {
			v.Data[i] = float32(token)
		}
		e := m.Embedding().Weight
		x = explain.Box{Name: "embedding", Op: "Embedding", From: []string{add(explain.Box{Name: "tokens", Op: "input"}, v)}, Weights: []string{fmt.Sprint(e.Shape)}}
	} else if len(in.columns) == t.Config().InputSize {
		x.Columns = in.columns
	}
	y := t.Output()
	from := add(explain.Box{Name: "rnn", Op: t.Config().Mode.String(), From: []string{add(x, t.X)}, Part: 1}, y)
	if m.Config().Output == "last" {
		hn := t.HN()
		top := hn.Data[len(hn.Data)-y.Shape[1]:]
		y = tensor.Dense{Shape: []int{len(top)}, Data: top}
		from = add(explain.Box{Name: "h_last", Op: "last state", From: []string{from}}, y)
	}
	return w, head(m, of, y, from, add)
}

// head adds the boxes of the linear layer on y [T,D*H'] or [D*H'], and of what the
// task makes of its numbers. Of a long run only the steps that a box keeps are
// computed.
func head(m *nn.Model, of task.Task, y tensor.Dense, from string, add func(explain.Box, tensor.Dense) string) error {
	out, all := m.Config().OutFeatures, y.Shape
	if len(y.Shape) == 2 {
		n := min(y.Shape[0], max(1, explain.BoxValues/out))
		y = tensor.Dense{Shape: []int{n, y.Shape[1]}, Data: y.Data[:n*y.Shape[1]]}
	}
	logits, err := m.Head().Forward(y)
	if err != nil {
		return err
	}
	var names []string
	function := ""
	if of != nil {
		names, function = task.Outputs(of)
	}
	if len(names) != out || out > maxNames {
		names = nil
	}
	shape := append(append([]int{}, all[:len(all)-1]...), out)
	fc := explain.Box{Name: "fc", Op: "Linear", From: []string{from}, Weights: []string{fmt.Sprint(m.Head().Weight().Shape)}, Columns: names}
	if b := m.Head().Bias(); !b.IsZero() {
		fc.Weights = append(fc.Weights, fmt.Sprint(b.Shape))
	}
	if function == "" {
		fc.Output = "output"
	}
	from = add(fc, tensor.Dense{Shape: shape, Data: logits.Data})
	p := tensor.Dense{Shape: shape, Data: make([]float32, len(logits.Data))}
	switch function {
	case "softmax":
		if err := nn.Softmax(p.Data, logits.Data, out); err != nil {
			return err
		}
	case "sigmoid":
		for i, v := range logits.Data {
			p.Data[i] = float32(1 / (1 + fmath.Exp(-float64(v))))
		}
	default:
		return nil
	}
	add(explain.Box{Name: "probability", Op: function, From: []string{from}, Output: "probability", Columns: names}, p)
	return nil
}
