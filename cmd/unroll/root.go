package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/train/data"
)

// extraCommands are those that a build tag adds.
var extraCommands []func() *cobra.Command

// newRootCmd builds the whole command. A subcommand is one file with one
// function that returns it, and one line here.
func newRootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "unroll",
		Short: "Recurrent networks of PyTorch, ONNX and Keras: run, explained and trained",
		Long: `unroll runs, explains, converts and trains PyTorch's stacked RNN, LSTM and GRU,
and runs the ONNX, Keras and PyTorch models around them. "unroll run" without
arguments shows a layer.

Data goes to stdout, progress and complaints to stderr; "-" as a file name is a
standard stream. Exit code: 0 success, 1 failure, 2 wrong usage, 130 after an
interrupt (Ctrl-C), 143 after SIGTERM.`,
		Example: `  unroll run                                        # PyTorch's example
  unroll explain --open                             # how its numbers came about
  unroll train names --task classify -o names-model # a model of your own files`,
		Version:       "(of the build)",    // --version prints readVersion
		Args:          cobra.ArbitraryArgs, // unknown commands are refused below
		SilenceErrors: true,                // execute prints them, in one line
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return noCommand(cmd, args[0])
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(printHelp)
	root.SetVersionTemplate(readVersion().String())
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print what a command does",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return noCommand(root, strings.Join(args, " "))
			}
			return target.Help()
		},
	})
	addGroup(root, "Run and explain:", newRunCmd(), newExplainCmd())
	addGroup(root, "Train and use:", newTrainCmd(), newEvalCmd(), newPredictCmd())
	addGroup(root, "Serve:", newServeCmd())
	addGroup(root, "Files:", newInspectCmd(), newConvertCmd())
	addGroup(root, "This machine:", newBenchCmd(), newVersionCmd())
	for _, c := range extraCommands {
		root.AddCommand(c())
	}
	root.InitDefaultCompletionCmd()
	explainCompletion(root)
	completeValues(root)
	guardPaths(root)
	guardNumbers(root)
	tagFailures(root)
	return root
}

// addGroup adds commands under a heading of the help.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, c := range commands {
		c.GroupID = title
	}
	root.AddCommand(commands...)
}

// noCommand says that root has no such command, and which are near.
func noCommand(root *cobra.Command, name string) error {
	msg := fmt.Sprintf("there is no command %q", name)
	if s := root.SuggestionsFor(name); len(s) > 0 {
		msg += "; did you mean " + strings.Join(s, " or ") + "?"
	}
	return usagef("%s", msg)
}

// fewValues are the values of flags that have a few.
func fewValues() map[string][]string {
	return map[string][]string{
		"task": taskNames(), "mode": strings.Split(strings.ReplaceAll(cell.Names(), " or ", ", "), ", "),
		"dtype": {"float32", "float64"}, "convention": {"torch", "keras"}, "to": {"safetensors", "pt", "npz", "onnx", "folder", "int8", "bfloat16"},
		"optimizer": {"SGD", "Adam", "AdamW", "RMSprop", "Adagrad"}, "schedule": {"none", "plateau", "cosine", "onecycle"},
		"gaps": data.GapRules, "time-format": data.TimeFormats, "head": {"all", "last"}, "as": {"text", "series", "notes", "vectors"},
	}
}

// completeValues tells a shell the values of flags that have a few.
func completeValues(cmd *cobra.Command) {
	for flag, values := range fewValues() {
		if cmd.Flags().Lookup(flag) == nil {
			continue
		}
		if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			continue // there is one already
		}
	}
	for _, sub := range cmd.Commands() {
		completeValues(sub)
	}
}

// explainCompletion gives cobra's commands that write completions our words.
func explainCompletion(root *cobra.Command) {
	lines := map[string]string{
		"bash":       "  source <(unroll completion bash)                               # this shell\n  unroll completion bash > /etc/bash_completion.d/unroll         # every shell",
		"zsh":        "  source <(unroll completion zsh)                                # this shell\n  unroll completion zsh > \"${fpath[1]}/_unroll\"                  # every shell",
		"fish":       "  unroll completion fish | source                                # this shell\n  unroll completion fish > ~/.config/fish/completions/unroll.fish  # every one",
		"powershell": "  unroll completion powershell | Out-String | Invoke-Expression  # this shell\n  unroll completion powershell >> $PROFILE                       # every shell",
	}
	cmd, _, err := root.Find([]string{"completion"})
	if err != nil || cmd == root {
		return
	}
	cmd.Short, cmd.Long = "Write the completion of commands and flags for a shell", ""
	cmd.Example = "  source <(unroll completion bash)\n  unroll completion fish | source"
	cmd.Args, cmd.SuggestionsMinimumDistance = cobra.ArbitraryArgs, 1
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return noCommand(cmd, args[0])
	}
	for _, sub := range cmd.Commands() {
		sub.Short, sub.Long, sub.Example = "Write the completion for "+sub.Name(), "", lines[sub.Name()]
		sub.Args = cobra.NoArgs
		if sub.Name() == "bash" {
			sub.RunE = func(cmd *cobra.Command, _ []string) error {
				bare, err := cmd.Flags().GetBool("no-descriptions")
				if err != nil {
					return err
				}
				script, err := bashScript(root, !bare)
				if err != nil {
					return err
				}
				_, err = io.WriteString(cmd.OutOrStdout(), script)
				return err
			}
		}
	}
}

// tagFailures marks what the commands' own code returns as failures. What
// remains unmarked comes from reading the command line, and is wrong usage.
// A wrong number of arguments is told by what the command takes.
func tagFailures(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return fmt.Errorf("%s: got %s, expected \"unroll %s\"%s", cmd.Name(), counted(args), cmd.Use, gone(cmd, args))
			}
			return nil
		}
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return failure{suggestValue(cmd, err)}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		tagFailures(sub)
	}
}

// gone says which of too few arguments is no file, too.
func gone(cmd *cobra.Command, args []string) string {
	for i, use := range places[cmd.Name()].args {
		if i >= len(args) || args[i] == std || use == useConvert {
			break
		}
		if _, err := os.Stat(args[i]); err != nil {
			return fmt.Sprintf("; and there is no %s", args[i])
		}
	}
	return ""
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
func flagError(cmd *cobra.Command, err error) error {
	var v *pflag.InvalidValueError
	if !errors.As(err, &v) {
		return unknownFlag(cmd, err)
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
