package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/chain"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/model"
)

// isWhole reports whether a file holds more than weights: a graph, a Keras model, a
// model folder, a chain with its line, or a saved nn.Sequential, which runs as it is.
func isWhole(f *modelfile.File) bool {
	if f.Torch != nil {
		_, whole := chain.Sequential(f.Torch.Modules())
		return whole
	}
	return f.ONNX != nil || f.Model != nil || f.Keras != nil && f.Keras.Root != nil || f.Meta[modelfile.MetaChain] != ""
}

// openModel makes a model of the file of a command line, which it owns then, and says what was assumed.
func openModel(cmd *cobra.Command, f *modelfile.File, o runOptions) (*model.Model, error) {
	if o.prefix != "" && o.chain == "" && isWhole(f) {
		name := f.Path
		_ = f.Close() // it was only read
		return nil, usagef("--prefix %s chooses among the layers of a file of weights, and %s holds a whole model; leave it out", o.prefix, name)
	}
	opt := model.Options{Chain: o.chain, Prefix: o.prefix, Loose: o.loose, Workers: o.workers}
	opt.States = o.states || o.carries()
	switch o.dtype {
	case "float32":
	case "float64":
		opt.Float64 = true
	default:
		_ = f.Close() // it was only read
		return nil, usagef("--dtype %s: float32 or float64", o.dtype)
	}
	switch {
	case o.batchFirst:
		opt.Layout = model.BatchFirst
	case o.timeFirst:
		opt.Layout = model.TimeFirst
	}
	var err error
	if opt.Precision, opt.Keep, err = o.weights(); err != nil {
		return nil, err
	}
	m, err := openWhole(opt, f)
	if errors.Is(err, model.ErrAsk) {
		return nil, asking(err)
	}
	if err != nil {
		return nil, asFlags(err)
	}
	for _, n := range m.Notes() {
		fmt.Fprintln(cmd.ErrOrStderr(), "unroll:", visible(n))
	}
	return m, nil
}

// carries reports whether a flag needs the model's states.
func (o runOptions) carries() bool { return o.stream || o.statesIn != "" || o.statesOut != "" }

// runModel runs a whole model once, or step by step.
func runModel(cmd *cobra.Command, f *modelfile.File, args []string, o runOptions) error {
	if err := o.checkModel(cmd, args[0]); err != nil {
		_ = f.Close() // it was only read
		return err
	}
	m, err := openModel(cmd, f, o)
	if err != nil {
		return err
	}
	defer m.Close()
	if o.carries() && len(m.States()) == 0 {
		return usagef("%s has no inputs and outputs that carry a state, which --stream, --states-in and --states-out need", args[0])
	}
	if o.stream {
		return streamModel(cmd, m, args, o)
	}
	in, err := gather(cmd, m, args, o)
	if err != nil {
		return err
	}
	out, err := m.Run(in.given)
	if err == nil {
		err = keepsParts(m, o.keep)
	}
	if err != nil {
		return err
	}
	var inputs, outputs []named
	for _, p := range m.Inputs() {
		if v, ok := in.given[p.Name]; ok {
			inputs = append(inputs, named{p.Name, v})
		}
	}
	for _, p := range m.Outputs() {
		v, err := in.unbatched(p.Name, out[p.Name])
		if err != nil {
			return err
		}
		outputs = append(outputs, named{p.Name, v})
	}
	if err := showModel(cmd, o, m, inputs, outputs); err != nil {
		return err
	}
	return writeStates(cmd, m, o.statesOut, out)
}

// checkModel refuses flags that a whole model has no use for.
func (o runOptions) checkModel(cmd *cobra.Command, path string) error {
	refused := []string{"mode", "prefix", "convention", "loose", "batch-first", "time-first", "trace", "longest"}
	if o.chain != "" { // of weights alone
		refused = []string{"mode", "convention", "trace", "longest"}
	}
	for _, name := range refused {
		if cmd.Flags().Changed(name) {
			return usagef("--%s is for a recurrent layer, and %s holds a whole model, which says itself how it runs; --recurrent runs its layer alone", name, path)
		}
	}
	if len(o.size) > 0 && !o.stream {
		return usagef("--size says what one step is, for --stream; the input of a whole run has a size")
	}
	return nil
}

