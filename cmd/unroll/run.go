package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/tensor"
)

// runOptions are the flags of "unroll run".
type runOptions struct {
	mode, prefix, dtype, output    string
	convention                     string
	batchFirst, json, trace        bool
	timeFirst, recurrent           bool
	inputs, set                    []string // NAME=FILE, NAME=NUMBER
	precision                      string   // of the weights
	keep                           []string // what stays float32
	chain                          string   // the forward() of a state dict
	stream, loose, states, longest bool
	size                           []string // NAME=N, of a step
	statesIn, statesOut            string
	groupBy, sortBy                string // columns of INPUT
	sort                           bool
	workers                        int
	seed                           uint64
	fresh                          unroll.Config // sizes of a layer to be made
	sized                          bool          // one of the sizes was given
	moded                          bool
	file                           *modelfile.File // MODEL, opened once; nil without one
}

// modelled reports whether the command line names a MODEL.
func (o *runOptions) modelled(args []string) bool {
	return !o.sized && (len(args) == 2 || len(args) == 1 && (o.chain != "" || len(o.inputs)+len(o.set) > 0 || isGraph(args)))
}

// isGraph reports whether the one argument is an ONNX file, which is no INPUT: a model
// that may want none.
func isGraph(args []string) bool {
	return len(args) == 1 && strings.HasSuffix(args[0], ".onnx")
}

func newRunCmd() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run [MODEL] [INPUT]",
		Short: "Run a model, or a recurrent layer alone, over sequences",
		Long: `run runs a whole model where MODEL holds one (ONNX, Keras, a model folder) and
prints its outputs under their names; --chain says in a line how the modules of
a PyTorch state dict follow each other, and it runs whole too. Of a file of weights alone
(.safetensors, .pt, .npz, .weights.h5), and with --recurrent, it runs the
recurrent layer: output, h_n and, for an LSTM, c_n. Tensors are printed as
PyTorch prints them.

INPUT is .npy, .npz, .csv, .jsonl, .parquet or .safetensors; "-" is standard
input. A whole model with one input takes the one array of it; with several,
.npz and .safetensors hold them under their names, or --input NAME=FILE and
--set NAME=NUMBER give them one by one. A state may be left out, and is then what
the model begins with, zeros or what was learnt; it may also stand under the name
of the output that ends it, as --output wrote it. What of INPUT nothing reads is an
error. Elements are brought to the type that the model wants where nothing is lost.

--states-out FILE writes the final states, and --states-in FILE begins from them,
or from what --output wrote: the next chunk of a sequence goes on where the one
before ended. With --stream a whole model goes step by step. Steps are runs of the
model on 1 along an axis of time, where every operator acts on one step; another
open dimension, such as the samples of a frame, has to be said: --size NAME=N, by
its symbol or as INPUT[AXIS]. Inputs that stay are given by --set. INPUT holds a
row a step; of - a line is a step, all inputs one after another, and its answer all
outputs. --states makes the states of layers inputs and outputs;
--stream and the two flags do so themselves.

A recurrent layer's kind, sizes and prefix are inferred; flags say what cannot
be. Its input is [T,B,I], [B,T,I] with --batch-first, or [T,I] for one sequence;
.npz and .safetensors hold input and perhaps hx and cx (h_0, h0, h_n and c_0,
c0, c_n are other names of them), [L*D,B,H] or [L*D,H] for one sequence, and
lengths. With --stream and -, lines of CSV or arrays of JSON are the steps of
one sequence, and the output of each is written (CSV, JSON arrays with --json)
before the next is waited for. JSON has no NaN and no infinities: --json prints
null for them. One long sequence of a file goes forward a part at a time, in memory that
does not grow with it, to an --output of .npy, .csv or .jsonl; through a whole model
with --stream.

With --group-by COLUMN, INPUT is a table with names, CSV or Parquet, of many series,
and every row is a step of the series that COLUMN names, by a whole model or a
layer: --columns chooses the numbers of a step (all other columns otherwise), in
the order of the model's inputs. --sort-by COLUMN holds times, numbers or dates
with the year first; a row before one of its series' earlier rows is refused, or
with --sort all rows are sorted in memory. Each row is answered by a row of names,
times and outputs, CSV on standard output or --output FILE (.csv, .jsonl,
.parquet). In memory are a few thousand rows and each series' state.
--states-out FILE.safetensors holds the final states of all series with their
names, and --states-in goes on from them with the next file.

With --input-size and --hidden-size there is no MODEL: the layer is a fresh one,
drawn as after torch.manual_seed(--seed). Without INPUT the input is
torch.randn(5, input_size), drawn before the layer. Without any argument that is
torch.manual_seed(0), torch.randn(5, 3), RNN(3, 4, num_layers=2).`,
		Example: `  unroll run
  unroll run examples/bach examples/bach/chorale.safetensors
  unroll run --mode LSTM --input-size 3 --hidden-size 8 input.csv --json`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	o.flags(cmd)
	return cmd
}

