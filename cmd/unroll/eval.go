package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/task"
)

func newEvalCmd() *cobra.Command {
	var asJSON bool
	var one string
	workers := 1
	cmd := &cobra.Command{
		Use:   "eval MODEL DATA",
		Short: "Measure a model folder on the test part of its data",
		Long: `eval measures a model folder on the test part of DATA, cut as it was for
training (the model folder remembers --valid, --test, --seed and the columns):
the loss, for classes the accuracy and the confusion matrix, for forecasts the
errors beside those of the naive and the seasonal-naive forecast.`,
		Example: `  unroll eval names-model examples/names/data
  unroll eval names-model examples/names/data --json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := notStream("MODEL", args[0]); err != nil {
				return err
			}
			m, t, err := task.Open(args[0])
			if err != nil {
				return err
			}
			if err := giveOptions(cmd, t, true); err != nil {
				return err
			}
			t.From(cmd.InOrStdin())
			set, err := t.Load(args[1])
			if err != nil {
				return inFlags(cmd, err)
			}
			for _, n := range set.Notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "unroll:", n)
			}
			if one != "" {
				if err := writeCase(cmd, one, m, set); err != nil {
					return err
				}
			}
			e, err := task.Measure(m, t, set, workers)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, e)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), e.Text())
			return err
		},
	}
	registerOptions(cmd)
	cmd.Flags().IntVar(&workers, "workers", 1, "goroutines that share the work; the bits are the same")
	cmd.Flags().StringVar(&one, "case", "", "write the first batch and the loss on it to this file, for examples/pytorch")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	groupFlags(cmd, "Output", "json", "case", "workers")
	groupOptions(cmd)
	return cmd
}
