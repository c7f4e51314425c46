package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// conversion is what the command line of convert says.
type conversion struct {
	in, out               string
	to, mode              string
	convention, chain     string
	batchFirst, timeFirst bool
	states, verify        bool
	opset                 int64
	opt                   modelfile.Options
	format                modelfile.Format
	low                   precisionOptions
}

func newConvertCmd() *cobra.Command {
	var c conversion
	cmd := &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Write a layer or model in another format",
		Long: `Write the model or recurrent layer of a file in another format, told by the
ending of OUT or by --to: onnx, folder (a model folder), safetensors, pt (a
state_dict), npz. ONNX files, Keras's files, model folders and, with --chain,
PyTorch's state dicts are converted whole: as ONNX or in a folder, or as tensors
where an embedding, a recurrent layer and a linear head are all there is. Of
other files it is the recurrent layer.

--to int8 and --to bfloat16 write a model folder whose weights are rounded, a
quarter or half of the bytes; --keep names parts that stay float32, and
--calibrate DATA tells what rounding costs: the errors of outputs over time and
by part, and the task's own measure. With an OUT that ends in .onnx, --to int8
writes integers that any engine of ONNX makes float32 of, and that unroll run
--precision int8 computes with.

What the new format cannot hold is said on stderr; where it is a part of what the
model computes (a chain, a program, activations), --loose has to allow it.
--verify reads OUT again and runs both on the same drawn inputs, IN by ONNX
Runtime, Keras or PyTorch where a Python has them, and tells the largest
difference.`,
		Example: `  unroll convert examples/bach/model.pt model.onnx --verify
  unroll convert checkpoint.ckpt layer.safetensors --prefix encoder.
  unroll convert model.onnx model-folder --to folder`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.in, c.out = args[0], args[1]
			return c.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.to, "to", "", "format of OUT: safetensors, pt, npz, onnx, folder; int8 or bfloat16 for a folder of rounded weights, int8 for an OUT that ends in .onnx too")
	c.low.register(f)
	f.BoolVar(&c.opt.Loose, "loose", false, "save what OUT can hold of it; take a layer although tensors under its own prefix are not its parameters")
	f.StringVar(&c.opt.Prefix, "prefix", "", "which of several recurrent layers, or of several models of a chain")
	f.StringVar(&c.chain, "chain", "", `the forward() of a state dict in a line, "embedding | lstm | last | fc"; docs/chain.md has the language`)
	f.BoolVar(&c.states, "states", false, "make the states of a chain's or Keras's recurrent layers inputs and outputs")
	f.StringVar(&c.mode, "mode", "", "RNN_TANH or RNN_RELU, which weights do not tell")
	conventionFlag(f, &c.convention)
	f.StringVar(&c.opt.Head, "head", "", "what a linear head reads, all steps or the last state, which weights do not tell")
	f.BoolVar(&c.batchFirst, "batch-first", false, "the layer has batch_first, which weights do not tell")
	f.BoolVar(&c.timeFirst, "time-first", false, "a chain's input is [T,B,...]")
	f.BoolVar(&c.verify, "verify", false, "run both sides on drawn inputs and compare")
	f.Int64Var(&c.opset, "opset", 0, "opset of an ONNX file, 7 to 22; 0 for 17, or the model's own")
	groupFlags(cmd, "Output", "to", "opset", "verify", "loose", "keep", "calibrate")
	groupFlags(cmd, "What weights do not tell", "chain", "prefix", "mode", "head", "batch-first", "time-first", "states", "convention")
	return cmd
}

// run checks the flags and converts.
func (c *conversion) run(cmd *cobra.Command) error {
	for i, what := range []string{"IN", "OUT"} {
		if err := notStream(what, []string{c.in, c.out}[i]); err != nil {
			return err
		}
	}
	c.opt.BatchFirst = c.batchFirst
	if c.opt.Head != "" && c.opt.Head != "all" && c.opt.Head != "last" {
		return usagef("--head is %q, expected all or last", c.opt.Head)
	}
	var err error
	if c.opt.Keras, err = isKeras(c.convention); err != nil {
		return err
	}
	if c.mode != "" {
		m, err := parseMode(c.mode)
		if err != nil {
			return ofFlag("mode", err)
		}
		c.opt.Mode = &m
	}
	p, rounded, err := c.low.precision(c.to)
	if err != nil {
		return err
	}
	if rounded && c.verify {
		return usagef("--verify compares numbers, and --to %s changes them; --calibrate DATA tells by how much", c.to)
	}
	if rounded && strings.EqualFold(filepath.Ext(c.out), ".onnx") {
		return c.onnxPrecision(cmd, p)
	}
	if rounded {
		return convertPrecision(cmd, c.in, c.out, c.opt, p, c.low)
	}
	if c.to != "" && !slices.Contains(fewValues()["to"], c.to) {
		return usagef("--to: %v: %q; safetensors, npz, pt, onnx and folder are written, int8 and bfloat16 round weights", modelfile.ErrUnknown, c.to)
	}
	c.format = modelfile.Format(c.to)
	if c.to == "" {
		if c.format, err = modelfile.FormatOf(c.out); err != nil {
			return usagef("%v; say --to", err)
		}
	}
	f, err := modelfile.Open(c.in)
	if err != nil {
		return err
	}
	whole := c.chain != "" || isWhole(f) && !(c.opt.Keras && f.Keras != nil)
	if f.Model != nil && c.chain != "" {
		_ = f.Close() // it was only read
		return usagef("--chain: %s tells itself how its parts follow each other; leave it out", c.in)
	}
	// What a graph or a folder says is not overruled, nor passed over.
	refused := []string{"time-first", "states"}
	switch {
	case c.chain != "":
		refused = []string{"mode", "convention", "head"}
	case whole:
		refused = []string{"prefix", "mode", "convention", "head", "batch-first", "time-first"}
	}
	for _, name := range refused {
		if cmd.Flags().Changed(name) {
			_ = f.Close() // it was only read
			if !whole {
				return usagef("--%s is for whole models, and %s holds weights alone; --chain says how they follow each other", name, c.in)
			}
			return usagef("--%s: %s tells that itself; leave it out", name, c.in)
		}
	}
	if whole && f.Model == nil {
		return c.model(cmd, f)
	}
	defer f.Close()
	return c.weights(cmd, f)
}

