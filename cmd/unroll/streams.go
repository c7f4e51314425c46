package main

import (
	"encoding/json"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/internal/atomicfile"
)

// std is the file name that stands for standard input or output.
const std = "-"

// writeOutput has write fill a file, or standard output for "-". A file is
// replaced as a whole or, after an error, not at all.
func writeOutput(cmd *cobra.Command, name string, write func(io.Writer) error) error {
	if name == std {
		return write(cmd.OutOrStdout())
	}
	return atomicfile.Write(name, write)
}

// printJSON writes v and a line end to standard output.
func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// isTerminal reports whether text written to w is seen by a person: stdout is
// buffered on its way, so the process's own is looked at.
func isTerminal(io.Writer) bool {
	st, err := os.Stdout.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
