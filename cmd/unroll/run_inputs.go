package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/model"
)

// modelInputs are the values that a command line gives a model.
type modelInputs struct {
	m     *model.Model
	given map[string]model.Value
	from  map[string]string // where each came from
	alone []int             // the batch axis of each output, where one sequence was given without; nil: not so
}

// gather reads what --set, --input and INPUT give.
func gather(cmd *cobra.Command, m *model.Model, args []string, o runOptions) (*modelInputs, error) {
	in := &modelInputs{m: m, given: map[string]model.Value{}, from: map[string]string{}}
	for _, s := range o.set {
		if err := in.number(s); err != nil {
			return nil, err
		}
	}
	for _, s := range o.inputs {
		if err := in.file(cmd, s); err != nil {
			return nil, err
		}
	}
	if o.statesIn != "" {
		if err := in.states(cmd, o.statesIn); err != nil {
			return nil, err
		}
	}
	if len(args) > 1 {
		if err := in.all(cmd, args[1]); err != nil {
			return nil, err
		}
	}
	return in, in.complete()
}

// complete refuses what is missing, and gives one sequence its axis.
func (in *modelInputs) complete() error {
	if err := in.missing(); err != nil {
		return err
	}
	return in.batched()
}

// missing refuses inputs that nothing gives.
func (in *modelInputs) missing() error {
	var missing []string
	for _, p := range in.required() {
		missing = append(missing, visible(p.String()))
	}
	if len(missing) > 0 {
		return usagef("%s: no input is given for %s; --input NAME=FILE gives one", in.m.Path(), strings.Join(missing, "; "))
	}
	return nil
}

// states takes --states-in FILE: states under the names of inputs, of the outputs
// that end them, or those that states have in files. The model's other outputs,
// which --output writes beside them, are passed over.
func (in *modelInputs) states(cmd *cobra.Command, file string) error {
	src, done, err := openArrays(cmd, file, in.numbers())
	if err != nil {
		return err
	}
	defer done()
	found := 0
	for _, name := range src.Names() {
		p, ok := in.stateOf(name)
		switch {
		case ok:
			if err := in.read(src, name, p, file); err != nil {
				return err
			}
			found++
		case !slices.ContainsFunc(in.m.Outputs(), func(o model.Port) bool { return o.Name == name }):
			return errInput(shown(file), "it holds %q, which is no state of %s; they are %s", name, in.m.Path(), stateList(in.m))
		}
	}
	if found < len(in.m.States()) {
		return errInput(shown(file), "it holds %d states, and %s has %d: %s", found, in.m.Path(), len(in.m.States()), stateList(in.m))
	}
	return nil
}

// numberOf is what numbers of text become for an input: float64 holds more integers.
func numberOf(p model.Port) checkpoint.DType {
	if slices.Contains([]string{"float32", "float16", "bfloat16"}, p.Type) {
		return checkpoint.F32
	}
	return checkpoint.F64
}

// numbers is numberOf for all inputs, of which one may want more than others.
func (in *modelInputs) numbers() checkpoint.DType {
	for _, p := range in.m.Inputs() {
		if d := numberOf(p); d != checkpoint.F32 {
			return d
		}
	}
	return checkpoint.F32
}

// isTable reports whether a file is a table by its name.
func isTable(file string) bool {
	format, err := array.FormatOf(file)
	return err == nil && format == array.CSV
}

// stateList names a model's states.
func stateList(m *model.Model) string {
	var all []string
	for _, s := range m.States() {
		all = append(all, visible(s.Input+" (after a run "+s.Output+")"))
	}
	return strings.Join(all, ", ")
}

// writeStates writes the states after a run, under the names of outputs.
func writeStates(cmd *cobra.Command, m *model.Model, file string, out map[string]model.Value) error {
	if file == "" {
		return nil
	}
	var list []named
	for _, s := range m.States() {
		list = append(list, named{s.Output, out[s.Output]})
	}
	if err := handOn(cmd); err != nil {
		return err
	}
	return writeValues(cmd, file, list)
}

// required are the inputs that must still be given.
func (in *modelInputs) required() (list []model.Port) {
	for _, p := range in.m.Inputs() {
		if in.given[p.Name].IsZero() && !slices.ContainsFunc(in.m.States(), func(s model.State) bool { return s.Input == p.Name }) {
			list = append(list, p)
		}
	}
	return list
}

// split takes NAME=REST apart; an exact name of an input wins over a position.
func (in *modelInputs) split(flag, s string) (p model.Port, rest string, err error) {
	ports := in.m.Inputs()
	for _, q := range ports {
		if r, ok := strings.CutPrefix(s, q.Name+"="); ok && len(q.Name) >= len(p.Name) {
			p, rest = q, r
		}
	}
	if p.Name != "" {
		return p, rest, nil
	}
	name, rest, ok := strings.Cut(s, "=")
	if !ok {
		return p, "", usagef("--%s %s: expected NAME=%s", flag, s, map[string]string{"set": "NUMBER", "input": "FILE"}[flag])
	}
	if i, ok := position(name, len(ports)); ok {
		return ports[i], rest, nil
	}
	return p, "", usagef("--%s %s: %s has no input %q; its inputs are %s", flag, s, in.m.Path(), name, inputList(in.m))
}