// model converts a whole model.
func (c *conversion) model(cmd *cobra.Command, f *modelfile.File) error {
	opt := model.Options{Chain: c.chain, Prefix: c.opt.Prefix, Loose: c.opt.Loose, States: c.states}
	opt.Layout = c.layout()
	m, err := openWhole(opt, f)
	if errors.Is(err, model.ErrAsk) {
		return usageError{err}
	}
	if err != nil {
		return asFlags(err)
	}
	defer m.Close()
	say(cmd, "note", m.Notes())
	if c.format == modelfile.Folder && c.chain == "" && m.Trained() != nil {
		place, err := claimOut(c.out)
		if err != nil {
			return err
		}
		defer place.release()
		atEnd(cmd.Context(), place.release)
	}
	saved, err := m.SaveAs(c.out, model.SaveOptions{Format: string(c.format), Opset: c.opset, Loose: c.opt.Loose})
	if errors.Is(err, model.ErrLoss) {
		return fmt.Errorf("%w; --loose saves the rest", err)
	}
	if err != nil {
		return err
	}
	say(cmd, "not held by "+c.out, saved.Lost)
	what := "a program without a recurrent layer of constants"
	if layers, err := m.Layers(); err == nil { // it is saved whatever its layers are
		for i, l := range layers {
			if i == 0 {
				what = l.Config().String()
				continue
			}
			what += ", " + l.Config().String()
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", c.out, what)
	if !c.verify {
		return nil
	}
	back, err := c.reopen(opt, saved)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	defer back.Close()
	return verifyModel(cmd, m, back, saved)
}

// layout is what the flags say of it.
func (c *conversion) layout() model.Layout {
	switch {
	case c.batchFirst:
		return model.BatchFirst
	case c.timeFirst:
		return model.TimeFirst
	}
	return model.Ask
}

// reopen opens what was saved of a whole model.
func (c *conversion) reopen(opt model.Options, saved *model.Saved) (*model.Model, error) {
	tensors := c.format != modelfile.ONNX && c.format != modelfile.Folder
	switch {
	case tensors && saved.Layer != nil:
		again := modelfile.Options{Head: saved.Head}
		again.Mode, again.BatchFirst = &saved.Layer.Mode, saved.Layer.BatchFirst
		l, err := loadFile(c.out, again)
		if err != nil {
			return nil, err
		}
		return wholeOf(c.out, l)
	case tensors && c.chain == "":
		return nil, errors.New("what was saved is not all of the model, and cannot be run by itself")
	case tensors && c.format != modelfile.Safetensors:
		return opt.Open(c.out)
	}
	return model.Open(c.out)
}

// conventionFlag says whose names and layout the tensors of a file have.
func conventionFlag(f *pflag.FlagSet, convention *string) {
	f.StringVar(convention, "convention", "torch", "names and layout of the file's tensors: torch or keras")
}

func isKeras(convention string) (bool, error) {
	switch convention {
	case "keras":
		return true, nil
	case "torch":
		return false, nil
	}
	return false, usagef("--convention is %q, expected torch or keras", convention)
}

// say prints a list on standard error, its first lines where it is long.
func say(cmd *cobra.Command, what string, list []string) {
	const most = 10
	for i, s := range list {
		if i == most {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d more\n", what, len(list)-most)
			return
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", what, visible(s))
	}
}

// weights converts the layer of a file of weights, or a model folder.
func (c *conversion) weights(cmd *cobra.Command, f *modelfile.File) error {
	from, err := f.Load(c.opt)
	if err != nil {
		return err
	}
	say(cmd, "note", from.Notes)
	if from.Rounded != "" {
		say(cmd, "note", []string{from.Rounded})
	}
	say(cmd, "left out of "+c.in, from.Left)
	if c.format == modelfile.Folder && from.Model != nil {
		place, err := claimOut(c.out)
		if err != nil {
			return err
		}
		defer place.release()
		atEnd(cmd.Context(), place.release)
	}
	var left []string
	if v := from.Layer.Config(); c.opt.Loose && !v.Variant.IsZero() && c.format != modelfile.ONNX && c.format != modelfile.Folder {
		left, err = from.SaveLoose(c.out, c.format, c.opset)
		left = append(left, fmt.Sprintf("the settings of %s, which torch.nn's layers do not have", v))
	} else {
		left, err = from.Save(c.out, c.format, c.opset)
	}
	if errors.Is(err, modelfile.ErrVariant) && c.format != modelfile.ONNX {
		err = fmt.Errorf("%w; --loose saves the parameters without them", err)
	}
	if err != nil {
		return err
	}
	say(cmd, "not held by "+c.out, append(left, precisionLost(from, c.format)...))
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s", c.out, from.Layer.Config())
	if from.Model != nil {
		fmt.Fprintf(cmd.OutOrStdout(), " with a head of %d", from.Model.Config().OutFeatures)
	}
	fmt.Fprintln(cmd.OutOrStdout())
	if !c.verify {
		return nil
	}
	m, again := from.Layer.Config().Mode, modelfile.Options{}
	again.Mode, again.BatchFirst = &m, from.Layer.Config().BatchFirst
	if from.Model != nil {
		again.Head = from.Model.Config().Output
	}
	back, err := loadFile(c.out, again)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return verifyWeights(cmd, c.in, c.out, from, back)
}

// verifyWeights compares a layer or model with what was written of it, run by
// PyTorch, and by unroll to the bit.
func verifyWeights(cmd *cobra.Command, in, out string, from, back *modelfile.Loaded) error {
	own, err := results(from, from)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	got, err := results(from, back)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	most := largest(got, own)
	if most != 0 {
		return fmt.Errorf("verify: %s and %s differ by %g", in, out, most)
	}
	want, by, err := byTorch(cmd, from, drawnInput3(from))
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if by.name == "" {
		sayVerified(cmd, most, by)
		return nil
	}
	for k := range got {
		a, errA := model.FromDense(got[k])
		b, errB := model.FromDense(want[k])
		if want[k].IsZero() {
			continue
		}
		d, err := apart(a, b)
		if err = errors.Join(errA, errB, err); err != nil {
			return fmt.Errorf("verify: %s of %s: %w (compared with %s)", []string{"output", "h_n", "c_n"}[k], out, err, by)
		}
		most = max(most, d)
	}
	sayVerified(cmd, most, by)
	return nil
}

func loadFile(path string, opt modelfile.Options) (*modelfile.Loaded, error) {
	f, err := modelfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Load(opt)
}

// What both sides of a conversion are run on.
const drawnSteps, drawnBatch = 16, 3

// drawn returns a drawn input [T,B,I] or [B,T,I].
func drawn(batchFirst bool, inputs int) tensor.Dense {
	shape := []int{drawnSteps, drawnBatch, inputs}
	if batchFirst {
		shape[0], shape[1] = shape[1], shape[0]
	}
	x := tensor.New(shape...)
	rng.Randn(rng.New(1), x.Data)
	return x
}

// drawnInput3 draws an input for a layer or a model.
func drawnInput3(l *modelfile.Loaded) nn.Input {
	c := l.Layer.Config()
	if l.Model == nil || l.Model.Config().NumEmbeddings == 0 {
		return nn.Input{Features: drawn(c.BatchFirst, c.InputSize)}
	}
	in := nn.Input{Tokens: make([]int, drawnSteps*drawnBatch), T: drawnSteps, B: drawnBatch}
	for i := range in.Tokens {
		in.Tokens[i] = i * 7919 % l.Model.Config().NumEmbeddings
	}
	return in
}

// results runs l on an input drawn for another of its kind: output and final states.
func results(of, l *modelfile.Loaded) ([3]tensor.Dense, error) {
	in := drawnInput3(of)
	if of.Model == nil || l.Model == nil {
		y, s, err := l.Layer.Forward(in.Features, unroll.State{})
		return [3]tensor.Dense{y, s.H, s.C}, err
	}
	p := nn.Pass{Model: l.Model}
	y, s, err := p.Forward(in, unroll.State{})
	return [3]tensor.Dense{y, s.H, s.C}, err
}

// largest returns the largest difference of what two sides give, output and
// final states; infinite where only one is not a number, or shapes differ.
func largest(got, want [3]tensor.Dense) float64 {
	most := 0.0
	for k := range got {
		x, y := got[k], want[k]
		if len(x.Data) != len(y.Data) {
			return math.Inf(1)
		}
		for i, v := range x.Data {
			d := math.Abs(float64(v) - float64(y.Data[i]))
			if math.IsNaN(d) && v != y.Data[i] && (v == v || y.Data[i] == y.Data[i]) { // two equal infinities, two NaNs: no difference
				d = math.Inf(1)
			}
			if d > most {
				most = d
			}
		}
	}
	return most
}
