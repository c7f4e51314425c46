package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// runInput is what a layer is given.
type runInput[F tensor.Float] struct {
	x       tensor.DenseOf[F]
	s0      unroll.StateOf[F]
	lengths []int
}

// runLayer makes the layer that the command line names, and what reads its input.
func runLayer[F tensor.Float](cmd *cobra.Command, args []string, o runOptions) (layer *unroll.LayerOf[F], input func() (runInput[F], error), err error) {
	if len(args) == 2 {
		layer, told, err := loadLayer[F](cmd, args[0], o)
		return layer, func() (runInput[F], error) {
			in, err := loadInput[F](cmd, args[1])
			if err == nil && in.x.Rank() == 3 && !told && !o.batchFirst && !o.timeFirst {
				err = askLayout(args[0], args[1], in.x.Shape)
			}
			return in, err
		}, err
	}
	cfg := o.fresh
	cfg.BatchFirst = o.batchFirst
	if cfg.Mode, err = parseMode(o.mode); err != nil {
		return nil, nil, err
	}
	if layer, err = unroll.NewOf[F](cfg); err != nil {
		return nil, nil, usageError{err}
	}
	g := rng.New(o.seed)
	if len(args) == 1 {
		layer.ResetParameters(g)
		return layer, func() (runInput[F], error) { return loadInput[F](cmd, args[0]) }, nil
	}
	var drawn runInput[F]
	drawn.x = tensor.NewOf[F](5, cfg.InputSize)
	rng.Randn(g, drawn.x.Data)
	layer.ResetParameters(g)
	return layer, func() (runInput[F], error) { return drawn, nil }, nil
}

// loadLayer finds the recurrent layer of a file or folder, and whether that told
// the order of a batch's dimensions.
func loadLayer[F tensor.Float](cmd *cobra.Command, path string, o runOptions) (layer *unroll.LayerOf[F], told bool, err error) {
	var opt modelfile.Options
	opt.Prefix, opt.BatchFirst, opt.Loose = o.prefix, o.batchFirst, o.loose
	if opt.Keras, err = isKeras(o.convention); err != nil {
		return nil, false, err
	}
	if o.moded {
		m, err := parseMode(o.mode)
		if err != nil {
			return nil, false, err
		}
		opt.Mode = &m
	}
	f := o.file
	loaded, err := loadPart(f, opt)
	if err != nil {
		return nil, false, err
	}
	for _, n := range loaded.Notes {
		if n == modelfile.NoteHead {
			continue // the head is not run
		}
		if n == modelfile.NoteMode {
			n += "; --mode RNN_TANH or --mode RNN_RELU says which"
		}
		fmt.Fprintln(cmd.ErrOrStderr(), "unroll:", n)
	}
	if left := besides(loaded); left != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "unroll: the recurrent layer alone runs; not run: %s (--chain says how they follow each other)\n", left)
	}
	cfg := loaded.Layer.Config()
	// A bare state dict is read as the flags say; a folder or a graph tells.
	switch {
	case opt.Mode != nil && cfg.Mode != *opt.Mode:
		return nil, false, usagef("--mode %s: %s is %v; leave --mode out", o.mode, path, cfg)
	case o.prefix != "" && f.Model != nil:
		return nil, false, usagef("--prefix %s: %s has one recurrent layer, %v; leave --prefix out", o.prefix, path, cfg)
	}
	cfg.BatchFirst = cfg.BatchFirst || o.batchFirst
	if o.timeFirst && loaded.Told && cfg.BatchFirst {
		return nil, false, usagef("--time-first: %s says batch_first; leave the flag out", path)
	}
	layer, err = layerAs[F](f, loaded, cfg)
	return layer, loaded.Told, err
}

// layerAs is the loaded layer with elements of type F and another Config. It is the
// loaded one itself where nothing has to change.
func layerAs[F tensor.Float](f *modelfile.File, loaded *modelfile.Loaded, cfg unroll.Config) (*unroll.LayerOf[F], error) {
	if same, ok := any(loaded.Layer).(*unroll.LayerOf[F]); ok && loaded.Layer.Config() == cfg {
		return same, nil
	}
	layer, err := unroll.NewOf[F](cfg)
	if err != nil {
		return nil, err
	}
	params := map[string]tensor.DenseOf[F]{}
	for _, p := range loaded.Layer.Params() {
		// A file of float64 has more digits than the float32 layer kept.
		src, stored, ok := loaded.Source, loaded.Part.Params[p.Name], loaded.Source != nil
		if f.Model != nil {
			src, stored, ok = f.Source, "rnn."+p.Name, true
		}
		if _, wide := any(F(0)).(float64); ok && wide {
			if v, err := checkpoint.Float[F](src, stored); err == nil && len(v.Data) == len(p.Value.Data) {
				params[p.Name] = tensor.DenseOf[F]{Shape: p.Value.Shape, Data: v.Data}
				continue
			}
		}
		params[p.Name] = tensor.Convert[F](p.Value)
	}
	if err := layer.Load(params); err != nil {
		return nil, err
	}
	return asSaved(layer, loaded.Layer.Precisions())
}

