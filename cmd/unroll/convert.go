package main

import (
	"fmt"
	"math"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

func newConvertCmd() *cobra.Command {
	var (
		to, prefix, mode, convention, head string
		batchFirst, verify, loose          bool
		opset                              int64
		low                                precisionOptions
	)
	cmd := &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Write a layer or model in another format",
		Long: `Write the recurrent layer or model of a file in another format, told by the
ending of OUT or by --to: safetensors, pt (a state_dict), npz, onnx, folder (a
model folder). A layer of cells that PyTorch lacks goes from ONNX, or from
Keras's weights, to ONNX only.

--to int8 and --to bfloat16 write a model folder whose weights are rounded, a
quarter or half of the bytes; --keep names parts that stay float32, and
--calibrate DATA tells what rounding costs: the errors of outputs over time and
by part, and the task's own measure.

What the new format cannot hold is said on stderr. --verify reads OUT again,
runs both on the same drawn inputs and tells the largest difference.`,
		Example: `  unroll convert examples/bach/model.pt model.onnx --verify
  unroll convert checkpoint.ckpt layer.safetensors --prefix encoder.
  unroll convert model.onnx model-folder --to folder`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			for i, what := range []string{"IN", "OUT"} {
				if err := notStream(what, args[i]); err != nil {
					return err
				}
			}
			opt := modelfile.Options{Prefix: prefix, Head: head}
			opt.BatchFirst, opt.Loose = batchFirst, loose
			if head != "" && head != "all" && head != "last" {
				return usagef("--head is %q, expected all or last", head)
			}
			var err error
			if opt.Keras, err = isKeras(convention); err != nil {
				return err
			}
			if mode != "" {
				m, err := unroll.ParseMode(mode)
				if err != nil {
					return usagef("--mode: %v", err)
				}
				opt.Mode = &m
			}
			// What a graph or a folder says is not overruled, nor passed over.
			if from, err := modelfile.FormatOf(args[0]); err == nil && (from == modelfile.ONNX || from == modelfile.Folder && isFolder(args[0])) {
				for _, name := range []string{"prefix", "mode", "convention", "head", "batch-first"} {
					if cmd.Flags().Changed(name) {
						return usagef("--%s: %s tells that itself; leave it out", name, args[0])
					}
				}
			}
			p, rounded, err := low.precision(to)
			if err != nil {
				return err
			}
			if rounded {
				return convertPrecision(cmd, args[0], args[1], opt, p, low)
			}
			format := modelfile.Format(to)
			if to == "" {
				if format, err = modelfile.FormatOf(args[1]); err != nil {
					return usagef("%v; say --to", err)
				}
			}
			return convert(cmd, args[0], args[1], format, opt, opset, verify)
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "to", "", "format of OUT: safetensors, pt, npz, onnx, folder; int8 or bfloat16 for a folder of rounded weights")
	low.register(f)
	f.BoolVar(&loose, "loose", false, "take a layer although tensors under its own prefix are not its parameters")
	f.StringVar(&prefix, "prefix", "", "which of several recurrent layers")
	f.StringVar(&mode, "mode", "", "RNN_TANH or RNN_RELU, which weights do not tell")
	conventionFlag(f, &convention)
	f.StringVar(&head, "head", "", "what a linear head reads, all steps or the last state, which weights do not tell")
	f.BoolVar(&batchFirst, "batch-first", false, "the layer has batch_first, which weights do not tell")
	f.BoolVar(&verify, "verify", false, "run both sides on drawn inputs and compare")
	f.Int64Var(&opset, "opset", 0, "opset of an ONNX file, 7 to 22; 0 for 17")
	groupFlags(cmd, "Output", "to", "opset", "verify", "keep", "calibrate")
	groupFlags(cmd, "What weights do not tell", "prefix", "mode", "head", "batch-first", "convention", "loose")
	return cmd
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

func convert(cmd *cobra.Command, in, out string, format modelfile.Format, opt modelfile.Options, opset int64, verify bool) error {
	from, err := loadFile(in, opt)
	if err != nil {
		return err
	}
	say := func(what string, list []string) {
		const most = 10
		for i, s := range list {
			if i == most {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d more\n", what, len(list)-most)
				return
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", what, visible(s))
		}
	}
	say("note", from.Notes)
	if from.Rounded != "" {
		say("note", []string{from.Rounded})
	}
	say("left out of "+in, from.Left)
	if format == modelfile.Folder && from.Model != nil {
		place, err := claimFolder(out, false, true)
		if err != nil {
			return err
		}
		defer place.release()
		atEnd(cmd.Context(), place.release)
	}
	left, err := from.Save(out, format, opset)
	if err != nil {
		return err
	}
	say("not held by "+out, append(left, precisionLost(from, format)...))
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s", out, from.Layer.Config())
	if from.Model != nil {
		fmt.Fprintf(cmd.OutOrStdout(), " with a head of %d", from.Model.Config().OutFeatures)
	}
	fmt.Fprintln(cmd.OutOrStdout())
	if !verify {
		return nil
	}
	m, again := from.Layer.Config().Mode, modelfile.Options{}
	again.Mode, again.BatchFirst = &m, from.Layer.Config().BatchFirst
	if from.Model != nil {
		again.Head = from.Model.Config().Output
	}
	back, err := loadFile(out, again)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return verified(cmd, in, out, func() (float64, error) { return difference(from, back) })
}

// verified tells the largest difference, and refuses any.
func verified(cmd *cobra.Command, in, out string, difference func() (float64, error)) error {
	diff, err := difference()
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "verified: largest difference %g\n", diff)
	if diff != 0 {
		return fmt.Errorf("verify: %s and %s differ by %g", in, out, diff)
	}
	return nil
}

// isFolder reports whether a path is that of a folder that is there.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
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

// difference is largest for layers and models.
func difference(a, b *modelfile.Loaded) (float64, error) {
	c := a.Layer.Config()
	x := drawn(c.BatchFirst, c.InputSize)
	return largest(func(l *modelfile.Loaded) ([3]tensor.Dense, error) {
		if a.Model == nil || b.Model == nil {
			y, s, err := l.Layer.Forward(x, unroll.State{})
			return [3]tensor.Dense{y, s.H, s.C}, err
		}
		in := nn.Input{Features: x}
		if n := a.Model.Config().NumEmbeddings; n > 0 {
			in = nn.Input{Tokens: make([]int, drawnSteps*drawnBatch), T: drawnSteps, B: drawnBatch}
			for i := range in.Tokens {
				in.Tokens[i] = i * 7919 % n
			}
		}
		p := nn.Pass{Model: l.Model}
		y, s, err := p.Forward(in, unroll.State{})
		return [3]tensor.Dense{y, s.H, s.C}, err
	}, a, b)
}

// largest returns the largest difference of what two sides give, output and
// final states; infinite where only one is not a number.
func largest[S any](run func(S) ([3]tensor.Dense, error), a, b S) (float64, error) {
	got, err := run(a)
	if err != nil {
		return 0, err
	}
	want, err := run(b)
	if err != nil {
		return 0, err
	}
	most := 0.0
	for k := range got {
		x, y := got[k], want[k]
		if len(x.Data) != len(y.Data) {
			return 0, fmt.Errorf("outputs have shapes %v and %v", x.Shape, y.Shape)
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
	return most, nil
}
