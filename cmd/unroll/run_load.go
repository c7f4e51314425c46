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

// runSource makes the layer and the input that the command line names.
func runSource[F tensor.Float](cmd *cobra.Command, args []string, o runOptions) (layer *unroll.LayerOf[F], in runInput[F], err error) {
	if len(args) == 2 {
		if layer, err = loadLayer[F](cmd, args[0], o); err != nil {
			return nil, in, err
		}
		in, err = loadInput[F](cmd, args[1], layer.Config())
		return layer, in, err
	}
	cfg := o.fresh
	cfg.BatchFirst = o.batchFirst
	if cfg.Mode, err = unroll.ParseMode(o.mode); err != nil {
		return nil, in, usageError{err}
	}
	if layer, err = unroll.NewOf[F](cfg); err != nil {
		return nil, in, usageError{err}
	}
	g := rng.New(o.seed)
	if len(args) == 1 {
		in, err = loadInput[F](cmd, args[0], cfg)
	} else {
		in.x = tensor.NewOf[F](5, cfg.InputSize)
		rng.Randn(g, in.x.Data)
	}
	layer.ResetParameters(g)
	return layer, in, err
}

// loadLayer finds the recurrent layer of a file or folder.
func loadLayer[F tensor.Float](cmd *cobra.Command, path string, o runOptions) (*unroll.LayerOf[F], error) {
	var opt modelfile.Options
	opt.Prefix, opt.BatchFirst, opt.Loose = o.prefix, o.batchFirst, o.loose
	var err error
	if opt.Keras, err = isKeras(o.convention); err != nil {
		return nil, err
	}
	if o.moded {
		m, err := unroll.ParseMode(o.mode)
		if err != nil {
			return nil, usageError{err}
		}
		opt.Mode = &m
	}
	f, err := modelfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	loaded, err := f.Load(opt)
	if err != nil {
		return nil, err
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
	cfg := loaded.Layer.Config()
	// A bare state dict is read as the flags say; a folder or a graph tells.
	switch {
	case opt.Mode != nil && cfg.Mode != *opt.Mode:
		return nil, usagef("--mode %s: %s is %v; leave --mode out", o.mode, path, cfg)
	case o.prefix != "" && (f.Model != nil || f.ONNX != nil):
		return nil, usagef("--prefix %s: %s has one recurrent layer, %v; leave --prefix out", o.prefix, path, cfg)
	}
	cfg.BatchFirst = cfg.BatchFirst || o.batchFirst
	layer, err := unroll.NewOf[F](cfg)
	if err != nil {
		return nil, err
	}
	params := map[string]tensor.DenseOf[F]{}
	for _, p := range loaded.Layer.Params() {
		params[p.Name] = tensor.Convert[F](p.Value)
		// A file of float64 has more digits than the float32 layer kept.
		src, stored, ok := loaded.Source, loaded.Part.Params[p.Name], loaded.Source != nil
		if f.Model != nil {
			src, stored, ok = f.Source, "rnn."+p.Name, true
		}
		if !ok {
			continue
		}
		if v, err := checkpoint.Float[F](src, stored); err == nil && len(v.Data) == len(p.Value.Data) {
			params[p.Name] = tensor.DenseOf[F]{Shape: p.Value.Shape, Data: v.Data}
		}
	}
	return layer, layer.Load(params)
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

// loadInput reads input, hx, cx and lengths. The content tells the format of
// standard input: what bears no other format's mark is CSV.
func loadInput[F tensor.Float](cmd *cobra.Command, path string, cfg unroll.Config) (in runInput[F], err error) {
	src, done, err := openArrays(cmd, path)
	if err != nil {
		return in, err
	}
	defer done()
	name, err := array.Pick(src, "input", "x")
	if err != nil {
		return in, err
	}
	if in.x, err = checkpoint.Float[F](src, name); err != nil {
		return in, err
	}
	for key, dst := range map[string]*tensor.DenseOf[F]{"hx": &in.s0.H, "cx": &in.s0.C} {
		if _, ok := src.Info(key); ok {
			if *dst, err = checkpoint.Float[F](src, key); err != nil {
				return in, err
			}
		}
	}
	if _, ok := src.Info("lengths"); ok {
		v, _, err := checkpoint.Ints(src, "lengths")
		if err != nil {
			return in, err
		}
		in.lengths = []int{}
		for _, n := range v {
			in.lengths = append(in.lengths, int(n))
		}
	}
	return in, nil
}

// piped is a file that came by standard input, and says so in errors.
type piped struct{ *safetensors.File }

func (piped) Name() string { return "standard input" }

func openArrays(cmd *cobra.Command, path string) (checkpoint.Source, func(), error) {
	options, err := tableOptions(cmd)
	if err != nil {
		return nil, nil, err
	}
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
			f, err := safetensors.NewReader(bytes.NewReader(b), int64(len(b)))
			return piped{f}, nothing, err
		}
		options.Format = format
		s, err := array.Read(bytes.NewReader(b), "standard input", options)
		return s, nothing, err
	}
	if strings.EqualFold(filepath.Ext(path), ".safetensors") {
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