// askLayout refuses a batch whose first two dimensions could be either.
func askLayout(model, input string, shape []int) error {
	a, b := shape[0], shape[1]
	return usagef("%s: the input is %v, and %s does not say which dimension is time: --time-first reads %d steps of %d sequences, --batch-first %d sequences of %d steps",
		shown(input), shape, model, a, b, a, b)
}

// inputError tells what a pass refused in the words of the command line: the
// file that the input came from, and the names of its tensors.
func inputError(args []string, err error) error {
	if len(args) == 0 {
		return err
	}
	file := args[len(args)-1]
	if file == std {
		file = "standard input"
	}
	var a *unroll.ArgError
	if errors.As(err, &a) {
		named := *a
		for arg, name := range map[string]string{"s0.H": "hx", "s0.C": "cx"} {
			if strings.HasPrefix(a.Arg, arg) {
				named.Arg = name
			}
		}
		err = &named
	}
	return fmt.Errorf("%s: %w", file, err)
}

// loadInput reads input, the states and lengths, under any of their names. What
// else the file holds is an error: a state under another name would be lost. The
// content tells the format of standard input: what bears no other format's mark is
// CSV.
func loadInput[F tensor.Float](cmd *cobra.Command, path string) (in runInput[F], err error) {
	src, done, err := openArrays(cmd, path, checkpoint.TypeOf[F]())
	if err != nil {
		return in, err
	}
	defer done()
	input, err := array.Pick(src, "input", "x")
	if err != nil {
		return in, err
	}
	if in, err = statesOf[F](src, path, input); err != nil {
		return in, err
	}
	in.x, err = checkpoint.Float[F](src, input)
	return in, err
}

// statesOf reads what a file holds beside the input: states and lengths.
func statesOf[F tensor.Float](src checkpoint.Source, path, input string) (in runInput[F], err error) {
	states := map[string]*tensor.DenseOf[F]{"hx": &in.s0.H, "cx": &in.s0.C}
	taken := map[string]string{}
	var left []string
	for _, name := range src.Names() {
		state := stateNames[name]
		switch {
		case name == input:
		case name == "lengths":
			if in.lengths, err = readLengths(src, name); err != nil {
				return in, err
			}
		case state == "":
			left = append(left, name)
		case taken[state] != "":
			return in, errInput(shown(path), "it holds %q and %q, which are the same state; leave one out", taken[state], name)
		default:
			taken[state] = name
			if *states[state], err = checkpoint.Float[F](src, name); err != nil {
				return in, err
			}
		}
	}
	if len(left) > 0 {
		return in, errInput(shown(path), "it holds %q, which nothing reads; a recurrent layer reads input (or x), lengths, and the states hx and cx (or h_0, h0, h_n and c_0, c0, c_n)", left)
	}
	return in, nil
}

func readLengths(src checkpoint.Source, name string) ([]int, error) {
	v, _, err := checkpoint.Ints(src, name)
	if err != nil {
		return nil, err
	}
	lengths := []int{}
	for _, n := range v {
		lengths = append(lengths, int(n))
	}
	return lengths, nil
}

// piped is a file that came by standard input, and says so in errors.
type piped struct{ *safetensors.File }

func (piped) Name() string { return "standard input" }

// openArrays opens a file, or standard input. Numbers of text become what wants them at
// once: rounded to float64 first, some would be other float32.
func openArrays(cmd *cobra.Command, path string, want checkpoint.DType) (checkpoint.Source, func(), error) {
	options, err := tableOptions(cmd)
	if err != nil {
		return nil, nil, err
	}
	options.DType = want
	if path == std {
		b, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return nil, nil, fmt.Errorf("read standard input: %w", err)
		}
		nothing := func() {}
		format := array.Sniff(b)
		// A header of safetensors stands where no text has it: after 8 bytes that
		// are a small number.
		if format == array.CSV && len(b) > 8 && b[8] == '{' {
			if err := noColumns("standard input", options); err != nil {
				return nil, nil, err
			}
			f, err := safetensors.NewReader(bytes.NewReader(b), int64(len(b)))
			return piped{f}, nothing, err
		}
		options.Format = format
		s, err := array.Read(bytes.NewReader(b), "standard input", options)
		return s, nothing, err
	}
	if strings.EqualFold(filepath.Ext(path), ".safetensors") {
		if err := noColumns(path, options); err != nil {
			return nil, nil, err
		}
		f, err := safetensors.Open(path)
		if err != nil {
			return nil, nil, err
		}
		return f, func() { f.Close() }, nil
	}
	s, err := array.Open(path, options)
	if err != nil {
		return nil, nil, err
	}
	return s, func() { s.Close() }, nil
}

// noColumns refuses --columns for a file of tensors.
func noColumns(file string, o array.Options) error {
	if len(o.Text.Columns) == 0 {
		return nil
	}
	return errInput(file, "--columns %q: only CSV and Parquet have columns by name, and this is safetensors", o.Text.Columns)
}