// run runs what the command line says.
func (o *runOptions) run(cmd *cobra.Command, args []string) error {
	f := cmd.Flags()
	o.sized, o.moded = isSized(cmd), f.Changed("mode")
	o.timeFirst = o.timeFirst || f.Changed("batch-first") && !o.batchFirst
	if err := o.check(args, f.Changed("seed")); err != nil {
		return err
	}
	if err := o.checkGroups(cmd, args); err != nil {
		return err
	}
	if o.groupBy != "" {
		return runGroups(cmd, args, *o)
	}
	if _, err := isKeras(o.convention); err != nil {
		return err
	}
	if o.modelled(args) {
		var err error
		if o.file, err = modelfile.Open(args[0]); err != nil {
			return err
		}
		if !o.recurrent && (o.chain != "" || isWhole(o.file)) {
			return runModel(cmd, o.file, args, *o)
		}
		defer o.file.Close()
	}
	if len(o.inputs)+len(o.set) > 0 {
		return usagef("--input and --set give the inputs of a whole model; a recurrent layer reads INPUT")
	}
	if len(o.size) > 0 || o.states {
		return usagef("--size and --states are for a whole model; a recurrent layer has its states and sizes")
	}
	switch o.dtype {
	case "float32":
		return runAs[float32](cmd, args, *o)
	case "float64":
		return runAs[float64](cmd, args, *o)
	}
	return usagef("--dtype %s: float32 or float64", o.dtype)
}

