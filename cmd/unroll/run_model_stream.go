package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/model"
)

// streamModel steps one sequence of a whole model: lines of standard input as they
// come, or the steps that files hold.
func streamModel(cmd *cobra.Command, m *model.Model, args []string, o runOptions) error {
	if o.dtype != "float32" {
		return usagef("--stream: the states of a whole model's stream are float32; --dtype %s runs without --stream, or with --recurrent", o.dtype)
	}
	opt, err := rowsOptions(m, o)
	if err != nil {
		return err
	}
	s, err := m.NewStream(opt)
	if err == nil {
		err = keepsParts(m, o.keep)
	}
	if err != nil {
		return err
	}
	in := &modelInputs{m: m, given: map[string]model.Value{}, from: map[string]string{}}
	if o.statesIn != "" {
		if err := in.states(cmd, o.statesIn); err != nil {
			return err
		}
	}
	if len(args) > 1 && args[1] == std && o.output == "" && len(o.inputs) == 0 {
		lines, ok, err := openLines(cmd)
		if err != nil {
			return err
		}
		if ok {
			if err := in.begin(s); err != nil {
				return err
			}
			if len(s.Inputs()) > 1 || len(s.Outputs()) > 1 {
				fmt.Fprintf(cmd.ErrOrStderr(), "unroll: a line is %s; its answer %s\n", portList(s.Inputs()), portList(s.Outputs()))
			}
			if err := answer(cmd, lines, o, make([]float32, s.Out()), s.In(), m.Path(), s.Step); err != nil {
				return err
			}
			return writeStates(cmd, m, o.statesOut, after(m, s))
		}
	}
	if done, err := streamLong(cmd, m, s, in, args, o); done || err != nil {
		return err
	}
	return streamFiles(cmd, m, s, in, args, o)
}

// rowsOptions are what --set and --size say of every step.
func rowsOptions(m *model.Model, o runOptions) (opt model.RowsOptions, err error) {
	in := &modelInputs{m: m, given: map[string]model.Value{}, from: map[string]string{}}
	for _, s := range o.set {
		if err := in.number(s); err != nil {
			return opt, err
		}
	}
	opt.Set, opt.Sizes = in.given, map[string]int{}
	for _, s := range o.size {
		i := strings.LastIndexByte(s, '=')
		n, err := strconv.Atoi(s[i+1:])
		if i < 1 || err != nil || n < 1 {
			return opt, usagef("--size %s: expected NAME=N, a dimension and its size", s)
		}
		opt.Sizes[s[:i]] = n
	}
	return opt, nil
}

func portList(list []model.Port) string {
	var all []string
	for _, p := range list {
		all = append(all, visible(p.String()))
	}
	return strings.Join(all, ", ")
}

// begin sets the state of a stream to what was given of it; what was not is zeros.
func (in *modelInputs) begin(s *model.Stream) error {
	state := s.State()
	for _, p := range in.m.States() {
		if v, ok := in.given[p.Input]; ok {
			if len(v.Shape()) == len(state[p.Input].Shape())-1 { // of one sequence
				var err error
				if v, err = shaped(v, state[p.Input].Shape()); err != nil {
					return err
				}
			}
			state[p.Input] = v
		}
	}
	return s.SetState(state)
}

// after are a stream's states under the names of the outputs.
func after(m *model.Model, s *model.Stream) map[string]model.Value {
	out, state := map[string]model.Value{}, s.State()
	for _, p := range m.States() {
		out[p.Output] = state[p.Input]
	}
	return out
}

// streamFiles steps through the steps that files hold: of each input an array
// whose first dimension is the steps.
func streamFiles(cmd *cobra.Command, m *model.Model, s *model.Stream, in *modelInputs, args []string, o runOptions) error {
	var err error
	for _, name := range o.set { // so that nothing is missing
		if err = in.number(name); err != nil {
			return err
		}
	}
	for _, text := range o.inputs {
		if err = in.file(cmd, text); err != nil {
			return err
		}
	}
	if len(args) > 1 {
		if err = in.all(cmd, args[1]); err != nil {
			return err
		}
	}
	if err = in.missing(); err != nil {
		return err
	}
	if err = in.begin(s); err != nil {
		return err
	}
	ports := s.Inputs()
	columns, steps := make([][]float32, len(ports)), -1
	var shown []named
	for i, p := range ports {
		v := in.given[p.Name]
		shown = append(shown, named{p.Name, v})
		n, err := stepsOf(v, p)
		if err == nil && steps >= 0 && n != steps {
			err = fmt.Errorf("it has %d steps, and %q %d", n, ports[0].Name, steps)
		}
		if err == nil {
			columns[i], err = flat(v)
		}
		if err != nil {
			return errInput(in.from[p.Name], "input %q: %v", p.Name, err)
		}
		steps = n
	}
	outputs, err := stepAll(s, columns, steps)
	if err != nil {
		return err
	}
	state := after(m, s)
	for _, p := range m.States() {
		outputs = append(outputs, named{p.Output, state[p.Output]})
	}
	if err := showModel(cmd, o, m, shown, outputs); err != nil {
		return err
	}
	return writeStates(cmd, m, o.statesOut, state)
}

