package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
)

// sizes are the flags that say what a fresh layer is; each of them makes one.
var sizes = []string{"input-size", "hidden-size", "num-layers", "proj-size", "bidirectional", "no-bias"}

// freshFlags adds the flags of a layer that is drawn, as after
// torch.manual_seed(seed). Its mode is a flag of its own.
func freshFlags(cmd *cobra.Command, c *unroll.Config, seed *uint64) {
	f := cmd.Flags()
	f.Uint64Var(seed, "seed", 0, "seed of a fresh layer")
	f.IntVar(&c.InputSize, "input-size", 3, "I of a fresh layer")
	f.IntVar(&c.HiddenSize, "hidden-size", 4, "H of a fresh layer")
	f.IntVar(&c.NumLayers, "num-layers", 2, "L of a fresh layer")
	f.IntVar(&c.ProjSize, "proj-size", 0, "P of a fresh LSTM")
	f.BoolVar(&c.Bidirectional, "bidirectional", false, "a fresh layer has two directions")
	f.BoolVar(&c.NoBias, "no-bias", false, "a fresh layer has no biases")
}

// parseMode reads the flag --mode.
func parseMode(text string) (unroll.Mode, error) {
	m, err := unroll.ParseMode(text)
	if err != nil {
		return m, ofFlag("mode", err)
	}
	return m, nil
}

// isSized reports whether a flag asks for a fresh layer.
func isSized(cmd *cobra.Command) bool { return slices.ContainsFunc(sizes, cmd.Flags().Changed) }