// give sets an input once.
func (in *modelInputs) give(name, from string, v model.Value) error {
	if before, twice := in.from[name]; twice {
		return usagef("input %q comes from %s and from %s; leave one out", name, before, from)
	}
	in.given[name], in.from[name] = v, from
	return nil
}

// number takes --set NAME=NUMBER.
func (in *modelInputs) number(s string) error {
	p, text, err := in.split("set", s)
	if err != nil {
		return err
	}
	shape := []int{}
	for _, d := range p.Shape {
		if n, err := strconv.Atoi(d); err == nil && n != 1 {
			return usagef("--set %s: the input is %s, not one number; --input gives it", s, p)
		}
		shape = append(shape, 1)
	}
	v, err := scalar(text, p.Type, shape)
	if err != nil {
		return usagef("--set %s: %v", s, err)
	}
	return in.give(p.Name, "--set", v)
}

// scalar reads one number.
func scalar(text, want string, shape []int) (model.Value, error) {
	var set checkpoint.Set
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		set = checkpoint.Set{checkpoint.OfInts(text, []int64{n}, 1)}
	} else if b, e := strconv.ParseBool(text); e == nil && want == "bool" {
		set = checkpoint.Set{checkpoint.OfInts(text, []int64{map[bool]int64{true: 1}[b]}, 1)}
	} else {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return model.Value{}, fmt.Errorf("%q is not a number", text)
		}
		set = checkpoint.Set{checkpoint.Of(text, one(f))}
	}
	v, err := valueOf(set, text, want)
	if err != nil {
		return v, err
	}
	return shaped(v, shape)
}

// file takes --input NAME=FILE.
func (in *modelInputs) file(cmd *cobra.Command, s string) error {
	p, file, err := in.split("input", s)
	if err != nil {
		return err
	}
	src, done, err := openArrays(cmd, file, numberOf(p))
	if err != nil {
		return err
	}
	defer done()
	want := []string{p.Name}
	for _, state := range in.m.States() {
		if state.Input == p.Name {
			want = append(want, state.Output)
		}
	}
	name, err := array.Pick(src, want...)
	if err != nil {
		return err
	}
	return in.read(src, name, p, file)
}

// read gives an input a tensor of a file.
func (in *modelInputs) read(src checkpoint.Source, name string, p model.Port, file string) error {
	v, err := valueOf(src, name, p.Type)
	if err != nil {
		return errInput(shown(file), "input %q, %s: %v", p.Name, p.Type, err)
	}
	return in.give(p.Name, shown(file), v)
}

// shown is a file's name for people.
func shown(file string) string {
	if file == std {
		return "standard input"
	}
	return file
}

// all takes INPUT: arrays under the names of inputs, or of the outputs that end
// their states, or the array of the one input that is still missing.
func (in *modelInputs) all(cmd *cobra.Command, file string) error {
	want := in.numbers()
	if need := in.required(); len(need) == 1 && isTable(file) {
		want = numberOf(need[0]) // a table is one array, which that input takes
	}
	src, done, err := openArrays(cmd, file, want)
	if err != nil {
		return err
	}
	defer done()
	ports := map[string]model.Port{}
	for _, p := range in.m.Inputs() {
		ports[p.Name] = p
	}
	var left []string
	for _, name := range src.Names() {
		p, ok := ports[name]
		if !ok {
			p, ok = in.stateOf(name)
		}
		if !ok {
			left = append(left, name)
			continue
		}
		if err := in.read(src, name, p, file); err != nil {
			return err
		}
	}
	if need := in.required(); len(need) == 1 {
		i := slices.IndexFunc(left, func(name string) bool { return name == "input" || name == "x" })
		if i < 0 && len(src.Names()) == 1 {
			i = 0
		}
		if i >= 0 && len(left) > 0 {
			if err := in.read(src, left[i], need[0], file); err != nil {
				return err
			}
			left = slices.Delete(left, i, i+1)
		}
	}
	if len(left) > 0 {
		return errInput(shown(file), "it holds %q, which %s does not read; its inputs are %s", left, in.m.Path(), inputList(in.m))
	}
	return nil
}

// stateOf finds the input of a state by the name of its output, or by one of the
// names that states have.
func (in *modelInputs) stateOf(name string) (model.Port, bool) {
	for _, s := range in.m.States() {
		same := stateNames[name] != "" && stateNames[name] == stateNames[s.Input]
		if s.Output != name && s.Input != name && !same {
			continue
		}
		for _, p := range in.m.Inputs() {
			if p.Name == s.Input {
				return p, true
			}
		}
	}
	return model.Port{}, false
}

// stateNames are the names that a layer's states have in files: PyTorch's
// arguments and results, and those of ONNX files.
var stateNames = map[string]string{
	"hx": "hx", "h0": "hx", "h_0": "hx", "h_n": "hx", "hn": "hx",
	"cx": "cx", "c0": "cx", "c_0": "cx", "c_n": "cx", "cn": "cx",
}