// named is a value under the name of an input or output.
type named struct {
	name  string
	value model.Value
}

// showModel writes and prints what a model gave.
func showModel(cmd *cobra.Command, o runOptions, m *model.Model, inputs, outputs []named) error {
	if o.output != "" {
		if err := writeValues(cmd, o.output, outputs); err != nil {
			return err
		}
	}
	switch {
	case o.json:
		return printValues(cmd, outputs)
	case o.output != "":
		return nil
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s: %s\n", m.Path(), m.Format())
	for _, r := range slices.Concat(inputs, outputs) {
		fmt.Fprintf(out, "\n%s\n%s\n", visible(r.name), valueText(r.value))
	}
	return nil
}

// writeValues writes values under their names.
func writeValues(cmd *cobra.Command, file string, list []named) error {
	set := make(checkpoint.Set, len(list))
	for i, r := range list {
		t, err := storedValue(r)
		if err != nil {
			return err
		}
		set[i] = t
	}
	return writeSet(cmd, file, set)
}

// storedValue is a value as files hold it.
func storedValue(r named) (checkpoint.Tensor, error) {
	v := r.value
	switch v.Type() {
	case "float32":
		d, err := dense[float32](v)
		return checkpoint.Of(r.name, d), err
	case "float64":
		d, err := dense[float64](v)
		return checkpoint.Of(r.name, d), err
	}
	info, err := checkpoint.NewInfo(r.name, storedTypes[v.Type()], append([]int{}, v.Shape()...))
	return checkpoint.Tensor{Info: info, Data: bytesOf(v)}, err
}

// storedTypes are the types of elements that are no floating-point numbers.
var storedTypes = map[string]checkpoint.DType{
	"int64": checkpoint.I64, "int32": checkpoint.I32, "int8": checkpoint.I8, "uint8": checkpoint.U8, "bool": checkpoint.Bool,
}

// valueText is a value as PyTorch prints it.
func valueText(v model.Value) string {
	switch v.Type() {
	case "float32":
		d, err := dense[float32](v)
		if err != nil {
			return err.Error()
		}
		return d.String()
	case "float64":
		d, err := dense[float64](v)
		if err != nil {
			return err.Error()
		}
		return d.String()
	}
	return integersText(v)
}

// printValues is printResults for values of every type.
func printValues(cmd *cobra.Command, list []named) error {
	b := []byte("{")
	for i, r := range list {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(r.name)
		if err != nil {
			return err
		}
		shape, err := json.Marshal(append([]int{}, r.value.Shape()...))
		if err != nil {
			return err
		}
		b = append(append(append(append(b, name...), `:{"shape":`...), shape...), `,"data":[`...)
		b = append(appendNumbers(b, r.value), "]}"...)
	}
	_, err := cmd.OutOrStdout().Write(append(b, "}\n"...))
	return err
}

// appendNumbers writes elements with commas between; JSON has null for what is no
// number.
func appendNumbers(b []byte, v model.Value) []byte {
	switch v.Type() {
	case "float32":
		return appendFloats(b, model.Data[float32](v))
	case "float64":
		return appendFloats(b, model.Data[float64](v))
	}
	for i, s := range integerTexts(v) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, s...)
	}
	return b
}

func appendFloats[F float32 | float64](b []byte, list []F) []byte {
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
			b = append(b, "null"...)
			continue
		}
		text, _ := json.Marshal(v) // a finite number always has one
		b = append(b, text...)
	}
	return b
}

// errInput is a wrong input in the words of the command line.
func errInput(from, format string, args ...any) error {
	return errors.New(from + ": " + fmt.Sprintf(format, args...))
}

// inputList names a model's inputs.
func inputList(m *model.Model) string {
	var all []string
	for _, p := range m.Inputs() {
		all = append(all, visible(p.String()))
	}
	return strings.Join(all, "; ")
}

// position reads an input's place among the inputs.
func position(name string, n int) (int, bool) {
	i, err := strconv.Atoi(name)
	return i, err == nil && i >= 0 && i < n
}
