package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/tensor"
)

// streamLong is streamFiles for a long sequence, in memory that does not grow with it,
// where each step is a row of float32 of one input and one output. done is false, and
// nothing was written, for any other.
func streamLong(cmd *cobra.Command, m *model.Model, s *model.Stream, in *modelInputs, args []string, o runOptions) (done bool, err error) {
	if len(args) < 2 || !o.isLong(args) || len(o.inputs) > 0 || !oneRow(s.Inputs()) || !oneRow(s.Outputs()) {
		return false, nil
	}
	long, err := openLong[float32](cmd, args[1], longSteps(s.In(), s.Out()))
	if err != nil || long == nil {
		return false, err
	}
	defer long.close()
	if len(long.names) != 1 || !slices.Contains([]string{s.Inputs()[0].Name, "input", "x", checkpoint.Single}, long.names[0]) || long.x.Shape[1] != s.In() {
		return false, nil // states are beside it, or it says what is wrong
	}
	if err := in.begin(s); err != nil {
		return true, err
	}
	names := []string{s.Outputs()[0].Name}
	for _, p := range m.States() {
		names = append(names, p.Output)
	}
	y, step := []float32(nil), 0
	part := func(x tensor.Dense) ([]float32, error) {
		y = slices.Grow(y[:0], x.Shape[0]*s.Out())[:x.Shape[0]*s.Out()]
		for t := range x.Shape[0] {
			if err := s.Step(y[t*s.Out():(t+1)*s.Out()], x.Data[t*s.In():(t+1)*s.In()]); err != nil {
				return nil, fmt.Errorf("step %d: %w", step, err)
			}
			step++
		}
		return y, nil
	}
	var state map[string]model.Value
	err = long.write(cmd, o.output, s.Out(), names, part, func() (checkpoint.Set, error) {
		state = after(m, s)
		var set checkpoint.Set
		for _, name := range names[1:] {
			t, err := storedValue(named{name, state[name]})
			if err != nil {
				return nil, err
			}
			set = append(set, t)
		}
		return set, nil
	})
	if err != nil {
		return true, err
	}
	return true, writeStates(cmd, m, o.statesOut, state)
}

// oneRow reports whether the ports of a step are one row of float32.
func oneRow(list []model.Port) bool {
	if len(list) != 1 || list[0].Type != "float32" {
		return false
	}
	shape := numbers(list[0])
	return len(shape) > 0 && elements(list[0]) == shape[len(shape)-1]
}
