package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/task"
)

// tableFlags give a command the options for files of separated values.
func tableFlags(cmd *cobra.Command) {
	cmd.Flags().AddFlagSet(flagsOf(new(task.Separated).Arguments()))
	cmd.Flags().StringSlice("columns", nil, "columns of a table or of Parquet to read, by name and in this order (default: all)")
}

// groupTables puts the flags of tableFlags under a heading.
func groupTables(cmd *cobra.Command) {
	names := []string{"columns"}
	for _, a := range new(task.Separated).Arguments() {
		names = append(names, a.Name)
	}
	groupFlags(cmd, ofTables, names...)
}

// tableOptions are those that were given; what is found out about a file goes to
// stderr.
func tableOptions(cmd *cobra.Command) (o array.Options, err error) {
	var s task.Separated
	for _, a := range s.Arguments() {
		if f := cmd.Flags().Lookup(a.Name); f != nil {
			if err := setFlag(flagsOf([]task.Argument{a}).Lookup(a.Name).Value, f.Value); err != nil {
				return o, err
			}
		}
	}
	if cmd.Flags().Lookup("columns") != nil {
		if o.Text.Columns, err = cmd.Flags().GetStringSlice("columns"); err != nil || len(o.Text.Columns) == 0 {
			o.Text.Columns = nil
		}
	}
	o.Text.Note = func(s string) { fmt.Fprintln(cmd.ErrOrStderr(), "unroll:", s) }
	if o.Text.Dialect, err = s.Dialect(); err != nil {
		return o, inFlags(cmd, err)
	}
	return o, nil
}