func (o *runOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.mode, "mode", "RNN_TANH", "kind of layer: "+cell.Names())
	f.BoolVar(&o.loose, "loose", false, "take a layer although tensors under its own prefix are not its parameters")
	f.StringVar(&o.prefix, "prefix", "", "prefix of the layer's names, where MODEL has several")
	conventionFlag(f, &o.convention)
	f.BoolVar(&o.batchFirst, "batch-first", false, "input and output are [B,T,...]")
	f.BoolVar(&o.recurrent, "recurrent", false, "run the recurrent layer of a whole model alone")
	f.StringVar(&o.chain, "chain", "", `the forward() of a state dict in a line, "embedding | lstm | last | fc"; docs/chain.md has the language`)
	f.StringArrayVar(&o.inputs, "input", nil, "NAME=FILE, an input of a whole model by its name, or by its place 0, 1, ...; may be repeated")
	f.StringArrayVar(&o.set, "set", nil, "NAME=NUMBER, an input of a whole model that is one number; may be repeated")
	f.StringVar(&o.precision, "precision", "float32", precisionHelp)
	f.StringSliceVar(&o.keep, "keep", nil, "with --precision: parts that stay float32: nodes of a whole model, parts of a model folder (embedding, rnn.l0, fc), layers 0, 1, ... of a recurrent layer")
	f.BoolVar(&o.timeFirst, "time-first", false, "input and output are [T,B,...]; weights alone do not say which")
	f.StringVar(&o.dtype, "dtype", "float32", "float32 or float64, as dtype=torch.float64 does")
	f.StringVar(&o.output, "output", "", "write output, h_n, c_n to this .safetensors, .npz, .npy, .csv, .jsonl or .parquet file; - is safetensors on standard output")
	tableFlags(cmd)
	f.BoolVar(&o.trace, "trace", false, "add every layer's states and gates")
	f.BoolVar(&o.json, "json", false, `print {"output":{"shape":[...],"data":[...]},...}`)
	f.BoolVar(&o.stream, "stream", false, "go step by step, as a live sequence would; of - each line is a step, and is answered by a line")
	f.BoolVar(&o.longest, "longest", false, "with lengths: output ends where the longest sequence does, as pad_packed_sequence's")
	f.StringArrayVar(&o.size, "size", nil, "NAME=N, with --stream: the size of an open dimension of a whole model's step, such as the samples of a frame, by its symbol or as INPUT[AXIS]; may be repeated")
	f.BoolVar(&o.states, "states", false, "make the states of layers that begin with zeros or what was learnt, of ONNX, a chain or Keras, inputs and outputs; --stream and --states-in and -out do so")
	f.StringVar(&o.statesIn, "states-in", "", "begin from the states in this file, as --states-out or --output wrote them")
	f.StringVar(&o.statesOut, "states-out", "", "write the final states to this .safetensors or .npz file")
	f.StringVar(&o.groupBy, "group-by", "", "INPUT is a table, CSV or Parquet, of steps of many series: the column that names the series")
	f.StringVar(&o.sortBy, "sort-by", "", "with --group-by: the column of the steps' times, whose order is verified")
	f.BoolVar(&o.sort, "sort", false, "with --sort-by: sort the rows, in memory, instead of refusing those out of order")
	f.IntVar(&o.workers, "workers", 0, "goroutines that share the work; 0 chooses")
	freshFlags(cmd, &o.fresh, &o.seed)
	groupFlags(cmd, "Model", "chain", "recurrent", "prefix", "convention", "dtype", "precision", "keep", "loose", "workers")
	groupFlags(cmd, "Input", "input", "set", "batch-first", "time-first", "stream", "size", "states", "states-in", "group-by", "sort-by", "sort")
	groupFlags(cmd, "Output", "output", "json", "trace", "longest", "states-out")
	groupFlags(cmd, "A fresh layer", "mode", "input-size", "hidden-size", "num-layers", "proj-size", "bidirectional", "no-bias", "seed")
	groupTables(cmd)
}

// check refuses what contradicts itself; nothing on the command line is
// passed over in silence.
func (o runOptions) check(args []string, seeded bool) error {
	switch {
	case o.chain != "" && o.recurrent:
		return usagef("--chain runs a whole model and --recurrent its layer alone: give one of them")
	case o.chain != "" && len(args) == 0:
		return usagef("--chain is over the modules of a MODEL, and there is no MODEL")
	case o.timeFirst && o.batchFirst:
		return usagef("--time-first and --batch-first contradict each other: give one of them")
	case o.trace && o.stream:
		return usagef("--trace needs the whole sequence, and --stream goes step by step: give one of them")
	case o.json && o.output == std:
		return usagef("--json and --output - both write to standard output: give one of them")
	case o.sized && len(args) == 2:
		return usagef("a fresh layer has no MODEL: give the sizes or %s", args[0])
	case !o.sized && len(args) == 1 && len(o.inputs)+len(o.set) == 0 && o.chain == "" && !isGraph(args):
		return lacking(args, "run needs MODEL and INPUT; for a fresh layer give --input-size and --hidden-size")
	case len(args) == 2 && args[0] == std:
		return usagef("MODEL is a file or folder; only INPUT can be standard input")
	case len(args) == 2 && seeded:
		return usagef("--seed draws the parameters of a fresh layer, and %s has parameters: give one of them", args[0])
	case len(args) < 2 && o.prefix != "":
		return usagef("--prefix %s chooses a layer of a MODEL, and there is no MODEL", o.prefix)
	case o.statesOut != "" && !slices.Contains([]string{".safetensors", ".npz"}, strings.ToLower(filepath.Ext(o.statesOut))):
		return usagef("--states-out %s: the ending must be .safetensors or .npz, which hold tensors by name", o.statesOut)
	}
	return checkOutput(o.output)
}

