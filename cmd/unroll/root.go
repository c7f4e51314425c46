package main

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRootCmd builds the whole command. A subcommand is one file with one
// function that returns it, and one line here.
func newRootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "unroll",
		Short: "PyTorch's stacked RNN, LSTM and GRU: run, explained and trained",
		Long: `unroll runs, explains, converts and trains PyTorch's stacked RNN, LSTM and GRU
layers. "unroll run" without arguments shows one.

Data goes to stdout, progress and complaints to stderr; "-" as a file name is a
standard stream. Exit code: 0 success, 1 failure, 2 wrong usage, 130 after an
interrupt (Ctrl-C), 143 after SIGTERM.`,
		Args:          cobra.ArbitraryArgs, // unknown commands are refused below
		SilenceErrors: true,                // execute prints them, in one line
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			msg := fmt.Sprintf("there is no command %q", args[0])
			if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
				msg += "; did you mean " + strings.Join(s, " or ") + "?"
			}
			return usagef("%s", msg)
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print what a command does",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("there is no command %q", strings.Join(args, " "))
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
	})
	root.AddCommand(
		newRunCmd(),
		newExplainCmd(),
		newInspectCmd(),
		newConvertCmd(),
		newBenchCmd(),
		newVersionCmd(),
		newTrainCmd(),
		newEvalCmd(),
		newPredictCmd(),
		newServeCmd(),
	)
	tagFailures(root)
	return root
}

// tagFailures marks what the commands' own code returns as failures. What
// remains unmarked comes from reading the command line, and is wrong usage.
// A wrong number of arguments is told by what the command takes.
func tagFailures(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return fmt.Errorf("%s: got %s, expected \"unroll %s\"", cmd.Name(), counted(args), cmd.Use)
			}
			return nil
		}
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return failure{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		tagFailures(sub)
	}
}

func counted(args []string) string {
	switch len(args) {
	case 0:
		return "no argument"
	case 1:
		return fmt.Sprintf("the argument %q", args[0])
	}
	return fmt.Sprintf("%d arguments %q", len(args), args)
}

// flagError says what values a flag takes; the error it replaces names the Go
// function that failed.
func flagError(_ *cobra.Command, err error) error {
	var v *pflag.InvalidValueError
	if !errors.As(err, &v) {
		return err
	}
	want, ok := map[string]string{
		"int":     "a whole number",
		"uint64":  fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)),
		"float64": "a number",
		"bool":    "true or false",
	}[v.GetFlag().Value.Type()]
	if !ok {
		return err
	}
	return fmt.Errorf("--%s: got %q, expected %s", v.GetFlag().Name, v.GetValue(), want)
}
