package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train/data"
)

// optionFlags are a task's options as flags; what is set goes into the task.
func optionFlags(t task.Task) *pflag.FlagSet { return flagsOf(t.Arguments()) }

// flagsOf are options as flags, which set their values.
func flagsOf(arguments []task.Argument) *pflag.FlagSet {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, a := range arguments {
		switch v := a.Value.(type) {
		case *string:
			f.StringVar(v, a.Name, *v, a.Usage)
		case *int:
			f.IntVar(v, a.Name, *v, a.Usage)
		case *float64:
			f.Float64Var(v, a.Name, *v, a.Usage)
		case *uint64:
			f.Uint64Var(v, a.Name, *v, a.Usage)
		case *bool:
			f.BoolVar(v, a.Name, *v, a.Usage)
		case *[]string:
			f.StringSliceVar(v, a.Name, *v, a.Usage)
		}
	}
	return f
}

// registerOptions gives a command the options of all tasks as flags; those of
// one name are one flag.
func registerOptions(cmd *cobra.Command) {
	for _, k := range task.Kinds {
		optionFlags(k.New()).VisitAll(func(f *pflag.Flag) {
			if cmd.Flags().Lookup(f.Name) == nil {
				cmd.Flags().AddFlag(f)
			}
		})
	}
}

// giveOptions sets t's options to the flags that were given, and says which of
// them are other tasks'. What a trained model has learnt cannot be set.
func giveOptions(cmd *cobra.Command, t task.Task, trained bool) (err error) {
	own := optionFlags(t)
	learnt := map[string]bool{}
	for _, a := range t.Arguments() {
		learnt[a.Name] = a.Learnt
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		to := own.Lookup(f.Name)
		switch {
		case err != nil:
		case to == nil:
			if isOption(f.Name) {
				fmt.Fprintf(cmd.ErrOrStderr(), "unroll: --%s is no option of task %s and is not used\n", f.Name, t.Kind().Name)
			}
		case trained && learnt[f.Name]:
			if to.Value.String() != f.Value.String() {
				err = usagef("--%s is %s, but the model was trained with %s; leave the flag out", f.Name, f.Value, to.Value)
			}
		default:
			err = setFlag(to.Value, f.Value)
		}
	})
	return err
}

func setFlag(to, from pflag.Value) error {
	if list, ok := from.(pflag.SliceValue); ok {
		return to.(pflag.SliceValue).Replace(list.GetSlice())
	}
	return to.Set(from.String())
}

// isOption reports whether a flag is an option of any task.
func isOption(name string) bool {
	return slices.ContainsFunc(task.Kinds, func(k task.Kind) bool { return optionFlags(k.New()).Lookup(name) != nil })
}

// savedOptions are a task's options by name, as they stand in a checkpoint.
func savedOptions(t task.Task) map[string]any {
	m := map[string]any{}
	for _, a := range t.Arguments() {
		m[a.Name] = a.Value
	}
	return m
}

// oldOptions is where the first checkpoints have the options; those of a
// forecaster stand in an object of their own.
var oldOptions = map[string]string{
	"level": "Level", "max-tokens": "MaxTokens", "text-column": "Text", "label-column": "Label", "batch": "Batch",
	"window": "Window", "valid": "Valid", "test": "Test", "seed": "Seed", "no-calendar": "NoCalendar",
	"time-column": "Time", "columns": "Columns", "target": "targets", "lags": "lags", "horizon": "horizon",
	"season": "season", "base": "base", "loss": "Loss", "rows": "Limit",
}

// restoreOptions sets t's options to those of a checkpoint's settings.
func restoreOptions(t task.Task, settings string) error {
	var top, saved, forecast map[string]json.RawMessage
	if err := json.Unmarshal([]byte(settings), &top); err != nil {
		return err
	}
	if raw, ok := top["Options"]; ok {
		if err := json.Unmarshal(raw, &saved); err != nil {
			return err
		}
	} else {
		if raw, ok := top["Forecast"]; ok {
			if err := json.Unmarshal(raw, &forecast); err != nil {
				return err
			}
		}
		saved = map[string]json.RawMessage{}
		for name, key := range oldOptions {
			for _, from := range []map[string]json.RawMessage{forecast, top} { // Batch, Valid and Test stand in both
				if raw, ok := from[key]; ok {
					saved[name] = raw
				}
			}
		}
	}
	for _, a := range t.Arguments() {
		if raw, ok := saved[a.Name]; ok {
			if err := json.Unmarshal(raw, a.Value); err != nil {
				return fmt.Errorf("%s: %w", a.Name, err)
			}
		}
	}
	return nil
}

// inFlags says a library's error in the words of the command line: arguments
// are flags. Advice that names a flag the command does not have is left out.
func inFlags(cmd *cobra.Command, err error) error {
	flag := func(arg string) string {
		if arg == "input" {
			return "INPUT"
		}
		return "--" + arg
	}
	var a *task.ArgError
	var d *data.Error
	switch {
	case errors.As(err, &a):
		return usageError{errors.New(a.Say(flag))}
	case errors.As(err, &d):
		e := *d
		for _, arg := range e.Args {
			if cmd.Flags().Lookup(arg) == nil {
				e.Advice = ""
			}
		}
		return errors.New(e.Say(flag))
	}
	return err
}

// notStream refuses "-" where a file or folder is meant.
func notStream(what, name string) error {
	if name == std {
		return usagef("%s is -, a standard stream; give the name of a file or folder", what)
	}
	return nil
}

// option is the value of a task's option as text, "" if it has none of the name.
func option(t task.Task, name string) string {
	if f := optionFlags(t).Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}
