package main

import (
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

func newConvertCmd() *cobra.Command {
	var (
		to, prefix, mode, convention string
		batchFirst, verify           bool
		opset                        int64
	)
	cmd := &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Write a layer or model in another format",
		Long: `Write the recurrent layer or model of a file in another format, told by the
ending of OUT or by --to: safetensors, npz, onnx, folder (a model folder).
PyTorch's files (.pt, .pth) are read and not written; PyTorch reads safetensors.

What the new format cannot hold is said on stderr. --verify reads OUT again,
runs both on the same drawn inputs and tells the largest difference.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt := modelfile.Options{Prefix: prefix}
			opt.BatchFirst = batchFirst
			switch convention {
			case "keras":
				opt.Keras = true
			case "torch":
			default:
				return usagef("--convention is %q, expected torch or keras", convention)
			}
			if mode != "" {
				m, err := unroll.ParseMode(mode)
				if err != nil {
					return usagef("--mode: %v", err)
				}
				opt.Mode = &m
			}
			format := modelfile.Format(to)
			if to == "" {
				var err error
				if format, err = modelfile.FormatOf(args[1]); err != nil {
					return usagef("%v; say --to", err)
				}
			}
			return convert(cmd, args[0], args[1], format, opt, opset, verify)
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "to", "", "format of OUT: safetensors, npz, onnx, folder")
	f.StringVar(&prefix, "prefix", "", "which of several recurrent layers")
	f.StringVar(&mode, "mode", "", "RNN_TANH or RNN_RELU, which weights do not tell")
	f.StringVar(&convention, "convention", "torch", "names and layout of the tensors in IN: torch or keras")
	f.BoolVar(&batchFirst, "batch-first", false, "the layer has batch_first, which weights do not tell")
	f.BoolVar(&verify, "verify", false, "run both sides on drawn inputs and compare")
	f.Int64Var(&opset, "opset", 0, "opset of an ONNX file, 7 to 22; 0 for 17")
	return cmd
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
	say("left out of "+in, from.Left)
	left, err := from.Save(out, format, opset)
	if err != nil {
		return err
	}
	say("not held by "+out, left)
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
	back, err := loadFile(out, again)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	diff, err := difference(from, back)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "verified: largest difference %g\n", diff)
	if diff != 0 {
		return fmt.Errorf("verify: %s and %s differ by %g", in, out, diff)
	}
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

// difference runs both on the same drawn inputs and returns the largest
// difference of outputs and final states.
func difference(a, b *modelfile.Loaded) (float64, error) {
	const steps, batch = 16, 3
	g, c := rng.New(1), a.Layer.Config()
	outer := []int{steps, batch}
	if c.BatchFirst {
		outer = []int{batch, steps}
	}
	x := tensor.New(append(outer, c.InputSize)...)
	rng.Randn(g, x.Data)
	run := func(l *modelfile.Loaded) (tensor.Dense, unroll.State, error) {
		if a.Model == nil || b.Model == nil {
			return l.Layer.Forward(x, unroll.State{})
		}
		in := nn.Input{Features: x}
		if n := a.Model.Config().NumEmbeddings; n > 0 {
			in = nn.Input{Tokens: make([]int, steps*batch), T: steps, B: batch}
			for i := range in.Tokens {
				in.Tokens[i] = i * 7919 % n
			}
		}
		p := nn.Pass{Model: l.Model}
		return p.Forward(in, unroll.State{})
	}
	y1, s1, err := run(a)
	if err != nil {
		return 0, err
	}
	y2, s2, err := run(b)
	if err != nil {
		return 0, err
	}
	most := 0.0
	for _, p := range [][2]tensor.Dense{{y1, y2}, {s1.H, s2.H}, {s1.C, s2.C}} {
		if len(p[0].Data) != len(p[1].Data) {
			return 0, fmt.Errorf("outputs have shapes %v and %v", p[0].Shape, p[1].Shape)
		}
		for i, v := range p[0].Data {
			d := math.Abs(float64(v) - float64(p[1].Data[i]))
			if math.IsNaN(d) && (v == v || p[1].Data[i] == p[1].Data[i]) {
				d = math.Inf(1)
			}
			if d > most {
				most = d
			}
		}
	}
	return most, nil
}