// result is a named tensor of a run.
type result[F tensor.Float] struct {
	name  string
	value tensor.DenseOf[F]
}

func runAs[F tensor.Float](cmd *cobra.Command, args []string, o runOptions) error {
	if o.stream && len(args) > 0 && args[len(args)-1] == std && o.output == "" {
		if done, err := runLines[F](cmd, args, o); done || err != nil {
			return err
		}
	}
	layer, input, err := runLayer[F](cmd, args, o)
	if err == nil {
		layer, err = withPrecision(layer, o)
	}
	if err != nil {
		return err
	}
	if done, err := runLong(cmd, args, o, layer); done || err != nil {
		return err
	}
	in, err := input()
	if err == nil {
		err = in.startFrom(cmd, o.statesIn)
	}
	if err != nil {
		return err
	}
	if o.stream && layer.Config().Bidirectional {
		return usagef("--stream: %v also reads each sequence from its end, which a live sequence does not have yet; run without --stream", layer.Config())
	}
	if o.longest {
		if in.x, err = toLongest(in, layer.Config().BatchFirst); err != nil {
			return err
		}
	}
	var results []result[F]
	if o.stream {
		results, err = runStream(layer, in, o)
	} else {
		results, err = runPass(layer, in, o)
	}
	if err != nil {
		return inputError(args, err)
	}
	if err := showRun(cmd, o, layer.Config().String(), in.x, results); err != nil {
		return err
	}
	return layerStates(cmd, o.statesOut, results)
}