// stepAll steps through columns, which hold of each input all steps, and returns
// what each output gave, a row a step.
func stepAll(s *model.Stream, columns [][]float32, steps int) ([]named, error) {
	x, y := make([]float32, 0, s.In()), make([]float32, s.Out())
	ports := s.Outputs()
	results := make([][]float32, len(ports))
	for t := range steps {
		x = x[:0]
		for _, c := range columns {
			n := len(c) / steps
			x = append(x, c[t*n:(t+1)*n]...)
		}
		if err := s.Step(y, x); err != nil {
			return nil, fmt.Errorf("step %d: %w", t, err)
		}
		at := 0
		for i, p := range ports {
			n := elements(p)
			results[i] = append(results[i], y[at:at+n]...)
			at += n
		}
	}
	var out []named
	for i, p := range ports {
		shape := []int{steps}
		dims := numbers(p)
		for len(dims) > 1 && dims[0] == 1 { // the axis of time, or of one sequence
			dims = dims[1:]
		}
		v, err := rounded(results[i], p.Type, append(shape, dims...))
		if err != nil {
			return nil, err
		}
		out = append(out, named{p.Name, v})
	}
	return out, nil
}

// numbers are the dimensions of a port of a step.
func numbers(p model.Port) (shape []int) {
	for _, d := range p.Shape {
		n, _ := strconv.Atoi(d) // Rows say numbers alone
		shape = append(shape, n)
	}
	return shape
}

func elements(p model.Port) int {
	n := 1
	for _, d := range numbers(p) {
		n *= d
	}
	return n
}

// stepsOf reads how many steps a value holds: its first dimension, but for those
// of 1 before it, which are a batch of one sequence.
func stepsOf(v model.Value, p model.Port) (int, error) {
	shape, n := v.Shape(), elements(p)
	for len(shape) > 0 {
		rest := 1
		for _, d := range shape[1:] {
			rest *= d
		}
		if rest == n {
			return shape[0], nil
		}
		if shape[0] != 1 {
			break
		}
		shape = shape[1:]
	}
	return 0, fmt.Errorf("it is %v, expected rows of %d numbers, one a step of one sequence (%s)", v.Shape(), n, p)
}

// flat is a value as float32, which has to hold every number of it.
func flat(v model.Value) ([]float32, error) {
	switch v.Type() {
	case "float32":
		return model.Data[float32](v), nil
	case "int64":
		return asFloats(model.Data[int64](v))
	case "int32":
		return asFloats(model.Data[int32](v))
	case "int8":
		return asFloats(model.Data[int8](v))
	case "uint8":
		return asFloats(model.Data[uint8](v))
	case "float64":
		return asFloats(model.Data[float64](v))
	}
	out := make([]float32, 0, len(model.Data[bool](v)))
	for _, x := range model.Data[bool](v) {
		out = append(out, map[bool]float32{true: 1}[x])
	}
	return out, nil
}

func asFloats[T int64 | int32 | int8 | uint8 | float64](list []T) ([]float32, error) {
	out := make([]float32, len(list))
	for i, x := range list {
		if out[i] = float32(x); T(out[i]) != x {
			return nil, fmt.Errorf("number %d is %v, which a step's float32 does not hold", i, x)
		}
	}
	return out, nil
}

// rounded makes a value of an output's own type of its numbers.
func rounded(list []float32, want string, shape []int) (model.Value, error) {
	switch want {
	case "int64":
		return model.Of(cast[int64](list), shape...)
	case "int32":
		return model.Of(cast[int32](list), shape...)
	case "int8":
		return model.Of(cast[int8](list), shape...)
	case "uint8":
		return model.Of(cast[uint8](list), shape...)
	case "float64":
		return model.Of(cast[float64](list), shape...)
	case "bool":
		out := make([]bool, len(list))
		for i, x := range list {
			out[i] = x != 0
		}
		return model.Of(out, shape...)
	}
	return model.Of(slices.Clone(list), shape...)
}

func cast[T int64 | int32 | int8 | uint8 | float64](list []float32) []T {
	out := make([]T, len(list))
	for i, x := range list {
		out[i] = T(x)
	}
	return out
}
