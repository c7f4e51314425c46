package main

import (
	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/modelfile"
)

// runVariant runs a layer of cells that torch.nn does not have, by the
// definition of ONNX's operators: whole sequences, forward, in float32.
func runVariant(cmd *cobra.Command, args []string, o runOptions) error {
	f, err := modelfile.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	opt := modelfile.Options{Prefix: o.prefix}
	opt.BatchFirst = o.batchFirst
	if opt.Keras, err = isKeras(o.convention); err != nil {
		return err
	}
	v, err := f.Variant(opt)
	if err != nil {
		return err
	}
	for name, given := range map[string]bool{"--trace": o.trace, "--stream": o.stream, "--dtype float64": o.dtype != "float32"} {
		if given {
			return usagef("%s: %s is no layer of torch.nn and runs whole sequences in float32 only", name, v)
		}
	}
	in, err := loadInput[float32](cmd, args[1], unroll.Config{})
	if err != nil {
		return err
	}
	y, hn, cn, err := v.Forward(in.x, in.lengths, in.s0.H, in.s0.C)
	if err != nil {
		return err
	}
	results := []result[float32]{{"output", y}, {"h_n", hn}}
	if !cn.IsZero() {
		results = append(results, result[float32]{"c_n", cn})
	}
	return showRun(cmd, o, v.String(), in.x, results)
}