// showRun writes and prints what a run gave.
func showRun[F tensor.Float](cmd *cobra.Command, o runOptions, what string, x tensor.DenseOf[F], results []result[F]) error {
	if o.output != "" {
		if err := writeResults(cmd, o.output, results); err != nil {
			return err
		}
	}
	switch {
	case o.json:
		return printResults(cmd, results)
	case o.output != "":
		return nil
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s\n\ninput\n%v\n", what, x)
	for _, r := range results {
		fmt.Fprintf(out, "\n%s\n%v\n", r.name, r.value)
	}
	return nil
}

// toLongest is the input without the steps that lie behind all sequences; what
// lengths cannot be is left to the layer to refuse.
func toLongest[F tensor.Float](in runInput[F], batchFirst bool) (x tensor.DenseOf[F], err error) {
	x = in.x
	switch {
	case in.lengths == nil:
		return x, usagef("--longest: the input holds no lengths; leave the flag out")
	case len(in.lengths) == 0 || x.Rank() != 3:
		return x, nil
	}
	steps, batch, k := x.Shape[0], x.Shape[1], x.Shape[2]
	if batchFirst {
		steps, batch = batch, steps
	}
	long := slices.Max(in.lengths)
	if long < 1 || long >= steps {
		return x, nil
	}
	if !batchFirst {
		return tensor.DenseOf[F]{Shape: []int{long, batch, k}, Data: x.Data[:long*batch*k]}, nil
	}
	y := tensor.NewOf[F](batch, long, k)
	for b := range batch {
		copy(y.Data[b*long*k:(b+1)*long*k], x.Data[b*steps*k:])
	}
	return y, nil
}

func runPass[F tensor.Float](layer *unroll.LayerOf[F], in runInput[F], o runOptions) ([]result[F], error) {
	p := unroll.PassOf[F]{Layer: layer, Record: o.trace, Workers: o.workers, Lengths: in.lengths}
	y, sn, err := p.Forward(in.x, in.s0)
	if err != nil {
		return nil, err
	}
	results := final(layer, y, sn)
	if !o.trace {
		return results, nil
	}
	cfg := layer.Config()
	for l := range cfg.Layers() {
		for d := range cfg.Directions() {
			suffix := fmt.Sprintf("_l%d", l) + []string{"", "_reverse"}[d]
			h, err := p.Hidden(l, d)
			if err != nil {
				return nil, err
			}
			results = append(results, result[F]{"hidden" + suffix, h})
			if cfg.HasCell() {
				c, err := p.Cell(l, d)
				if err != nil {
					return nil, err
				}
				results = append(results, result[F]{"cell" + suffix, c})
			}
			for _, g := range layer.Gates() {
				v, err := p.Gate(l, d, g)
				if err != nil {
					return nil, err
				}
				results = append(results, result[F]{"gate_" + g + suffix, v})
			}
		}
	}
	return results, nil
}

// final names what PyTorch returns.
func final[F tensor.Float](layer *unroll.LayerOf[F], y tensor.DenseOf[F], sn unroll.StateOf[F]) []result[F] {
	r := []result[F]{{"output", y}, {"h_n", sn.H}}
	if layer.Config().HasCell() {
		r = append(r, result[F]{"c_n", sn.C})
	}
	return r
}

// runStream gives one step after the other to a Stream.
func runStream[F tensor.Float](layer *unroll.LayerOf[F], in runInput[F], o runOptions) ([]result[F], error) {
	if in.lengths != nil {
		return nil, usagef("--stream: the input has lengths, and a stream's sequences have no end; run without --stream")
	}
	if err := layer.Check(in.x, in.s0); err != nil { // a stream sees slices only
		return nil, err
	}
	cfg, shape := layer.Config(), in.x.Shape
	batched, steps, batch := len(shape) == 3, shape[0], 1
	if batched {
		batch = shape[1]
		if cfg.BatchFirst {
			steps, batch = batch, steps
		}
	}
	s, err := layer.NewStream(batch)
	if err != nil {
		return nil, err
	}
	if o.workers > 0 {
		s.SetWorkers(o.workers)
	}
	s0 := in.s0
	if !batched {
		s0 = unroll.StateOf[F]{H: reshaped(s0.H, cfg.Layers(), 1, cfg.StateSize()), C: reshaped(s0.C, cfg.Layers(), 1, cfg.HiddenSize)}
	}
	if err := s.SetState(s0); err != nil {
		return nil, err
	}
	at := func(t, b int) int { // where step t of sequence b stands
		if batched && cfg.BatchFirst {
			return b*steps + t
		}
		return t*batch + b
	}
	in1, out1 := cfg.InputSize, cfg.OutputSize()
	y := tensor.NewOf[F](append(slices.Clone(shape[:len(shape)-1]), out1)...)
	x1, y1 := make([]F, batch*in1), make([]F, batch*out1)
	for t := range steps {
		for b := range batch {
			copy(x1[b*in1:(b+1)*in1], in.x.Data[at(t, b)*in1:])
		}
		if err := s.Step(y1, x1); err != nil {
			return nil, err
		}
		for b := range batch {
			copy(y.Data[at(t, b)*out1:], y1[b*out1:(b+1)*out1])
		}
	}
	sn := s.State()
	if !batched {
		sn = unroll.StateOf[F]{H: reshaped(sn.H, cfg.Layers(), cfg.StateSize()), C: reshaped(sn.C, cfg.Layers(), cfg.HiddenSize)}
	}
	return final(layer, y, sn), nil
}

func reshaped[F tensor.Float](d tensor.DenseOf[F], shape ...int) tensor.DenseOf[F] {
	if d.IsZero() {
		return d
	}
	return tensor.DenseOf[F]{Shape: shape, Data: d.Data}
}
