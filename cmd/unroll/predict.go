package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/task"
)

// predictFlags are the flags that only some tasks have a use for.
var predictFlags = map[string][]string{
	"prompt": {"text"}, "length": {"text", "music"}, "temperature": {"text", "music"}, "top-k": {"text"}, "seed": {"text", "music"},
	"output": {"music"}, "text": {"text", "classify", "tag"}, "json": {"classify", "tag", "forecast"},
}

func newPredictCmd() *cobra.Command {
	q := task.DefaultQuery()
	cmd := &cobra.Command{
		Use:   "predict MODEL [INPUT]",
		Short: "Use a model folder: write on, classify, tag, forecast, compose",
		Long: `predict does what the model folder's task is:

  text      writes on from INPUT or --prompt
  classify  gives the classes of the text INPUT, or of each line of the file
            INPUT or of standard input (none or "-"), with probabilities
  tag       gives each word of such texts its label
  forecast  continues the series of the CSV file INPUT
  music     composes and writes a Standard MIDI file (-o FILE); INPUT, a file of
            piano rolls, gives the first 16 steps

INPUT is a file if there is one of that name, and that is said; --text takes it
as a text. The answer of a line comes before the next line is waited for.`,
		Example: `  unroll predict names-model Satoshi
  unroll predict shakespeare-model --prompt "ROMEO:" --length 300
  unroll predict tag-model sentences.txt --json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := notStream("MODEL", args[0]); err != nil {
				return err
			}
			m, t, err := task.Open(args[0])
			if err != nil {
				return err
			}
			for flag, tasks := range predictFlags {
				if cmd.Flags().Changed(flag) && !slices.Contains(tasks, t.Kind().Name) {
					return usagef("--%s is for %s, and %s is for %s; leave it out", flag, strings.Join(tasks, ", "), args[0], t.Kind().Name)
				}
			}
			if len(args) > 1 {
				q.Input = args[1]
			}
			q.In, q.Out, q.Log = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return inFlags(cmd, t.Answer(cmd.Context(), m, q))
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.Prompt, "prompt", q.Prompt, "text: what to write on from")
	f.IntVar(&q.Length, "length", q.Length, "text: tokens to write; music: steps to compose")
	f.Float64Var(&q.Temperature, "temperature", q.Temperature, "text, music: below 1 bolder in what is likely, above 1 wilder")
	f.IntVar(&q.Top, "top-k", 0, "text: draw from the k likeliest tokens only; 0: from all")
	f.Uint64Var(&q.Seed, "seed", q.Seed, "seed of what is drawn")
	f.StringVarP(&q.File, "output", "o", "", "music: MIDI file to write")
	f.BoolVar(&q.Text, "text", false, "text, classify, tag: INPUT is a text, also where a file has that name")
	f.BoolVar(&q.JSON, "json", false, "classify, tag, forecast: print JSON, one object a line")
	groupFlags(cmd, "Input", "text")
	groupFlags(cmd, "What is drawn", "prompt", "length", "temperature", "top-k", "seed")
	groupFlags(cmd, "Output", "json", "output")
	return cmd
}
